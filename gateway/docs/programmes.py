"""The page of the files of a city: every key of `city.toml` and `programmes/*.toml`."""

from __future__ import annotations

from inspect import isclass
from typing import TYPE_CHECKING, get_args, get_origin

from domain.rules import Rules
from domain.values import Frozen
from gateway.docs.fields import Types, default, flat, table, unwrapped
from tenants.programmes import CityFile, ProgrammeFile, SourceFile, VersionFile

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEAD = ("key", "type", "default", "meaning")

# What the files of a city hold beside the rules; the rules describe themselves.
_FILE_KEYS = {
    "slug": "The city's name in addresses and commands; it is not changed later.",
    "municipal_code": "全国地方公共団体コード, with its check digit.",
    "name_ja": "The city's name in Japanese.",
    "name_en": "The city's name in English.",
    "sources": "The publications from which facts are taken.",
    "source": "In `sources`: the name by which facts refer to it. Elsewhere: the source that states it.",
    "date": "The publication's date, or the bounds of it, as EDTF.",
    "publisher": "Who published it.",
    "language": "`ja` or `en`.",
    "about": "What it is.",
    "copyright": "Whose work it is.",
    "contact": "Whom to ask.",
    "takes_from": "What it repeats: `name`, `date`, `amended`.",
    "valid": "When it happened or begins to hold, as EDTF (ISO 8601-2), exactly as certain as its source.",
    "certainty": "`STATED`, `NOT_STATED` or `INFERRED`.",
    "label": "The date in the source's own words.",
    "inferred_from": "What was inferred from what.",
    "programme": "The name by which cases and other programmes refer to it.",
    "title_ja": "Its title in Japanese.",
    "title_en": "Its title in English.",
    "versions": "Its versions, at least one.",
    "version": "The number of the version: 1, 2, 3 …",
    "reason_codes": "Why it was revised, as codes.",
    "reason": "Why it was revised, in words.",
    "rules": "The whole rule set of the version.",
}


_INTRODUCTION = """\
Programmes (制度) are data: `city.toml` says who the city is, and each file in `programmes/` holds one programme with
its versions. What a city does not state is left out, and binds nobody. `kyodo tenant add FOLDER` reads them strictly:
an unknown key is refused by its name. The [worked example](worked-example/README.md) uses every key.
"""


def programme_format_page() -> str:
    """Every table and key, with type, default and meaning."""
    types = Types()
    sections: list[str] = []
    _rules(Rules, "versions.rules", types, sections)
    return "\n".join(
        [
            "# The files of a city 自治体のファイル\n",
            _INTRODUCTION,
            "## `city.toml`\n",
            _keys(CityFile, types, {"sources": "list of tables, see below"}),
            "### `[[sources]]`\n",
            _keys(SourceFile, types, {"takes_from": "table"}),
            "## `programmes/*.toml`\n",
            _keys(ProgrammeFile, types, {"versions": "list of tables, see below"}),
            "### `[[versions]]`\n",
            _keys(VersionFile, types, {"rules": "table, see below"}),
            *sections,
            "## Codes\n",
            *(text.replace("## ", "### ", 1) for text in types.vocabularies()),
        ]
    )


def _keys(model: type[Frozen], types: Types, tables: Mapping[str, str]) -> str:
    rows = (
        (
            f"`{name}`",
            tables.get(name) or types.name(field.annotation, field.metadata),
            default(field),
            _FILE_KEYS[name],
        )
        for name, field in model.model_fields.items()
    )
    return table(_HEAD, rows)


def _rules(model: type[Frozen], path: str, types: Types, sections: list[str], *, listed: bool = False) -> None:
    """A section for the table at `path`, and one for each table within it."""
    rows, inner = [], []
    for name, field in model.model_fields.items():
        bare, bound = unwrapped(field.annotation, field.metadata)
        is_list = get_origin(bare) is tuple
        member, _ = unwrapped(get_args(bare)[0], ()) if is_list else (bare, ())
        if isclass(member) and issubclass(member, Frozen):
            inner.append((member, f"{path}.{name}", is_list))
            kind = f"{'list of tables' if is_list else 'table'}, see below"
        elif get_origin(bare) is dict:
            step, _ = get_args(bare)
            kind = f"table: {types.name(step)} = list of {types.name(step)}"
        else:
            kind = types.name(bare, bound)
        rows.append((f"`{name}`", kind, default(field), field.description))
    heading = f"[[{path}]]" if listed else f"[{path}]"
    keys = table(_HEAD, rows)
    sections.append(f"## `{heading}`\n\n{flat(model.__doc__)}\n\n{keys}")
    for member, place, is_list in inner:
        _rules(member, place, types, sections, listed=is_list)
