"""Reads a template as plain data, short tags in their long form, and remembers the line of every value. Knows nothing of
what a template means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

Path = tuple[str | int, ...]

# Tags that do not become `Fn::`.
PLAIN = {"Ref": "Ref", "Condition": "Condition"}


@dataclass(frozen=True)
class Finding:
    """Something that is wrong: which rule says so, where in the template, why."""

    rule: str
    path: Path
    text: str


class Unreadable(Exception):
    """The text is no template; a line and a reason."""

    def __init__(self, line: int, text: str):
        super().__init__(text)
        self.line = line


@dataclass
class Source:
    """A template and where its values stand."""

    data: dict[str, Any]
    lines: dict[Path, int]
    aliases: list[int]
    text: str = ""

    def line(self, path: Path) -> int:
        """The line of a value, or of the nearest one around it."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]


def read(text: str) -> Source:
    """Raises `Unreadable` where the text is no YAML, has a key twice or an unknown tag."""
    try:
        aliases = [event.start_mark.line + 1 for event in yaml.parse(text) if isinstance(event, yaml.AliasEvent)]
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise Unreadable(mark.line + 1 if mark else 1, str(getattr(error, "problem", error))) from error
    source = Source({}, {}, aliases, text)
    data = _value(node, (), source.lines) if node else None
    if not isinstance(data, dict) or not isinstance(data.get("Resources"), dict):
        raise Unreadable(1, "a template has an object `Resources`")
    source.data = data
    return source


def _value(node: yaml.Node, path: Path, lines: dict[Path, int]) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if not node.tag.startswith("!"):
        return _plain(node, path, lines)
    name = node.tag[1:]
    key = PLAIN.get(name, f"Fn::{name}")
    value = _plain(node, (*path, key), lines)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {key: value}


def _plain(node: yaml.Node, path: Path, lines: dict[Path, int]) -> Any:
    if isinstance(node, yaml.MappingNode):
        members: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if key in members:
                raise Unreadable(key_node.start_mark.line + 1, f"the key {key} stands here twice")
            lines[(*path, key)] = key_node.start_mark.line + 1
            members[key] = _value(value_node, (*path, key), lines)
        return members
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, place), lines) for place, item in enumerate(node.value)]
    if node.tag.startswith("!"):
        return node.value
    return yaml.SafeLoader("").construct_object(node)
