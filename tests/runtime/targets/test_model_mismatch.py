from __future__ import annotations

import pytest

from runtime.targets.model_mismatch import is_other_model

SAME = [
    ("deepseek-v3.2", "deepseek-v3.2"),
    ("deepseek-ai/DeepSeek-V3.2", "deepseek-v3.2"),
    ("deepseek-v3.2", "deepseek/DeepSeek-V3.2"),
    ("gpt-5.1", "gpt-5.1-2026-08-06"),
    ("deepseek/deepseek-v3.2", "deepseek/deepseek-v3.2-20251201"),
    ("kimi-k2", "kimi-k2-0905"),
    ("glm-5", "glm-5@20261101"),
]
OTHER = [
    ("gpt-5.1", "gpt-5.1-mini"),
    ("gpt-5.1", "gpt-5"),
    ("gpt-5", "gpt-5.1"),
    ("gpt-5", "gpt-5.1-2026-08-06"),
    ("kimi-k2", "kimi-k2-thinking-0905"),
    ("kimi-k2-0905", "kimi-k2"),
    ("deepseek-v3.2", "qwen3-max"),
    ("deepseek-v3.2", ""),
]


@pytest.mark.parametrize(("asked", "served"), SAME)
def test_c20_a_path_and_a_date_are_no_other_model(asked: str, served: str) -> None:
    assert not is_other_model(asked, served)


@pytest.mark.parametrize(("asked", "served"), OTHER)
def test_c20_all_else_is(asked: str, served: str) -> None:
    assert is_other_model(asked, served)
    assert not is_other_model(asked, served, {served})
