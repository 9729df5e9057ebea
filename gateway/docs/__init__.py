"""The pages that the code itself can write, as Markdown: events, programme format, refusals, life-cycle.

Nothing stands in them that is not declared elsewhere: the command table, the fields and docstrings of the events, the
rules, the refusals. The examples are facts of the worked example, which the tests enter into a real database.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gateway.docs.events import events_page, life_cycle_page
from gateway.docs.programmes import programme_format_page
from gateway.docs.refusals import refusals_page
from tenants.programmes import load_city, load_programmes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.docs.events import Fact

WRITTEN = "<!-- Written by `kyodo docs` from the code. Change the code, then run it again. -->\n\n"


def write(folder: Path, example: Path) -> None:
    """Write the pages into `folder`, with examples from the city's files in `example`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages(example).items():
        (folder / name).write_text(text, encoding="utf-8")


def pages(example: Path) -> dict[str, str]:
    """Each page's file name and text; raises KeyError for a command without an example."""
    written = {
        "events.md": events_page(examples(example)),
        "programme-format.md": programme_format_page(),
        "refusals.md": refusals_page(),
        "life-cycle.md": life_cycle_page(),
    }
    return {name: WRITTEN + text for name, text in written.items()}


def examples(example: Path) -> dict[str, Fact]:
    """For each command the fact of the worked example that says most."""
    found: dict[str, Fact] = {}
    for fact in _facts(example):
        known = found.get(fact["command"])
        if known is None or len(fact["data"]) > len(known["data"]):
            found[fact["command"]] = fact
    return found


def _facts(example: Path) -> Iterator[Fact]:
    for source in load_city(example).sources:
        yield _fact("register-source", source.valid_time(), source.data())
    # The rules have a page of their own, so that the shortest will do here.
    for programme in sorted(load_programmes(example), key=lambda known: len(known.model_dump_json())):
        for command, version, data in programme.commands():
            yield _fact(command, version.valid_time(), data)
    for name in ("cases.json", "more-commands.json"):
        file = json.loads((example / name).read_text(encoding="utf-8"))
        for group in ("programmes", "cases", "participations"):
            for each in file.get(group, ()):
                yield from each["facts"]
        yield from file.get("city_facts", ())


def _fact(command: str, valid: Fact, data: Fact) -> Fact:
    known = {name: value for name, value in valid.items() if name != "edtf"}
    return {"command": command, "valid": valid["edtf"], **known, "data": data}
