"""An unknown name is answered with those that look like it."""

from __future__ import annotations

from models.unknown_names import NAME_CHARS_MAX, did_you_mean, near_names

KNOWN = ["deepseek-ai/DeepSeek-V3.2", "zai-org/GLM-5", "openai/gpt-oss-120b"]


def test_capitals_do_not_matter_and_are_kept_as_they_are_known() -> None:
    assert near_names("deepseek-ai/deepseek-v32", KNOWN) == ("deepseek-ai/DeepSeek-V3.2",)
    assert did_you_mean("ZAI-ORG/GLM5", KNOWN) == "did you mean zai-org/GLM-5?"


def test_a_name_like_no_other_gets_no_guess() -> None:
    assert did_you_mean("mistral", KNOWN) == ""
    assert near_names("x" * 1_000_000, ["x" * NAME_CHARS_MAX]) == ("x" * NAME_CHARS_MAX,)
