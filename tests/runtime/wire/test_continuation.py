"""C10, C11: what of a broken stream can be gone on with, and how the rest is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runtime.wire.continuation import Begun, KeptIds, Piece, place_to_go_on
from runtime.wire.dialect import UpstreamModel
from runtime.wire.parse_request import parse_chat, parse_completion
from runtime.wire.rest_of_answer import Rest, RestScanner, kept_ids

ENVELOPE = {"id": "c-1", "object": "chat.completion.chunk", "created": 7, "model": "m"}
PROMPT = [11, 12, 13]


def _event(told: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(told, separators=(",", ":")).encode() + b"\n\n"


def _chat(text: str | None, *ids: int, **delta: Any) -> bytes:
    said = delta or {"content": text}
    choice = {"index": 0, "delta": said, "logprobs": None, "finish_reason": None}
    return _event({**ENVELOPE, "choices": [{**choice, "token_ids": list(ids) or None}]})


def _complete(text: str, *ids: int, finish: str | None = None, first: bool = False) -> bytes:
    choice = {
        "index": 0,
        "text": text,
        "logprobs": None,
        "finish_reason": finish,
        "stop_reason": None,
        "prompt_token_ids": PROMPT if first else None,
        "token_ids": list(ids),
    }
    told = {"id": "c-2", "object": "text_completion", "created": 9, "model": "m"}
    return _event({**told, "choices": [choice]})


ROLE = _event(
    {
        **ENVELOPE,
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}],
        "prompt_token_ids": PROMPT,
    }
)


def _kept(frames: list[bytes], *, is_chat: bool = True, held: int = 0) -> KeptIds:
    kept = KeptIds(is_chat=is_chat, held_chars_max=held)
    for chunk in frames:
        kept.note(chunk, kept.read(chunk)[1])
    return kept


def test_ids_are_kept_and_not_shown() -> None:
    kept = KeptIds(is_chat=True, held_chars_max=0)
    words = _chat('a "token_ids":[9] ', 5)
    shown = [kept.read(chunk) for chunk in (ROLE, words, words + _chat("b", 6, 7))]
    assert json.loads(shown[0][0][6:])["prompt_token_ids"] is None
    for plain, _ in shown[1:]:
        for frame in plain.split(b"\n\n")[:-1]:
            assert json.loads(frame[6:])["choices"][0]["token_ids"] is None
    assert [ids for _, ids in shown] == [b"", b"5]", b"5]6,7]"]
    assert shown[1][0] == words.replace(b'"token_ids":[5]', b'"token_ids":null')


def test_only_frames_of_plain_text_may_pass_as_they_come() -> None:
    kept = KeptIds(is_chat=True, held_chars_max=0)
    assert kept.read_plain(_chat("a", 5)) is None  # the prompt's ids have not come
    kept.read(ROLE)
    plain, others = _chat("a", 5), (_chat(None, 5, reasoning="b"), _chat("a"))
    assert kept.read_plain(plain) is not None
    assert kept.read_plain(plain * 2) is not None
    for chunk in (*others, plain[:-1], plain + plain[:-1], plain + others[0], b": wait\n\n"):
        assert kept.read_plain(chunk) is None


def test_a_twin_first_says_again_what_is_surely_told() -> None:
    frames = [_chat(f"w{number} ", 100 + number) for number in range(8)]
    begun = _kept([ROLE, *frames]).so_far()
    assert begun is not None
    assert begun.prompt_ids == tuple(PROMPT)
    assert begun.answer_ids == (100, 101, 102, 103)
    assert begun.repeated == "w4 w5 w6 w7 "
    assert begun.tokens == 8


def _pieces(*told: tuple[str, int]) -> list[Piece]:
    return [Piece((1,) * count, text) for text, count in told]


@pytest.mark.parametrize(
    ("told", "held", "place"),
    [
        ([("a", 1), ("b", 1)], 0, (0, "ab")),  # all of it
        # Half a character is open behind the tokens without text, and may be behind two at once.
        ([("a", 1), ("", 1), ("", 1), ("é", 1), ("", 1)], 0, (0, "aé")),
        ([("a", 1), ("bc", 2), ("d", 1), *[("e", 1)] * 4], 0, (4, "eeee")),
        ([("a", 1), ("bc", 2), ("", 1), *[("e", 1)] * 4], 0, (1, "bceeee")),
        # Two characters are held back: with the fourth token "abcd" was made, and "ab" told.
        ([("", 1), ("", 1), *[(letter, 1) for letter in "abcdefgh"]], 2, (4, "efgh")),
    ],
)
def test_the_place_is_behind_a_token_whose_text_was_told(
    told: list[tuple[str, int]], held: int, place: tuple[int, str]
) -> None:
    pieces = _pieces(*told)
    ids = [number for piece in pieces for number in piece.ids]
    assert place_to_go_on(ids, pieces, held) == place


def test_where_nothing_is_sure_among_the_last_pieces_none_goes_on() -> None:
    assert place_to_go_on([1] * 9, _pieces(("ab", 2), ("cd", 2)), 0) is None
    assert place_to_go_on([1] * 9, _pieces(("ab", 2), ("c", 1), ("de", 2)), 0) == (7, "de")


@pytest.mark.parametrize(
    "more",
    [
        _chat(None, 6, tool_calls=[{"index": 0, "function": {"arguments": '{"rm'}}]),
        _chat(None, 6, function_call={"name": "f", "arguments": "{"}),
        _chat(None, 6, reasoning_content="hm"),
        _chat(None, 6, reasoning="hm"),
        _chat(None, 6, refusal="no"),
        _chat("words without their ids"),
    ],
)
def test_c10_never_after_more_than_text(more: bytes) -> None:
    words = _chat("a", 5)
    assert _kept([ROLE, words]).so_far() is not None
    for frames in ([ROLE, more, words], [ROLE, words, more], [ROLE + more + words]):
        assert _kept(frames).so_far() is None


def test_without_the_prompts_ids_or_any_of_the_answer_none_goes_on() -> None:
    assert _kept([_chat("a", 5)]).so_far() is None
    assert _kept([ROLE]).so_far() is None


GREEDY: dict[str, Any] = {"model": "m", "temperature": 0, "stream": True}


def test_stop_texts_are_held_back_by_their_length_less_one() -> None:
    body = {**GREEDY, "prompt": "hi", "stop": ["abc", "a"]}
    kept = kept_ids(parse_completion(json.dumps(body).encode()))
    assert kept is not None
    assert kept._held_chars_max == 2


@pytest.mark.parametrize(
    "more",
    [
        {"echo": True},
        {"logprobs": 0},
        {"prompt": ["a", "b"]},
        {"prompt": [[1], [2]]},
        {"response_format": {"type": "json_object"}},
        {"stream": False},
    ],
)
def test_c11_not_every_completion_can_be_gone_on_with(more: dict[str, Any]) -> None:
    body = {**GREEDY, "prompt": "hi"}
    assert kept_ids(parse_completion(json.dumps(body).encode())) is not None
    assert kept_ids(parse_completion(json.dumps({**body, **more}).encode())) is None


BEGUN = Begun(
    prompt_ids=tuple(PROMPT),
    answer_ids=(1, 2),
    repeated="a b",
    tokens=4,
    frame=json.loads(_chat("b", 4)[6:]),
    held_chars_max=0,
)


def test_c11_the_rest_is_asked_for_by_ids() -> None:
    body = {**GREEDY, "messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 9}
    rest = Rest(parse_chat(json.dumps(body | {"stop": "x", "top_p": 0.5}).encode()), BEGUN)
    call = rest.call(UpstreamModel("m"), 4096)
    told = json.loads(call.body)
    assert (call.path, rest.tokens_left) == ("/completions", 7)
    assert told["prompt"] == [11, 12, 13, 1, 2]
    assert (told["max_tokens"], told["stop"], told["top_p"]) == (7, "x", 0.5)
    assert not told.keys() & {"messages", "max_completion_tokens"}
    assert json.loads(rest.call(UpstreamModel("m"), 9).body)["max_tokens"] == 4


USAGE = {
    "prompt_tokens": 5,
    "completion_tokens": 4,
    "total_tokens": 9,
    "prompt_tokens_details": {"cached_tokens": 4},
}
STREAM = (
    _complete("a", 3, first=True)
    + b": wait\n\n"
    + _complete("", 4)
    + _complete(" bc", 5)
    + _complete("d", 6, finish="stop")
    + _event({"id": "c-2", "choices": [], "usage": USAGE})
    + b"data: [DONE]\n\n"
)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_c10_the_rest_is_told_as_frames_of_the_same_stream(size: int) -> None:
    scanner = RestScanner(BEGUN, wants_usage=True)
    told = b"".join(scanner.feed(STREAM[at : at + size]) for at in range(0, len(STREAM), size))
    told += scanner.end() + scanner.tail
    frames = [json.loads(each[6:]) for each in told.split(b"\n\n") if each[6:7] == b"{"]
    assert scanner.finished
    assert told.endswith(b"data: [DONE]\n\n")
    assert all({**ENVELOPE, **frame} == {**frame, **ENVELOPE} for frame in frames)
    assert [each["choices"][0]["delta"] for each in frames[:-1]] == [
        {"content": "c"},
        {"content": "d"},
    ]
    assert frames[1]["choices"][0]["finish_reason"] == "stop"
    assert told.count(b'"token_ids":null') == told.count(b"token_ids") == 2
    assert frames[2]["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 6,
        "total_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 3},
    }
    own = scanner.usage
    assert own is not None
    assert (own.prompt_tokens, own.completion_tokens) == (3, 6)


@pytest.mark.parametrize(
    "other",
    [
        _complete("x", 3, first=True) + _complete(" and more", 7),
        _complete("a", 3, first=True) + _complete(" c", 4) + _complete(" and more", 7),
        _complete("a", 3, finish="stop", first=True),
    ],
)
def test_c11_what_says_something_else_is_no_twin(other: bytes) -> None:
    scanner = RestScanner(BEGUN, wants_usage=True)
    told = scanner.feed(other + b"data: [DONE]\n\n") + scanner.end() + scanner.tail
    assert told == b""
    assert scanner.differs
    assert scanner.over
    assert not scanner.begun
    assert not scanner.finished


def test_a_further_twin_goes_on_from_the_first_ones_ids() -> None:
    scanner = RestScanner(BEGUN, wants_usage=False)
    words = [_complete(f" w{number}", 20 + number) for number in range(6)]
    told = scanner.feed(_complete("a b", 3, 4, first=True) + b"".join(words))
    begun = scanner.so_far()
    assert told.count(b"data: ") == 6
    assert begun is not None
    assert begun.answer_ids == (1, 2, 3, 4, 20, 21)
    assert begun.repeated == " w2 w3 w4 w5"
    assert begun.tokens == scanner.tokens(len) == 10
    assert begun.prompt_ids == BEGUN.prompt_ids
