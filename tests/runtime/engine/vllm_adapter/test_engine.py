"""Starting one takes a stack: tests/stack. Here is what holds without vLLM."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

from runtime.engine import vllm_adapter


def test_importing_the_adapter_does_not_import_vllm() -> None:
    """Whoever checks a file imports it, and vLLM takes seconds."""
    names = [each.name for each in pkgutil.iter_modules(vllm_adapter.__path__)]
    assert "engine" in names
    imported = ", ".join(f"{vllm_adapter.__name__}.{name}" for name in names)
    code = f"import {imported}, sys; sys.exit('vllm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
