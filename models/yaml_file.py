"""Reads a YAML file as plain data, and refuses what a reader would lose or misread without a word.

A key that stands twice, several documents, text that looks like a date and is none, a file without
end: each is a problem with its line. Nothing but YAML's own plain types is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FILE_BYTES_MAX = 4 << 20  # ten thousand tenants with a key each take 1.3 MB
DEPTH_MAX = 64  # of mappings and lists in one another
NODES_MAX = 1_000_000  # with everything that aliases repeat

INTEGER_MAX = 2**63 - 1

Keys = tuple[str | int, ...]  # of mappings and lists, from the outermost in

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster
_OF_TAG = {"timestamp": "date", "int": "whole number", "float": "number", "bool": "true or false"}


@dataclass(frozen=True, slots=True)
class YamlProblem:
    """``line`` counts from 1; None where the whole file is meant."""

    wrong: str
    line: int | None = None
    path: Keys = ()

    def __str__(self) -> str:
        return self.wrong if self.line is None else f"{self.wrong} (line {self.line})"


class BadYaml(ValueError):
    """A file that holds nothing which could be used; ``problems`` lists all that is wrong."""

    def __init__(self, *problems: YamlProblem) -> None:
        self.problems = problems
        super().__init__("; ".join(map(str, problems)))


@dataclass(frozen=True, slots=True)
class YamlFile:
    """What a file holds, and where it stands."""

    content: Any
    root: yaml.Node | None = None  # None: an empty file

    def line(self, path: Keys) -> int | None:
        """The line of ``path``, or of the innermost part of it that is in the file."""
        node, line = self.root, None
        for part in path:
            inner = _inside(node, part)
            if inner is None:
                break
            mark, node = inner
            line = mark.start_mark.line + 1
        return line


def read_yaml(path: Path, bytes_max: int = FILE_BYTES_MAX) -> YamlFile:
    """The one document of ``path``; raises BadYaml."""
    try:
        with path.open("rb") as file:
            content = file.read(bytes_max + 1)
    except OSError as error:
        raise BadYaml(YamlProblem(f"cannot be read: {error.strerror}")) from None
    if len(content) > bytes_max:
        raise BadYaml(YamlProblem(f"is larger than {bytes_max} bytes"))
    try:
        return parse_yaml(content.decode())
    except UnicodeDecodeError as error:
        raise BadYaml(YamlProblem(f"is not UTF-8 text (byte {error.start + 1})")) from None


def parse_yaml(text: str) -> YamlFile:
    """The one document of ``text``; raises BadYaml."""
    try:
        _refuse_depth(text)
        loader = _StrictLoader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return YamlFile(None)
            _refuse_growth(root)
            if twice := [*_twice(root, (), set())]:
                raise BadYaml(*twice)
            return YamlFile(loader.construct_document(root), root)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise BadYaml(_syntax(error)) from None


class _StrictLoader(_Loader):  # type: ignore[misc]
    """A scalar that is not what its form promises is a problem with a line, whatever Python
    raises for it."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        kind, text = node.tag.rpartition(":")[2], str(node.value)[:64]
        line = node.start_mark.line + 1
        try:
            made = super().construct_object(node, deep)
        except BadYaml:
            raise
        except (ValueError, AttributeError, OverflowError) as error:
            why = f" ({error})" if isinstance(error, ValueError) and kind == "timestamp" else ""
            wrong = f"{text!r} is no {_OF_TAG.get(kind, kind)}{why}: quote it if it is text"
            raise BadYaml(YamlProblem(wrong, line)) from None
        if isinstance(made, int) and abs(made) > INTEGER_MAX:
            raise BadYaml(YamlProblem(f"{text!r} is more than {INTEGER_MAX}", line))
        return made


def _refuse_depth(text: str) -> None:
    """Before nodes are made: that is recursive, and its stack is C's."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MAX:
            wrong = f"more than {DEPTH_MAX} mappings and lists in one another"
            raise BadYaml(YamlProblem(wrong, _line(event.start_mark)))


def _refuse_growth(root: yaml.Node) -> None:
    """An alias repeats what it names; aliases of aliases grow without bound, or never end."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        known = sizes.get(id(node))
        if known == 0:
            line = node.start_mark.line + 1
            raise BadYaml(YamlProblem("an alias stands for what it is itself a part of", line))
        if known is None:
            sizes[id(node)] = 0
            known = sizes[id(node)] = 1 + sum(size(child) for child in _children(node))
        return known

    if size(root) > NODES_MAX:
        raise BadYaml(YamlProblem(f"holds more than {NODES_MAX} values, with all its aliases"))


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _twice(node: yaml.Node, path: Keys, seen: set[int]) -> Iterator[YamlProblem]:
    """Every key that its mapping already has: only the last of them would count."""
    if id(node) in seen:
        return  # an alias
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            yield from _twice(child, (*path, index), seen)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[tuple[str, str], int] = {}
    for key, value in node.value:
        inner = (*path, _text(key))
        name, line = (key.tag, _text(key)), key.start_mark.line + 1
        if name not in lines:
            lines[name] = line
        elif not key.tag.endswith(":merge"):
            wrong = f"{_text(key)!r} stands twice, first in line {lines[name]}"
            yield YamlProblem(wrong, line, inner)
        yield from _twice(value, inner, seen)


def _text(key: yaml.Node) -> str:
    return str(key.value) if isinstance(key, yaml.ScalarNode) else "?"


def _inside(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The node that tells the place of ``part``, and the node that holds it."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    if isinstance(node, yaml.MappingNode):
        return next((pair for pair in node.value if _text(pair[0]) == str(part)), None)
    return None


def _syntax(error: yaml.YAMLError) -> YamlProblem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if isinstance(error, yaml.composer.ComposerError) and "single document" in str(error):
        return YamlProblem("holds a second document: one file is one", _line(mark))
    wrong = getattr(error, "problem", None) or str(error)
    return YamlProblem(f"is not YAML: {' '.join(wrong.split())}", _line(mark))


def _line(mark: Any) -> int | None:
    return None if mark is None else mark.line + 1
