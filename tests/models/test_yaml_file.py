"""A YAML file: what a plain reader would lose or break on is refused, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.yaml_file import DEPTH_MAX, BadYaml, parse_yaml, read_yaml

LAUGHS = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
)


def refused(text: str) -> str:
    with pytest.raises(BadYaml) as caught:
        parse_yaml(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 2026-13-45", "'2026-13-45' is no date (month must be in 1..12): quote it"),
        ("a: 1\nb: 2026-02-30T99:00:00Z", "is no date (day is out of range"),
        ("a: !!timestamp soon", "'soon' is no date"),
        ("a: !!int x", "'x' is no whole number"),
        ("a: !!float x", "'x' is no number"),
        ("a: 0x" + "f" * 9_000, "is more than"),
        ("a: " + "9" * 5_000, "is no whole number"),
        ("? [1]\n: 2", "is not YAML: found unhashable key"),
        ("a: &x [*x]", "an alias stands for what it is itself a part of (line 1)"),
        (LAUGHS, "with all its aliases"),
        ("a: " + "[" * 500_000, f"more than {DEPTH_MAX} mappings and lists in one another"),
        ("a: " + "{b: [" * 40, "more than"),
        ("a: 1\n---\nb: 2", "holds a second document: one file is one (line 2)"),
        ("a: [1,\nb: 2", "is not YAML"),
        ("!!python/object/apply:os.system [ls]", "is not YAML: could not determine"),
        ("a: \x00", "is not YAML: unacceptable character"),
        ("a: *b", "undefined alias"),
    ],
)
def test_what_cannot_be_read_as_it_was_meant(text: str, says: str) -> None:
    assert says in refused(text)


def test_every_key_that_stands_twice_is_told_with_both_its_lines() -> None:
    with pytest.raises(BadYaml) as caught:
        parse_yaml("x: 1\ny:\n - a: 1\n   b: {q: 1, 'q': 2}\n   a: 3\nx: 5")
    assert [(each.path, each.line) for each in caught.value.problems] == [
        (("y", 0, "b", "q"), 4),
        (("y", 0, "a"), 5),
        (("x",), 6),
    ]
    assert "'a' stands twice, first in line 3 (line 5)" in str(caught.value)


def test_an_alias_and_a_merge_are_no_repetition() -> None:
    text = "one: &one {a: 1, b: 2}\ntwo: {<<: *one, a: 3}\nthree: [*one, *one]\n4: x\n'4': y"
    content = parse_yaml(text).content
    assert content["two"] == {"a": 3, "b": 2}
    assert content["three"] == [content["one"]] * 2
    assert (content[4], content["4"]) == ("x", "y")


def test_a_place_in_the_document_has_a_line() -> None:
    file = parse_yaml("# a comment\nx: 1\ny:\n  - a: 1\n    b: {q: 1}\n")
    assert [file.line(path) for path in (("x",), ("y",), ("y", 0, "b", "q"))] == [2, 3, 5]
    assert file.line(("y", 0, "none", "q")) == 4  # where it would have to stand
    assert file.line(("y", 7)) == 3
    assert file.line(("none",)) is file.line(()) is None


def test_a_file_is_read_up_to_a_bound_and_as_utf8(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\n", encoding="utf-8-sig")
    assert read_yaml(path).content == {"a": 1}
    for content, says in (
        (b"\xff\xfe\x00", "is not UTF-8 text (byte 1)"),
        (b"a: " + b"x" * 100, "is larger than 50 bytes"),
    ):
        path.write_bytes(content)
        with pytest.raises(BadYaml) as caught:
            read_yaml(path, 50)
        assert says in str(caught.value)
    for place, says in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(BadYaml) as caught:
            read_yaml(place)
        assert str(caught.value) == f"cannot be read: {says}" + " or directory" * ("No" in says)


def test_an_empty_file_holds_nothing() -> None:
    assert parse_yaml("").content is None
    assert parse_yaml("# only this\n").line(("a",)) is None
