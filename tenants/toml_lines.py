"""On which line of a TOML text a value stands, which TOML readers do not keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tree_sitter
import tree_sitter_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Place = tuple[str | int, ...]
_TOML = tree_sitter.Language(tree_sitter_toml.language())
_TABLES = {"table", "table_array_element"}


def line_of(text: str, place: Sequence[str | int]) -> int:
    """The line (from 1) of the value at `place`, or of the nearest value around it."""
    lines = dict(_lines(tree_sitter.Parser(_TOML).parse(text.encode()).root_node))
    for length in range(len(place), 0, -1):
        if (line := lines.get(tuple(place[:length]))) is not None:
            return line
    return 1


def _lines(document: tree_sitter.Node) -> Iterator[tuple[Place, int]]:
    elements: dict[Place, int] = {}
    for node in document.named_children:
        if node.type == "pair":
            yield from _pair(node, ())
        elif node.type in _TABLES:
            place = _resolved(_keys(node.named_children[0]), elements)
            if node.type == "table_array_element":
                elements[place] = elements.get(place, -1) + 1
                if elements[place] == 0:
                    yield place, node.start_point.row + 1
                place = (*place, elements[place])
            yield place, node.start_point.row + 1
            for pair in node.named_children[1:]:
                if pair.type == "pair":
                    yield from _pair(pair, place)


def _resolved(keys: Sequence[str], elements: dict[Place, int]) -> Place:
    """A header's keys with the index of the last element behind each array of tables on the way."""
    place: Place = ()
    for at, key in enumerate(keys):
        place = (*place, key)
        if place in elements and at < len(keys) - 1:
            place = (*place, elements[place])
    return place


def _pair(node: tree_sitter.Node, around: Place) -> Iterator[tuple[Place, int]]:
    key, value = node.named_children[0], node.named_children[-1]
    place = (*around, *_keys(key))
    yield place, node.start_point.row + 1
    yield from _value(value, place)


def _value(node: tree_sitter.Node, place: Place) -> Iterator[tuple[Place, int]]:
    if node.type == "inline_table":
        for pair in node.named_children:
            if pair.type == "pair":
                yield from _pair(pair, place)
    elif node.type == "array":
        members = [child for child in node.named_children if child.type != "comment"]
        for at, member in enumerate(members):
            yield (*place, at), member.start_point.row + 1
            yield from _value(member, (*place, at))


def _keys(node: tree_sitter.Node) -> tuple[str, ...]:
    if node.type == "dotted_key":
        return tuple(key for child in node.named_children for key in _keys(child))
    text = (node.text or b"").decode()
    return (text[1:-1] if node.type == "quoted_key" else text,)
