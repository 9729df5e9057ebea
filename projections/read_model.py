"""The declaration of a read model: one table, its columns, and the pure function from a folded stream to its rows.

Every row is versioned by the position and the time from which and until which it was known, so that an answer can be
given as of any earlier moment. A text column is declared once and becomes two: the digest that the log holds, which is
part of the row's structure, and the text itself, which is always as of now and NULL once withdrawn or erased.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from domain.history import EventCorrected, EventRetracted

if TYPE_CHECKING:
    from domain.event import Event
    from domain.history import History, Recorded

OPEN_POSITION = 9_223_372_036_854_775_807
OPEN_TIME = datetime(9999, 12, 30, tzinfo=UTC)
VERSION_COLUMNS = {
    "known_from": "bigint",
    "known_until": "bigint",
    "recorded_from": "timestamptz",
    "recorded_until": "timestamptz",
}
"""The columns of every table that say when a version was known, with their types."""

Key = tuple[Any, ...]
Parts = Mapping[Key, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: name, SQL type and description.

    `text`: the value is a digest, or for `text[]` a list of digests, and gets a column of texts beside it.
    `required`: it is never NULL, and readers may count on it.
    """

    name: str
    type: str
    description: str
    text: bool = False
    required: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The table columns it becomes."""
        return (f"{self.name}_digest", self.name) if self.text else (self.name,)

    @property
    def is_json(self) -> bool:
        """Whether its values are JSON. `json` keeps it as it was written; `jsonb` can be compared and indexed."""
        return self.type in {"json", "jsonb"}


@dataclass(frozen=True)
class ReadModel:
    """One read model. `parts` splits a stream into keyed immutable parts; `row` turns a part into the declared columns.

    A part that is the same object as before has the same row, so that an event versions only what it changes. While
    `source`, from which the parts are made, is the same object, nobody looks at them, nor when an ordinary event
    happens that is none of those named in `changed_by`; where it only ever adds a part, `appended` names that part.
    """

    name: str
    description: str
    key: tuple[Column, ...]
    columns: tuple[Column, ...]
    state: type
    parts: Callable[[History], Parts]
    row: Callable[[Key, Any, History], tuple[Any, ...]]
    indexes: tuple[str, ...] = ()
    derive: Callable[[dict[str, Any], Mapping[str, str]], tuple[Any, ...]] | None = None
    derived: tuple[Column, ...] = ()
    source: Callable[[History], Any] | None = None
    appended: Callable[[History], tuple[Key, Any]] | None = None
    changed_by: tuple[type[Event], ...] | None = None

    @cached_property
    def table_columns(self) -> tuple[str, ...]:
        """Every column of the table: whose and since when, what the state says, and what can be read of it now."""
        own = (column.names[0] for column in self.columns)
        return ("tenant_id", *(column.name for column in self.key), *VERSION_COLUMNS, *own, *self.reading_columns)

    @cached_property
    def table_types(self) -> tuple[str, ...]:
        """The types of `table_columns`."""
        columns = (*self.columns, *self.read_now)
        return ("uuid", *(column.type for column in self.key), *VERSION_COLUMNS.values(), *(c.type for c in columns))

    @cached_property
    def read_columns(self) -> tuple[str, ...]:
        """What `reading` needs of a stored row: its key, `known_from`, and the declared columns without their texts."""
        own = (f"{column.names[0]}::text" if column.is_json else column.names[0] for column in self.columns)
        return (*(column.name for column in self.key), "known_from", *own)

    @cached_property
    def reading_columns(self) -> tuple[str, ...]:
        """The columns that hold texts or are derived from them, which are as of now in every version."""
        return tuple(column.name for column in self.read_now)

    @cached_property
    def read_now(self) -> tuple[Column, ...]:
        """The declarations of `reading_columns`."""
        return (*(column for column in self.columns if column.text), *self.derived)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @cached_property
    def _texts(self) -> tuple[int, ...]:
        return tuple(place for place, column in enumerate(self.columns) if column.text)

    def reading(self, values: tuple[Any, ...], texts: Mapping[str, str]) -> tuple[Any, ...]:
        """The values of `reading_columns` for those of the declared columns, with the texts that can be read now."""
        found = tuple([None if (value := values[at]) is None else _read(value, texts) for at in self._texts])
        if self.derive is None:
            return found
        return found + self.derive(dict(zip(self._names, values, strict=True)), texts)

    def ddl(self, schema: str) -> str:
        """CREATE TABLE for the schema; no index yet, so that a rebuild can fill it first."""
        lines = ["tenant_id uuid NOT NULL"]
        lines += [f"{column.name} {column.type} NOT NULL" for column in self.key]
        lines += [f"{name} {kind} NOT NULL" for name, kind in VERSION_COLUMNS.items()]
        for column in (*self.columns, *self.derived):
            null = " NOT NULL" if column.required else ""
            lines += [f"{name} {column.type}{null}" for name in column.names]
        return f"CREATE TABLE {schema}.{self.name} ({', '.join(lines)})"

    def index_ddl(self, schema: str) -> Iterator[str]:
        """Primary key and indexes, to be made once the table is filled."""
        keys = ", ".join(column.name for column in self.key)
        table = f"{schema}.{self.name}"
        yield f"ALTER TABLE {table} ADD PRIMARY KEY (tenant_id, {keys}, known_from)"
        yield (
            f"CREATE UNIQUE INDEX {self.name}_current ON {table} (tenant_id, {keys})"
            f" WHERE known_until = {OPEN_POSITION}"
        )
        for number, definition in enumerate(self.indexes, start=1):
            yield f"CREATE INDEX {self.name}_{number} ON {table} {definition}"
        yield f"COMMENT ON TABLE {table} IS {_quote(self.description)}"
        for column in (*self.key, *self.columns, *self.derived):
            yield f"COMMENT ON COLUMN {table}.{column.name} IS {_quote(column.description)}"


@dataclass(slots=True, eq=False)
class Row:
    """One version of one row, still without its texts."""

    model: ReadModel
    tenant: UUID
    key: Key
    values: tuple[Any, ...]
    stream: UUID
    known_from: int
    recorded_from: datetime
    known_until: int = OPEN_POSITION
    recorded_until: datetime = OPEN_TIME

    def table_values(self, texts: Mapping[str, str]) -> tuple[Any, ...]:
        """The values of `model.table_columns`, with the texts that can be read now."""
        return (
            self.tenant,
            *self.key,
            self.known_from,
            self.known_until,
            self.recorded_from,
            self.recorded_until,
            *self.values,
            *self.model.reading(self.values, texts),
        )


def by_model(rows: Iterable[Row]) -> dict[str, tuple[ReadModel, list[Row]]]:
    """The rows of each read model that has any, by its name."""
    grouped: dict[str, tuple[ReadModel, list[Row]]] = {}
    for row in rows:
        grouped.setdefault(row.model.name, (row.model, []))[1].append(row)
    return grouped


def _read(value: Any, texts: Mapping[str, str]) -> Any:
    """The text of a digest, or the texts of a list of them; None for each that cannot be read now."""
    return [texts.get(digest) for digest in value] if isinstance(value, list) else texts.get(value)


@dataclass
class Versions:
    """The versions that a run of events makes of a city's rows, in the order in which they became known."""

    tenant: UUID
    models: tuple[ReadModel, ...]
    rows: list[Row] = field(default_factory=list)
    closed: list[Row] = field(default_factory=list)
    _current: dict[tuple[str, Key], Row] = field(default_factory=dict)
    _concerned: dict[tuple[type, type | None], tuple[ReadModel, ...]] = field(default_factory=dict)

    def follow(self, before: History | None, after: History, new: Recorded) -> None:
        """Note what one event changes. `closed` collects rows of before this run, which stand in the tables already."""
        refolded = isinstance(new.event, EventCorrected | EventRetracted) or new.event.placed_after is not None
        for model in self._models_of(type(after.state), None if refolded else type(new.event)):
            if model.appended is not None and not refolded:
                key, part = model.appended(after)
                self._open(model, key, model.row(key, part, after), new)
                continue
            if before is not None and model.source is not None and model.source(before) is model.source(after):
                continue
            old = model.parts(before) if before is not None else {}
            now = model.parts(after)
            for key, part in now.items():
                if refolded or old.get(key) is not part:
                    values = model.row(key, part, after)
                    if before is None or key not in old:
                        self._open(model, key, values, new)
                    elif self._standing(model, key, old[key], before).values != values:
                        self._close(model, key, old[key], before, new)
                        self._open(model, key, values, new)
            if before is not None:
                for key in old.keys() - now.keys():
                    self._close(model, key, old[key], before, new)

    def _models_of(self, state: type, event: type | None) -> tuple[ReadModel, ...]:
        """The models of a kind of stream, all of them or those that such an event may change."""
        if (state, event) not in self._concerned:
            self._concerned[state, event] = tuple(
                model
                for model in self.models
                if issubclass(state, model.state)
                and (event is None or model.changed_by is None or issubclass(event, model.changed_by))
            )
        return self._concerned[state, event]

    def cut(self, position: int) -> None:
        """Forget what became known after the position."""
        self.rows = [row for row in self.rows if row.known_from <= position]
        for row in self.rows:
            if row.known_until > position:
                row.known_until, row.recorded_until = OPEN_POSITION, OPEN_TIME

    def _standing(self, model: ReadModel, key: Key, part: Any, before: History) -> Row:
        known = self._current.get((model.name, key))
        if known is not None:
            return known
        return Row(model, self.tenant, key, model.row(key, part, before), _stream(before), 0, OPEN_TIME)

    def _open(self, model: ReadModel, key: Key, values: tuple[Any, ...], new: Recorded) -> None:
        row = Row(model, self.tenant, key, values, new.stream, new.position, new.recorded_at)
        self._current[model.name, key] = row
        self.rows.append(row)

    def _close(self, model: ReadModel, key: Key, part: Any, before: History, new: Recorded) -> None:
        known = self._standing(model, key, part, before)
        known.known_until, known.recorded_until = new.position, new.recorded_at
        if known.known_from == 0:
            self.closed.append(known)
        self._current.pop((model.name, key), None)


def _stream(history: History) -> UUID:
    return history.recorded[0].stream


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
