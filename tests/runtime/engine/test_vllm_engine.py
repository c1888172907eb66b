"""Starting one takes a stack: tests/stack. Here is what holds without vLLM."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_file_does_not_import_vllm() -> None:
    code = "import runtime.engine.vllm_engine, sys; sys.exit('vllm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
