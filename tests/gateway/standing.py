"""What stands in a database, by the names of the arguments that ask for it: taken from the service's own answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import orjson
from graphql import GraphQLObjectType, GraphQLSchema, get_named_type, is_required_argument

from gateway.graphql.engine import Engine

_QUERY = """{
  cities { edges { node { id slug programmes { slug }
    events(first: 30) { edges { node { position recordedAt } } } } } }
  partnerships(first: 100) { edges { node {
    id number city { slug } field leadArea titleJa titleEn place parties { nameJa } } } }
}"""


@dataclass(frozen=True)
class Standing:
    """Values by the name of an argument or input field, sets of values of arguments that belong together, and cursors.

    Cursors stand under the type and the name of their connection, as in `Query.partnerships`.
    """

    values: Mapping[str, Sequence[Any]]
    together: Mapping[tuple[str, ...], Sequence[Mapping[str, Any]]]
    cursors: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, engine: Engine, schema: GraphQLSchema) -> Standing:
        """What stands in the database that the engine answers from."""
        found = _answer(engine, _QUERY)
        cities = [edge["node"] for edge in found["cities"]["edges"]]
        all_of_them = [edge["node"] for edge in found["partnerships"]["edges"]]
        events = [(city["slug"], edge["node"]) for city in cities for edge in city["events"]["edges"]]
        slugs = [city["slug"] for city in cities]
        texts = [each[name] for each in all_of_them for name in ("titleJa", "titleEn", "place") if each[name]]
        texts += [party["nameJa"] for each in all_of_them for party in each["parties"] if party["nameJa"]]
        return cls(
            {
                "city": slugs,
                "cities": slugs,
                "slug": slugs,
                "number": sorted({each["number"] for each in all_of_them}),
                "position": sorted({event["position"] for _, event in events}),
                "programme": sorted({each["slug"] for city in cities for each in city["programmes"]}),
                "field": _distinct(all_of_them, "field"),
                "leadArea": _distinct(all_of_them, "leadArea"),
                "text": [each[at : at + 3] for each in texts for at in (0, 2)] + texts,
                "fiscalYear": list(range(2000, 2026)),
                "day": [f"{year}-{day}" for year in range(2002, 2020) for day in ("03-31", "04-01", "10-15")],
                "id": [each["id"] for each in (*cities, *all_of_them)],
                "moment": sorted(set(_moments(events))),
            },
            {
                ("city", "number"): [{"city": each["city"]["slug"], "number": each["number"]} for each in all_of_them],
                ("city", "position"): [{"city": slug, "position": event["position"]} for slug, event in events],
            },
            _cursors(engine, schema),
        )


def _distinct(among: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    return sorted({each[name] for each in among if each[name] is not None})


def _moments(events: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    """The very moments at which something became known, and the last microsecond before."""
    for _, event in events[:: max(1, len(events) // 100)]:
        moment = datetime.fromisoformat(event["recordedAt"])
        yield moment.isoformat()
        yield (moment - timedelta(microseconds=1)).isoformat()


def _cursors(engine: Engine, schema: GraphQLSchema) -> Mapping[str, Sequence[str]]:
    """Cursors of every connection at the root, and of every connection of the objects in those."""
    page = "(first: 30) { edges { cursor } }"
    found: dict[str, list[str]] = {}
    for name, each in _connections(schema.query_type):
        edges = _answer(engine, f"{{ {name}{page} }}")[name]["edges"]
        found[f"Query.{name}"] = [edge["cursor"] for edge in edges]
        node: Any = get_named_type(cast("Any", get_named_type(each.fields["edges"].type)).fields["node"].type)
        for below, _ in _connections(node):
            nodes = _answer(engine, f"{{ {name}(first: 30) {{ edges {{ node {{ {below}{page} }} }} }} }}")[name][
                "edges"
            ]
            cursors = {edge["cursor"] for each in nodes for edge in each["node"][below]["edges"]}
            found[f"{node.name}.{below}"] = sorted(cursors)
    return found


def _connections(kind: Any) -> Iterator[tuple[str, GraphQLObjectType]]:
    for name, field in kind.fields.items():
        below = get_named_type(field.type)
        if not isinstance(below, GraphQLObjectType) or any(map(is_required_argument, field.args.values())):
            continue
        if "edges" in below.fields and "first" in field.args:
            yield name, below


def _answer(engine: Engine, query: str) -> Any:
    answer = engine.answer(query, None, None)
    assert not answer.errors, answer.errors
    return orjson.loads(answer.data)
