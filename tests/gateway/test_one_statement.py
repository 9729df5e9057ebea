"""One request, one statement: counted from what the server itself says that it executed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from psycopg.conninfo import conninfo_to_dict

from gateway.app import create_app
from gateway.graphql.engine import Engine, NotExecuted
from gateway.graphql.schema import SCHEMA
from tenants.database import Database
from tests.gateway.documents import Asked, documents
from tests.gateway.standing import Standing

_SCHEMA = SCHEMA._schema


@dataclass(frozen=True)
class Heard:
    """A database whose server tells its only reader of every statement that it executes, and what it told so far."""

    database: Database
    statements: list[str]

    def by(self, asking: Callable[[], Any]) -> list[str]:
        """What was executed for that."""
        self.statements.clear()
        asking()
        return list(self.statements)


@pytest.fixture
def heard(five_cities, server) -> Iterator[Heard]:
    """The five cities behind a login to which the server sends its log of statements."""
    login = str(conninfo_to_dict(five_cities.urls.reader)["user"])
    name = str(conninfo_to_dict(five_cities.urls.reader)["dbname"])
    server.execute("ALTER ROLE {} IN DATABASE {} SET log_statement = 'all'", login, name)
    server.execute("ALTER ROLE {} IN DATABASE {} SET client_min_messages = 'log'", login, name)
    try:
        with closing(Database(five_cities.urls, pool_size=1)) as opened:
            statements: list[str] = []
            with opened.reader() as only:
                only.add_notice_handler(lambda said: statements.append(said.message_primary or ""))
            yield Heard(opened, statements)
    finally:
        server.execute("ALTER ROLE {} IN DATABASE {} RESET ALL", login, name)


@pytest.fixture
def reader(heard: Heard, serve) -> httpx.Client:
    """Somebody who asks that database over HTTP."""
    client: httpx.Client = serve(create_app(heard.database, pending_migrations=list, rate=None))
    return client


EVERYTHING = """{
  cities { totalCount pageInfo { hasNextPage endCursor } edges { cursor node {
    id slug population sources { source } programmes { slug calls { code } coverage { period } versions { type } }
    partnerships(first: 2) { totalCount pageInfo { hasPreviousPage startCursor } edges { node { number } } }
    organisations(first: 2) { edges { node { id partnerships { number } } } } } } }
  one: partnership(city: "yamato", number: "Y3") { number city { nameJa } anomalies { messageJa }
    timeline { type labelJa valid { displayJa } breaks { rule } } money { yen } agreements { parties { nameJa } } }
  past: partnerships(first: 3, asOf: {moment: "2030-01-01T00:00:00Z"}) { edges { node { number version } } }
  pinned: partnerships(asOf: {positions: [{city: "okayama", position: 9}]}, text: "協働") { totalCount }
  event(city: "yamato", position: 9) { type data }
}"""


def test_a_document_sent_by_post_is_one_statement(heard, reader) -> None:
    for asked in ({"query": EVERYTHING}, {"query": EVERYTHING}):
        found = heard.by(lambda asked=asked: reader.post("/graphql", json=asked).raise_for_status())
        assert len(found) == 1, found
        assert ": SELECT" in found[0]


def test_by_get_one_more_tells_whether_the_answer_is_still_the_same(heard, reader) -> None:
    asked = {"query": EVERYTHING}
    found = heard.by(lambda: reader.get("/graphql", params=asked).raise_for_status())
    assert len(found) == 2, found
    assert "tracking" in found[0]
    tag = {"if-none-match": reader.get("/graphql", params=asked).headers["etag"]}
    assert len(heard.by(lambda: reader.get("/graphql", params=asked, headers=tag))) == 1


def test_what_is_refused_and_introspection_ask_the_database_nothing(heard, reader) -> None:
    for query in (
        "{",
        "{ nothing }",
        "{ __schema { types { name } } }",
        "{ cities { edges { node { slug slug: id } } } }",
    ):
        assert heard.by(lambda query=query: reader.post("/graphql", json={"query": query})) == []


def test_the_resolvers_ask_more_than_once_so_that_the_count_is_one(heard) -> None:
    resolved = Engine(_SCHEMA, heard.database, compiled=False)
    found = heard.by(lambda: resolved.answer(EVERYTHING, None, None))
    assert found[0].endswith("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    assert len(found) > 20


def test_whatever_is_compiled_is_one_statement(heard) -> None:
    engine, counts = Engine(_SCHEMA, heard.database), []
    standing = Standing.of(engine, _SCHEMA)

    @settings(
        max_examples=60,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(documents(_SCHEMA, standing))
    def asked(asked: Asked) -> None:
        heard.statements.clear()
        try:
            engine.answer(asked.query, asked.variables[0], asked.operation)
        except NotExecuted:
            assert not heard.statements
        else:
            told = list(heard.statements)
            assert len(told) == 1 or not told or told[0].endswith("READ ONLY"), told
            counts.append(len(told))

    asked()
    assert counts.count(1) > len(counts) * 0.7


def test_the_reader_s_login_is_bounded_whoever_writes_the_statement(five_cities) -> None:
    with five_cities.reader() as connection:
        (settings_of_the_role,) = connection.execute(
            "SELECT rolconfig FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert {"statement_timeout=5s", "default_transaction_read_only=on"} <= set(settings_of_the_role)
