"""Addresses, plain and in disguise, and what has an @ or an "at" without being one."""

from __future__ import annotations

import pytest

from runtime.detect.email_addresses import has_email_address


@pytest.mark.parametrize(
    "text",
    [
        "john.doe+x@mail.example.com", "张三@例子.中国", "j@foo\u2011bar.com", "12345678@qq。com",
        "john@ example.com", "john @ example . com", "12345678@qq点com", "JOHN AT EXAMPLE DOT COM",
        "john at mail dot example dot org", "john（at）example.com", "john{at}example{dot}com",
        "john [at] example dot net", "12345678#qq.com", "12345678艾特163.com", "123圈a126点com",
        "john[@]example.com",
    ],
)  # fmt: skip
def test_an_address(text: str) -> None:
    assert has_email_address(text)
    assert has_email_address(f"请写信到 {text}, thanks")


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:acme/widgets.git", "w @ self.in_proj + b", "x @ self.id", "@app.get('/')",
        "react@18.3.1 @types/node@20.12.7", "look at the dot product", "we met at noon. Come!",
        "follow @example.com", "#163.com", "a (at) the end", "see example.com at once", "5 * com",
    ],
)  # fmt: skip
def test_no_address(text: str) -> None:
    assert not has_email_address(text)
