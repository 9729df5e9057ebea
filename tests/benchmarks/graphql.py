"""GraphQL over HTTP, in answers per second, from the same rows of the same database.

- ours: the routes of the product on one process of its server.
- resolvers: the same, each answer by the ordinary resolvers instead of one statement.
- PostGraphile 5 on one process of Node, over views of the current rows, with the smart tags that give it relations.

Each is asked over eight connections that ask again once they are answered; the processes stand side by side, and one
rests while the other is asked. Before that, both answers are compared fact by fact. The list is 50 partnerships with
their cities and timelines; the single partnership is asked for with the same fields, another one each time.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from projections.read_model import OPEN_POSITION
from projections.rebuild import rebuild
from tenants.database import Urls, connect
from tenants.generation.entering import enter
from tests import node
from tests.benchmarks import serving
from tests.benchmarks.load import CONNECTIONS, rate, request
from tests.benchmarks.measure import Plan, Result, rounds, say, scratch_database

LIST = 50
_CITIES = 8
_MOST_PARTNERSHIPS = 800
_EVENTS_EACH = 15  # about, on average
_VIEWS = Path(__file__).parent / "postgraphile" / "views.sql"

_FIELDS = """
    number status origin field joint forms submissions rejections agreed ended titleJa titleEn place objective
    city { slug municipalCode nameJa nameEn population }
"""
_OURS = f"""{_FIELDS} timeline {{
    version place type position recordedAt mode source data valid {{ edtf earliest latest certainty label }} }}"""
_THEIRS = f"""{_FIELDS} timeline: timelineList(orderBy: PLACE_ASC) {{
    version place type position recordedAt mode source data valid earliest latest certainty label }}"""


@dataclass(frozen=True, slots=True)
class _Side:
    """The same two questions as one of the servers wants them, and where in its answers the partnerships stand."""

    many: str
    one: str

    def ask_many(self) -> dict[str, Any]:
        """The list."""
        return {"query": self.many, "variables": {"first": LIST}}

    def ask_one(self, slug: str, number: str) -> dict[str, Any]:
        """One partnership."""
        return {"query": self.one, "variables": {"slug": slug, "number": number}}


OURS = _Side(
    f"query ($first: Int) {{ found: partnerships(first: $first) {{ edges {{ node {{ {_OURS} }} }} }} }}",
    f"query ($slug: String!, $number: String!) {{ found: partnership(city: $slug, number: $number) {{ {_OURS} }} }}",
)
THEIRS = _Side(
    "query ($first: Int) { found: allPartnershipsList(first: $first,"
    f" orderBy: [BY_CODE_ASC, BY_SLUG_ASC, BY_NUMBER_ASC]) {{ {_THEIRS} }} }}",
    "query ($slug: String!, $number: String!) {"
    f" found: partnershipBySlugAndNumber(slug: $slug, number: $number) {{ {_THEIRS} }} }}",
)


def measure(url: str, plan: Plan) -> list[Result]:
    """The rows of the table that are about GraphQL. Raises NotInstalled where npm cannot install PostGraphile."""
    node.installed(serving.PACKAGES)
    with scratch_database(url) as owner_url, ExitStack() as stack:
        partnerships = _rows(owner_url, plan)
        reader_url = Urls.derive(owner_url).reader
        addresses = {
            "ours": stack.enter_context(serving.ours(reader_url)),
            "resolvers": stack.enter_context(serving.ours(reader_url, compiled=False)),
            "PostGraphile": stack.enter_context(serving.postgraphile(reader_url)),
        }
        sides = {"ours": OURS, "resolvers": OURS, "PostGraphile": THEIRS}
        _compare(addresses, sides, partnerships[::40])

        many = {name: [request(addresses[name], side.ask_many())] for name, side in sides.items()}
        one = {
            name: [request(addresses[name], side.ask_one(*each)) for each in partnerships]
            for name, side in sides.items()
        }

        def measured(asked: dict[str, list[bytes]]) -> dict[str, list[float]]:
            for name, requests in asked.items():
                rate(addresses[name], requests, plan.seconds)  # What is prepared once is prepared now.
            return rounds(
                plan.rounds, {name: partial(rate, addresses[name], asked[name], plan.seconds) for name in asked}
            )

        say(f"graphql: {LIST} partnerships with city and timeline")
        of_many = measured(many)
        say("graphql: one partnership")
        of_one = measured(one)
    note = f"{CONNECTIONS} connections, one process each, {len(partnerships)} partnerships in all"
    return [
        Result(
            "graphql_list_vs_postgraphile",
            f"{LIST} partnerships with city and timeline over HTTP, beside PostGraphile 5 on the same rows",
            "answers/s",
            1.5,
            of_many["ours"],
            of_many["PostGraphile"],
            note,
        ),
        Result(
            "graphql_one_vs_postgraphile",
            "one partnership with city and timeline over HTTP, beside PostGraphile 5 on the same rows",
            "answers/s",
            1.3,
            of_one["ours"],
            of_one["PostGraphile"],
            note,
        ),
        Result(
            "graphql_list_vs_resolvers",
            f"{LIST} partnerships with city and timeline in one statement, beside our own resolvers",
            "answers/s",
            10,
            of_many["ours"],
            of_many["resolvers"],
            note,
        ),
    ]


def _rows(owner_url: str, plan: Plan) -> list[tuple[str, str]]:
    """Fill the database with partnerships and the views over them; returns the slug and number of each."""
    with tempfile.TemporaryDirectory(prefix="kyodo-bench-keys-") as folder:
        keys_folder = Path(folder) / "keys"
        wanted = min(_MOST_PARTNERSHIPS, plan.events // _EVENTS_EACH)
        say(f"graphql: {wanted} invented partnerships")
        enter(Urls.derive(owner_url), keys_folder, cities=_CITIES, partnerships=wanted, seed=1, processes=2)
        rebuild(owner_url, keys_folder, processes=2)
    views = _VIEWS.read_text(encoding="utf-8")
    with closing(connect(owner_url)) as connection:
        reader = f"{connection.info.dbname}_reader"
        connection.execute(views.format(open=OPEN_POSITION, reader=reader).encode())
        connection.execute("ANALYZE")
        found = connection.execute("SELECT slug, number FROM beside.partnership ORDER BY 1, 2").fetchall()
    return [(slug, number) for slug, number in found]


def _compare(addresses: dict[str, str], sides: dict[str, _Side], some: list[tuple[str, str]]) -> None:
    """Refuses to measure where the two answers differ in any fact."""
    with httpx.Client(timeout=30) as client:

        def facts(name: str, body: dict[str, Any]) -> list[Any]:
            answer = client.post(addresses[name], json=body).json()
            if "errors" in answer:
                raise AssertionError(f"{name} refuses: {answer['errors']}")
            found = answer["data"]["found"]
            many = [edge["node"] for edge in found["edges"]] if "edges" in found else found
            return [_facts(each) for each in (many if isinstance(many, list) else [many])]

        asked = {name: [side.ask_many(), *(side.ask_one(*each) for each in some)] for name, side in sides.items()}
        for number, mine in enumerate(asked["ours"]):
            expected = facts("ours", mine)
            for name in ("resolvers", "PostGraphile"):
                if facts(name, asked[name][number]) != expected:
                    raise AssertionError(f"{name} answers {mine} differently")


def _facts(partnership: dict[str, Any]) -> dict[str, Any]:
    """One form for both: moments as such, great numbers as numbers, what belongs to a date as an object of its own."""
    city = partnership["city"]
    city["population"] = city["population"] and int(city["population"])
    for event in partnership["timeline"]:
        event["position"] = int(event["position"])
        event["recordedAt"] = datetime.fromisoformat(event["recordedAt"])
        if isinstance(event["valid"], str):
            date = {name: event.pop(name) for name in ("earliest", "latest", "certainty", "label")}
            event["valid"] = date | {"edtf": event["valid"]}
    return partnership
