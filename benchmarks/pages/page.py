"""A page for people: one HTML file without script, that loads nothing from anywhere.

All of its text is escaped: names of files, models and offers come from outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from benchmarks.pages.drawing import Plot, numbered

CSS = """
:root { color-scheme: light dark; --page: #f5f6f8; --card: #ffffff; --text: #1b1f24;
  --soft: #59636e; --line: #d9dde2; --mark: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --card: #1e2329; --text: #e6e9ed;
  --soft: #a3adb8; --line: #363d46; --mark: #56b4e9; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 74rem; background: var(--page);
  color: var(--text); font: 15px/1.55 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.15rem; }
p.lead { margin: .25rem 0 0; color: var(--soft); }
p.verdict { margin: 1.25rem 0 0; padding: .75rem 1rem; border-left: 4px solid var(--mark);
  background: var(--card); }
figure { margin: 0 0 1.25rem; max-width: 62rem; padding: 1rem; background: #ffffff; color: #1b1f24;
  border: 1px solid var(--line); border-radius: 8px; }
figure h3 { margin: 0 0 .5rem; font-size: 1rem; }
figure svg { display: block; width: 100%; height: auto; overflow: visible; }
figcaption { margin-top: .5rem; color: #59636e; }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .8rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
tr:last-child > * { border-bottom: 0; }
th:first-child, td.says, td.option { text-align: left; }
td.says, td.option { white-space: normal; }
td.says { min-width: 14rem; color: var(--soft); }
th { font-weight: 600; }
tr.heads th { white-space: normal; vertical-align: bottom; }
table.many { font-size: .85rem; }
table.many th, table.many td { padding: .4rem .5rem; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .1rem 1rem; color: var(--soft);
  font-size: .85rem; }
dt { font-weight: 600; }
dd { margin: 0; }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """``parts`` are HTML, made by the functions below."""
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def head(title: str, lead: str, verdict: str | None = None) -> str:
    words = "" if verdict is None else f'\n<p class="verdict">{escape(verdict)}</p>'
    return f'<h1>{escape(title)}</h1>\n<p class="lead">{escape(lead)}</p>{words}'


def row(heading: str, cells: Sequence[str], tag: str = "td", style: str = "") -> str:
    inner = "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)
    return f'<tr class="{style}"><th>{escape(heading)}</th>{inner}</tr>'


def said(line: str, text: str) -> str:
    """The row with a last cell that says in words what it is."""
    return line.replace("</tr>", f'<td class="says">{escape(text)}</td></tr>')


def card(plot: Plot, number: int) -> str:
    """``number`` is the plot's own within the page."""
    title, caption = escape(plot.title), escape(plot.caption)
    svg = numbered(plot.svg, number).replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
    return f"<figure>\n<h3>{title}</h3>\n{svg}\n<figcaption>{caption}</figcaption>\n</figure>"


def section(title: str, rows: Sequence[str], style: str = "") -> str:
    table = f'<table class="{style}">\n' + "\n".join(rows) + "\n</table>"
    return f'<h2>{escape(title)}</h2>\n<div class="wide">{table}</div>'


def pairs(title: str, entries: Mapping[str, str]) -> str:
    """A name and its text, line by line."""
    lines = (
        f'<tr><th>{escape(name)}</th><td class="option">{escape(text)}</td></tr>'
        for name, text in entries.items()
    )
    return section(title, list(lines))
