"""Pages for people: whole in one answer, without a script, and nothing fetched from elsewhere."""

from __future__ import annotations

import base64
import hashlib

from starlette.responses import HTMLResponse, Response

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --quiet: #666; --link: #0b57d0 }
@media (prefers-color-scheme: dark) { :root { --quiet: #aaa; --link: #8ab4f8 } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 60rem; overflow-wrap: anywhere;
  font: 1rem/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; margin: 0 }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; border-top: 1px solid var(--line);
  padding-top: 1rem }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem }
a { color: var(--link) }
code, pre { font: .875rem/1.5 ui-monospace, monospace }
code { background: var(--soft); border-radius: .2rem; padding: .1rem .25rem }
h2 code { font-size: 1.05rem }
pre { background: var(--soft); border-radius: .4rem; padding: .75rem; overflow-x: auto;
  overflow-wrap: normal }
pre code { background: none; padding: 0 }
.quiet { color: var(--quiet) }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .75rem .35rem 0; text-align: left;
  vertical-align: top }
th { font-weight: 600 }
th:first-child { width: 16rem }
td:first-child { white-space: nowrap }
@media (max-width: 36rem) {
  table, tbody, tr, td { display: block }
  thead { display: none }
  td { border: 0; padding: 0 }
  tr { border-bottom: 1px solid var(--line); padding: .5rem 0 }
  td:first-child { white-space: normal }
}
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def page(title: str, body: str) -> Response:
    """``title`` and ``body`` are HTML already: whoever writes them escapes what they quote."""
    return HTMLResponse(
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n<title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n",
        headers=_HEADERS,
    )
