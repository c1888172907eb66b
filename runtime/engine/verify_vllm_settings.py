"""Asks vLLM about engines that are not started: `python -m runtime.engine.verify_vllm_settings`.

A process of its own, because vLLM takes seconds to import, writes to stdout and sets the
environment. stdin holds a JSON list of questions, stdout the list of verdicts in their order.
"""

from __future__ import annotations

import os
import sys

from pydantic import BaseModel, TypeAdapter

from runtime.engine.engine_settings import EngineSettings
from runtime.engine.vllm_adapter.settings_verdict import SettingsVerdict, verify


class Question(BaseModel):
    """What vLLM is asked. ``on_cpu``: what the engine shall run on. ``configure``: see `verify`."""

    settings: EngineSettings
    on_cpu: bool
    configure: bool


QUESTIONS = TypeAdapter(list[Question])
VERDICTS = TypeAdapter(list[SettingsVerdict])


def main() -> None:
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what vLLM prints is no answer
    verdicts = [
        verify(each.settings, on_cpu=each.on_cpu, configure=each.configure)
        for each in QUESTIONS.validate_json(sys.stdin.buffer.read())
    ]
    answer.write(VERDICTS.dump_json(verdicts))
    answer.close()


if __name__ == "__main__":
    main()
