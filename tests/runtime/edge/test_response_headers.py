"""Every header of ours that an answer may have is on the list that documents and CORS read."""

from __future__ import annotations

import re
from pathlib import Path

import runtime
from runtime.edge.response_headers import ANSWER_HEADERS
from runtime.wire.tags import TAG_HEADERS

# As it stands in the code: quoted, and whole.
SENT = re.compile(r'"(x-baseload-[a-z-]*[a-z])"')


def test_every_header_that_is_sent_is_listed() -> None:
    folder = Path(runtime.__file__).parent
    texts = {path.name: path.read_text() for path in folder.rglob("*.py")}
    del texts["response_headers.py"]
    sent = {name for text in texts.values() for name in SENT.findall(text)} - TAG_HEADERS.keys()
    assert sent == {name for name in ANSWER_HEADERS if name.startswith("x-baseload-")}


def test_each_says_which_answers_have_it_and_what_it_means() -> None:
    assert [name for name, told in ANSWER_HEADERS.items() if not (told.on and told.meaning)] == []
