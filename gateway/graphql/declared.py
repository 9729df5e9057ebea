"""What a field of the schema stands for in the read models, declared beside the field.

The compiler makes one statement of a whole document from these declarations, and the resolvers ask for one link at a
time by the same ones, so that both give the same answer. In the SQL, `{t}` is the row of the object itself, and in the
condition of a link `{p}` is the row that it leads from; `{known:x}` is whether the version of the row `x` was the known
one at the time asked for, and `{held:x}` whether what it tells had happened by the day asked for: by its columns
`earliest` and `latest`, or with `{held:x.submitted}` by `submitted_earliest` and `submitted_latest`. Without a name the
row is that of the object itself: `{held:.}`, `{held:.submitted}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, TypeVar, get_args

import strawberry
from strawberry.extensions import FieldExtension

from projections.catalogue import SCHEMA
from projections.read_model import ReadModel

DECLARED = "declared"
"""The key of the declaration in the metadata of a field, and of its table in those of a type."""


@dataclass(frozen=True)
class Table:
    """Where the objects of a type come from.

    `version` is the alias of the read-model row that is to be as it was known at the time asked for; the condition goes
    where `{known}` stands in the source, or else with the others. `key`: the columns that name an object, with types.
    `city` is the alias of a row that is there at any time, but not in an answer as of positions that leave it out.
    `on_day` is what has to hold of it for an answer that tells what held on a day.
    """

    source: str
    key: Mapping[str, str] = field(default_factory=dict)
    version: str | None = "{t}"
    city: str | None = None
    on_day: str | None = None


@dataclass(frozen=True)
class Scalar:
    """A value: an SQL expression; or with `labels` what stands for it, or with `words` what `words` makes of it.

    `on_day` is the expression for an answer that tells what held on a day.
    """

    sql: str
    labels: Mapping[str, str] | None = None
    words: str | None = None
    on_day: str | None = None


@dataclass(frozen=True)
class Inline:
    """An object made of columns of the row it stands in: `columns` says what the names in its fields' SQL stand for.

    It is null unless `present`, and in an answer that tells what held on a day unless `on_day`.
    """

    columns: Mapping[str, str]
    present: str | None = None
    on_day: str | None = None


@dataclass(frozen=True)
class Where:
    """What an argument that is given narrows: `values` makes of it the parameters that the SQL names.

    `on_day` is the SQL for an answer that tells what held on a day.
    """

    sql: str
    values: Callable[[Any], Mapping[str, Any]]
    on_day: str | None = None


@dataclass(frozen=True)
class Link:
    """Objects of another type: one, a list, or the pages of a connection, as the type of the field says.

    `order` of a connection is total, ascending and free of NULLs; its values are the cursor. `typical` is how many are
    expected of a list when the cost of a document is estimated.
    """

    on: str = "true"
    order: tuple[str, ...] = ()
    where: Mapping[str, Where] = field(default_factory=dict)
    table: Table | None = None
    typical: int = 1

    @property
    def within_city(self) -> bool:
        """Whether all that it leads to is of the city that it leads from, and not of other cities too."""
        return _SAME_CITY in self.on or (self.table is not None and self.table.version is None)


_SAME_CITY = "{t}.tenant_id = {p}.tenant_id"

Declaration = Scalar | Inline | Link

MADE = "made"
"""The key of Made in the metadata of a field."""


@dataclass(frozen=True)
class Made:
    """Objects that a resolver makes: how many are typical of a list, and how many could be read instead of making them.

    Only the estimate of a document's cost asks for this.
    """

    typical: int = 1
    cost: int = 0


_Type = TypeVar("_Type", bound=type)


def _no_arguments() -> Any:
    """The arguments of a field that has none."""


def value(
    sql: str,
    description: str,
    *,
    labels: Mapping[str, str] | None = None,
    words: str | None = None,
    on_day: str | None = None,
) -> Any:
    """A field that is a value."""
    return strawberry.field(description=description, metadata={DECLARED: Scalar(sql, labels, words, on_day)})


def inline(description: str, *, present: str | None = None, on_day: str | None = None, **columns: str) -> Any:
    """A field that is an object made of the same row."""
    return strawberry.field(description=description, metadata={DECLARED: Inline(columns, present, on_day)})


def link(declared: Link, description: str, arguments: Callable[..., Any] = _no_arguments) -> Any:
    """A field that leads to other objects, with the arguments of that signature."""
    return strawberry.field(arguments, description=description, metadata={DECLARED: declared}, extensions=[Linked()])


def reads(
    model: ReadModel,
    table: Table | None = None,
    description: str | None = None,
    *,
    day: str | None = None,
    later: Mapping[str, str] | None = None,
) -> Callable[[_Type], _Type]:
    """Makes a class a GraphQL type over a read model: what is only annotated is the column of that name.

    `day` is what `{held:...}` needs to tell from when a row holds. `later` names the fields, separated by spaces, that
    hold only from another day on: before it they are null, or empty lists.
    """

    def decorate(made: _Type) -> _Type:
        columns = {column.name: column for column in (*model.key, *model.columns, *model.derived)}
        since = {name: held for held, names in (later or {}).items() for name in names.split()}
        for name, kind in made.__annotations__.items():
            if name not in made.__dict__:
                if NoneType not in get_args(kind) and not columns[name].required and columns[name] not in model.key:
                    raise TypeError(f"{made.__name__}.{name} promises more than {model.name}.{name}, which may be NULL")
                sql, held = f"{{t}}.{name}", since.get(name)
                none = "'{{}}'" if columns[name].type.endswith("[]") else "NULL"
                on_day = f"CASE WHEN {{held:{held}}} THEN {sql} ELSE {none} END" if held else None
                setattr(made, name, value(sql, columns[name].description, on_day=on_day))
        on_day = f"{{held:{day}}}" if day else None
        made.TEXTS = frozenset(column.name for column in model.read_now)  # type: ignore[attr-defined]
        made.TABLE = table or Table(  # type: ignore[attr-defined]
            f"{SCHEMA}.{model.name} {{t}}", _key(model), on_day=on_day
        )
        return strawberry.type(made, description=description or model.description)

    return decorate


def _key(model: ReadModel) -> dict[str, str]:
    return {"tenant_id": "uuid"} | {column.name: column.type for column in model.key}


def about(model: ReadModel) -> dict[str, str]:
    """The descriptions of a read model's columns, by name."""
    return {column.name: column.description for column in (*model.key, *model.columns, *model.derived)}


def equal(sql: str, convert: Callable[[Any], Any] = lambda given: given) -> Where:
    """The argument as one parameter, `{value}`."""
    return Where(sql, lambda given: {"value": convert(given)})


class Linked(FieldExtension):
    """Where the resolvers answer, a linked field is asked for together with those of the objects found with it."""

    def resolve(self, next_: Any, source: Any, info: strawberry.Info[Any, None], **arguments: Any) -> Any:
        """Never calls the method, which only declares the arguments."""
        return info.context.linked(source, info, arguments)
