"""Real clients against a real stack: ``make test-clients``.

Each client has an environment of its own under the state folder of the checkout, so that none of
them is in the project's lock. What a client asks is in ``cases/`` and ``node/``; a case that fails
is told with what the client raised. The command fails below ``SHARE_MIN`` of the cases.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.stack.running import Stack, running

HERE = Path(__file__).parent
KEPT = HERE.parents[1] / ".baseload" / "clients"
SHARE_MIN = 0.95
CLIENT_S_MAX = 600.0
INSTALL_S_MAX = 1800.0
MODEL = "tiny-moe"
GUIDE_REQUESTS = 5

note = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Case:
    client: str
    name: str
    why: str  # it failed; empty where it passed


def main() -> int:
    python = environment("python")
    guide = environment("guidellm")
    node = node_modules()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "state") as stack:
        stack.wait_for(2, within_s=60)
        env = os.environ | {
            "BASELOAD_URL": f"{stack.url}/v1",
            "BASELOAD_KEY": stack.key,
            "BASELOAD_MODEL": MODEL,
        }
        found: list[Case] = []
        for script in sorted((HERE / "cases").glob("*.py")):
            if script.stem != "harness":
                found += asked([str(python), str(script)], env, script.stem)
        for script in sorted(node.glob("*.mjs")):
            if script.stem != "harness":
                found += asked(["node", str(script)], env, script.stem)
        found.append(benchmarked(guide, stack, env))
    return shown(found)


def environment(name: str) -> Path:
    """The interpreter of an environment with exactly what ``<name>.lock`` holds."""
    lock, folder = HERE / f"{name}.lock", KEPT / name
    python, stamp = folder / "bin" / "python", folder / "installed.lock"
    if stamp.is_file() and stamp.read_text() == lock.read_text():
        return python
    note.print(f"installing {lock.name} (once)")
    venv.create(folder, clear=True, with_pip=True)
    install = ("-m", "pip", "install", "--disable-pip-version-check", "-q", "--no-deps")
    subprocess.run([python, *install, "-r", lock], check=True, timeout=INSTALL_S_MAX)
    stamp.write_text(lock.read_text())
    return python


def node_modules() -> Path:
    """A copy of ``node/`` with its packages beside it, where Node looks for them."""
    folder = KEPT / "node"
    folder.mkdir(parents=True, exist_ok=True)
    stamp, lock = folder / "installed.lock", (HERE / "node" / "package-lock.json").read_text()
    for file in (HERE / "node").iterdir():
        (folder / file.name).write_text(file.read_text())
    if not (stamp.is_file() and stamp.read_text() == lock):
        note.print("installing node/package-lock.json (once)")
        subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund", "--silent"],
            cwd=folder,
            check=True,
            timeout=INSTALL_S_MAX,
        )
        stamp.write_text(lock)
    return folder


def asked(command: Sequence[str], env: Mapping[str, str], name: str) -> Iterator[Case]:
    """The cases of one client. A client that does not come to its end is a failed case."""
    note.print(f"  {name}")
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=CLIENT_S_MAX, check=False
    )
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            told = json.loads(line)
            yield Case(told["client"], told["case"], told["why"])
    if done.returncode != 0:
        yield Case(name, "comes to its end", done.stderr.strip()[-300:] or "no word of why")


def benchmarked(python: Path, stack: Stack, env: Mapping[str, str]) -> Case:
    """GuideLLM measures the endpoint: it needs /health and usage in the stream."""
    note.print("  guidellm")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        backend = f"kind=openai_http,target={stack.url},model={MODEL},api_key={stack.key}"
        command = [
            *(str(python.with_name("guidellm")), "run", "--disable-console"),
            *("--backend", backend, "--profile", "kind=synchronous"),
            *("--constraint", f"kind=max_requests,count={GUIDE_REQUESTS}"),
            *("--tokenizer", f"kind=huggingface_auto,model={stack.state / MODEL}"),
            *("--data", "kind=synthetic_text,prompt_tokens=32,output_tokens=8"),
            *("--output", f"kind=json,path={report}"),
        ]
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=CLIENT_S_MAX, check=False
        )
        if done.returncode != 0:
            why = (done.stderr or done.stdout).strip()[-300:] or "no word of why"
        else:
            why = _unanswered(json.loads(report.read_text()))
    return Case("GuideLLM", "a synchronous benchmark", why)


def _unanswered(report: Mapping[str, Any]) -> str:
    (run,) = report["benchmarks"]
    totals = run["metrics"]["request_totals"]
    answered = totals["successful"]
    return "" if answered >= GUIDE_REQUESTS else f"{answered} of {GUIDE_REQUESTS} were answered"


def shown(found: Sequence[Case]) -> int:
    table = Table("client", "passed", "of", box=None)
    for client in dict.fromkeys(case.client for case in found):
        own = [case for case in found if case.client == client]
        table.add_row(client, str(sum(not case.why for case in own)), str(len(own)))
    out = Console()
    out.print(table)
    for case in found:
        if case.why:
            out.print(f"{case.client}: {case.name}: {case.why}", markup=False, soft_wrap=True)
    passed = sum(not case.why for case in found)
    out.print(f"{passed} of {len(found)} cases passed ({passed / len(found):.1%})")
    return 0 if passed >= SHARE_MIN * len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
