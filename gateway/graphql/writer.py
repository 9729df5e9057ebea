"""SQL that answers in JSON: one expression for each field that was selected, made of the fields' declarations.

Aliases end in `$`, which no name in a document can hold, so that nobody's alias is taken for one of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from gateway.graphql import words
from gateway.graphql.cursors import Bounds
from gateway.graphql.declared import Inline, Link, Scalar, Table

if TYPE_CHECKING:
    from gateway.graphql.times import Asked

_EMPTY: Mapping[str, str] = {}
_OF_THE_PAGE = {"startCursor", "endCursor"}


@dataclass(frozen=True)
class Selected:
    """A field that was selected: the key of its answer, its declaration, and what was selected below it.

    `kind` is the name of the type of its object or objects, `table` where those come from, `shape` whether it is a
    value, one object, a list or a connection; `name` is the field's own name.
    """

    key: str
    name: str
    declared: Scalar | Inline | Link | None = None
    kind: str = ""
    table: Table | None = None
    shape: str = "value"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    below: Sequence[Selected] = ()
    read_again: Callable[[Any], Mapping[str, Any]] | None = None


def parameters(selected: Selected, number: int, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a link, the numbered one of its statement; raises GraphQLError where one has to be refused."""
    link = selected.declared
    if not isinstance(link, Link):
        return {}
    values = {
        f"{name}{number}_{each}": value
        for name, where in link.where.items()
        if arguments.get(name) is not None
        for each, value in where.values(arguments[name]).items()
    }
    if selected.shape == "page":
        bounds = Bounds.of(arguments).values(link.order)
        values |= {f"page{number}_{name}": value for name, value in bounds.items()}
    return values


@dataclass(frozen=True)
class Known:
    """What `{known}` stands for in SQL, or `{known:x}` for another alias: that this version was the known one then."""

    asked: Asked
    alias: str | None

    def __format__(self, alias: str) -> str:
        wanted = alias or self.alias
        return self.asked.condition(wanted) if wanted else "true"


@dataclass(frozen=True)
class Held:
    """What `{held:x}` stands for in SQL: whether what the row tells had happened by the day asked for."""

    asked: Asked
    alias: str

    def __format__(self, where: str) -> str:
        alias, _, prefix = where.partition(".")
        alias = alias or self.alias
        prefix = f"{prefix}_" if prefix else ""
        return self.asked.held(f"{alias}.{prefix}earliest", f"{alias}.{prefix}latest")


class Writer:
    """Writes the expressions of one statement and collects their parameters."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.wordy = False
        self.links: list[tuple[int, Selected]] = []
        self._labels: dict[int, str] = {}

    def row(self, selected: Sequence[Selected], t: str, asked: Asked, names: Mapping[str, str] = _EMPTY) -> str:
        """The select list of an object whose row has this alias."""
        return ", ".join(f'{self.expression(each, t, asked, names)} AS "{each.key}"' for each in selected)

    def expression(self, selected: Selected, t: str, asked: Asked, names: Mapping[str, str] = _EMPTY) -> str:
        """The expression of one field of the object whose row has this alias."""
        declared = selected.declared
        if declared is None:
            return f"'{selected.kind}'::text"
        if isinstance(declared, Scalar):
            return self._scalar(declared, t, asked, names)
        if isinstance(declared, Inline):
            columns = {name: sql.format(t=t, **names) for name, sql in declared.columns.items()}
            made = f"(SELECT row_to_json(o$) FROM (SELECT {self.row(selected.below, t, asked, columns)}) o$)"
            conditions = [declared.present, declared.on_day if asked.day else None]
            present = " AND ".join(each.format(t=t, held=Held(asked, t), **names) for each in conditions if each)
            return f"CASE WHEN {present} THEN {made} END" if present else made
        return self._link(selected, declared, t, asked)

    def _scalar(self, declared: Scalar, t: str, asked: Asked, names: Mapping[str, str]) -> str:
        given = declared.on_day if asked.day and declared.on_day else declared.sql
        sql = given.format(t=t, known=Known(asked, t), held=Held(asked, t), **names)
        if declared.words is not None:
            self.wordy = True
            return f"'{words.mark(declared.words)}' || {sql}"
        if declared.labels is None:
            return sql
        name = self._labels.setdefault(id(declared.labels), f"labels{len(self._labels)}")
        self.values[name] = orjson.dumps(declared.labels).decode()
        return f"(%({name})s::jsonb ->> {sql})"

    def _link(self, selected: Selected, link: Link, p: str, asked: Asked) -> str:
        number = len(self.links)
        self.links.append((number, selected))
        self.values |= parameters(selected, number, selected.arguments)
        t = f"t{number}$"
        table = link.table or selected.table
        if table is None:
            raise AssertionError(f"{selected.name} leads to {selected.kind}, which has no table")
        known = Known(asked, table.version.format(t=t) if table.version else None)
        held = Held(asked, t)
        conditions = [link.on.format(t=t, p=p, known=known)]
        if asked.day and table.on_day:
            conditions.append(table.on_day.format(t=t, p=p, known=known, held=held))
        if "{known" not in table.source:
            conditions.append(f"{known}")
        if table.city:
            conditions.append(asked.names(table.city.format(t=t)))
        for name, where in link.where.items():
            if selected.arguments.get(name) is not None:
                values = where.values(selected.arguments[name])
                named = {each: f"%({name}{number}_{each})s" for each in values}
                narrowed = where.on_day if asked.day and where.on_day else where.sql
                conditions.append(narrowed.format(t=t, known=known, held=held, **named))
        origin = f"{table.source.format(t=t, p=p, known=known)} WHERE {' AND '.join(conditions)}"
        order = [each.format(t=t) for each in link.order]
        if selected.shape == "page":
            return self._page(selected, origin, order, t, asked)
        ordered = f" ORDER BY {', '.join(order)}" if order else ""
        columns = self.row(selected.below, t, asked)
        if selected.shape == "one":
            return f"(SELECT row_to_json(o$) FROM (SELECT {columns} FROM {origin} LIMIT 1) o$)"
        return f"(SELECT coalesce(json_agg(o$), '[]') FROM (SELECT {columns} FROM {origin}{ordered}) o$)"

    def _page(self, selected: Selected, origin: str, order: Sequence[str], t: str, asked: Asked) -> str:
        """A page of a connection; what lies beyond it is looked for only where `pageInfo` asks for it."""
        bounds, number = Bounds.of(selected.arguments), t[1:-1]
        within = bounds.conditions(order, f"page{number}_")
        way = " DESC" if bounds.backwards else ""
        limit = f"%(page{number}_limit)s"
        page = f"{origin}{''.join(f' AND {each}' for each in within)}"
        cursor = f"{_cursor(order)} AS cursor$, {', '.join(f'{each} AS s{at}$' for at, each in enumerate(order))}"
        inner: list[str] = []
        outer: list[str] = []
        again = ", ".join(f"x$.s{at}$" for at in range(len(order)))
        for each in selected.below:
            if each.name in {"edges", "nodes"}:
                row = self.row(each.below, t, asked) if each.name == "nodes" else self._edge(each, order, t, asked)
                inner.append(f"(SELECT row_to_json(o$) FROM (SELECT {row}) o$) AS e{len(inner)}$")
                outer.append(f"coalesce(json_agg(x$.e{len(inner) - 1}$ ORDER BY {again}), '[]') AS \"{each.key}\"")
            elif each.name == "totalCount":
                outer.append(f'(SELECT count(*) FROM {origin}) AS "{each.key}"')
            elif each.name == "pageInfo":
                outer.append(f'{self._page_info(each, bounds, page, limit, again)} AS "{each.key}"')
            else:
                outer.append(f"'{selected.kind}'::text AS \"{each.key}\"")
        columns = ", ".join([cursor, *inner])
        order_by = ", ".join(f"{each}{way}" for each in order)
        rows = f" FROM (SELECT {columns} FROM {page} ORDER BY {order_by} LIMIT {limit}) x$"
        # Where nothing is gathered of the rows, one row of the outer list would come for each of them.
        wanted = inner or any(each.name in _OF_THE_PAGE for info in selected.below for each in info.below)
        return f"(SELECT row_to_json(o$) FROM (SELECT {', '.join(outer)}{rows if wanted else ''}) o$)"

    def _edge(self, edges: Selected, order: Sequence[str], t: str, asked: Asked) -> str:
        columns = []
        for each in edges.below:
            if each.name == "cursor":
                sql = _cursor(order)
            elif each.name == "node":
                sql = f"(SELECT row_to_json(o$) FROM (SELECT {self.row(each.below, t, asked)}) o$)"
            else:
                sql = f"'{edges.kind}'::text"
            columns.append(f'{sql} AS "{each.key}"')
        return ", ".join(columns)

    @staticmethod
    def _page_info(info: Selected, bounds: Bounds, page: str, limit: str, again: str) -> str:
        more = f"(SELECT count(*) FROM (SELECT FROM {page} LIMIT {limit} + 1) m$) > {limit}"
        cursors = f"array_agg(x$.cursor$ ORDER BY {again})"
        found = {
            "hasNextPage": ("true" if bounds.before is not None else "false") if bounds.backwards else more,
            "hasPreviousPage": more if bounds.backwards else ("true" if bounds.after is not None else "false"),
            "startCursor": f"({cursors})[1]",
            "endCursor": f"({cursors})[count(x$.cursor$)::int]",
            "__typename": f"'{info.kind}'::text",
        }
        columns = ", ".join(f'{found[each.name]} AS "{each.key}"' for each in info.below)
        # What is aggregated belongs to the query around it, that of the page.
        return f"(SELECT row_to_json(i$) FROM (SELECT {columns}) i$)"


def _cursor(order: Sequence[str]) -> str:
    """An opaque cursor in SQL: the values of the order, as a JSON array in base64url."""
    array = f"json_build_array({', '.join(order)})::text"
    return f"translate(encode(convert_to({array}, 'UTF8'), 'base64'), E'+/=\\n', '-_')"
