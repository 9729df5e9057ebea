"""As of any earlier moment, every public query answers as on a fresh installation replayed up to that moment."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

import orjson
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from domain.errors import DomainError
from domain.event import Mode
from gateway.graphql import schema
from gateway.graphql.engine import Engine
from projections.rebuild import rebuild
from projections.worker import Worker
from tenants.book import Book, Request
from tenants.city_keys import CityKeys
from tenants.database import Database
from tenants.generation.entering import enter
from tests.gateway.everything import Everything

SLUGS = ("generated-0001", "generated-0002")
_CITIES, _PARTNERSHIPS = Everything("first: 2"), Everything("first: 5")
CITIES = _CITIES.document(f"query ($asOf: AsOf) {{ cities(asOf: $asOf, first: 3) {_CITIES.of('CityConnection')} }}")
PARTNERSHIPS = _PARTNERSHIPS.document(f"""
    query ($asOf: AsOf) {{
      partnerships(asOf: $asOf, first: 40) {_PARTNERSHIPS.of("PartnershipConnection")}
      some: partnerships(
        asOf: $asOf, first: 100, status: [MAINSTREAMED, REJECTED, ACTIVE], form: [SUBSIDY, COMMISSION],
        partyKind: [NPO], fiscalYear: 2015
      ) {{ totalCount edges {{ cursor node {{ number status }} }} }}
      rejected: partnerships(asOf: $asOf, last: 100, rejectedFor: [OBJECTIVES_UNCLEAR]) {{
        edges {{ node {{ number }} }} }}
    }}""")


@pytest.fixture(scope="module")
def towns(server, tmp_path_factory) -> Iterator[tuple[Database, CityKeys]]:
    """Two invented towns whose mistakes were found later; nobody writes to them."""
    name = f"{server.prefix}_as_of"
    server.execute("CREATE DATABASE {} TEMPLATE {} OWNER {}", name, server.template, server.owner)
    keys = CityKeys(tmp_path_factory.mktemp("keys"))
    database = Database(server.urls(name))
    try:
        enter(database.urls, keys.folder, cities=2, partnerships=16, seed=random.randrange(1_000))
        Worker(database, keys).catch_up()
        assert correct(database, keys) >= 4
        Worker(database, keys).catch_up()
        yield database, keys
    finally:
        database.close()
        server.execute("DROP DATABASE {} WITH (FORCE)", name)


def correct(database: Database, keys: CityKeys) -> int:
    """Some events are taken back, some dates corrected; returns how many."""
    with database.reader() as connection:
        rows = connection.execute(
            "SELECT tenant_id, stream_id, version, type FROM read_model.timeline"
            " WHERE known_until = 9223372036854775807 AND version > 2 ORDER BY random() LIMIT 40"
        ).fetchall()
    done = 0
    for at, (tenant, stream, version, _) in enumerate(rows):
        data = {"target": version, "reason": "誤記"} | ({"data": {"valid": {"edtf": "2013"}}} if at % 2 else {})
        given = Request(
            command="correct-event" if at % 2 else "retract-event",
            data=data,
            valid={"edtf": "2026"},
            mode=Mode.LIVE,
            actor="S/officer",
            recorded_by="S/officer",
            approved_by="Z/second",
        )
        try:
            Book(database, keys, tenant).execute(stream, given)
        except DomainError:
            continue
        done += 1
        if done == 6:
            break
    return done


@contextmanager
def replayed(server: Any, source: Database, keys: CityKeys, where: str, values: dict[str, Any]) -> Iterator[Database]:
    """A fresh installation that holds only the events of which `where` holds."""
    origin = conninfo_to_dict(source.urls.owner)["dbname"]
    name = f"{origin}_then"
    copy(server, str(origin), name)
    then = Database(server.urls(name))
    try:
        with closing(psycopg.connect(make_conninfo(server.superuser, dbname=name), autocommit=True)) as superuser:
            superuser.execute(
                f"DELETE FROM event e USING tenant t WHERE t.tenant_id = e.tenant_id AND NOT ({where})", values
            )
            superuser.execute(
                "UPDATE tenant_head h SET size = (SELECT count(*) FROM event e WHERE e.tenant_id = h.tenant_id)"
            )
            superuser.execute("DROP SCHEMA read_model CASCADE")
        rebuild(then.urls.owner, keys.folder)
        yield then
    finally:
        then.close()
        server.execute("DROP DATABASE {} WITH (FORCE)", name)


def copy(server: Any, origin: str, name: str) -> None:
    """A database that is copied may have no visitors, and a pool replaces the connections that are ended."""
    for _ in range(50):
        server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{origin}'")
        with suppress(psycopg.errors.ObjectInUse):
            server.execute("CREATE DATABASE {} TEMPLATE {} OWNER {}", name, origin, server.owner)
            return
    raise AssertionError(f"{origin} always has visitors")


def answered(database: Database, query: str, as_of: dict[str, Any] | None, *, compiled: bool = True) -> Any:
    engine = Engine(schema.SCHEMA._schema, database, compiled=compiled)
    answer = engine.answer(query, {"asOf": as_of}, None)
    assert not answer.errors, answer.errors
    return orjson.loads(answer.data)


def compare(then: Database, now: Database, as_of: dict[str, Any]) -> None:
    for query in (CITIES, PARTNERSHIPS):
        fresh = answered(then, query, None)
        assert answered(now, query, as_of) == fresh
    assert answered(now, PARTNERSHIPS, as_of, compiled=False) == fresh


@pytest.mark.parametrize("_", range(3))
def test_as_of_positions_an_answer_is_that_of_a_fresh_installation_replayed_to_them(server, towns, _) -> None:
    database, keys = towns
    with database.projector() as connection:
        sizes = dict(connection.execute("SELECT slug, size FROM tenant JOIN tenant_head USING (tenant_id)").fetchall())
    positions = {slug: random.randint(1, size) for slug, size in sizes.items()}
    where = "e.position <= (%(positions)s::jsonb ->> t.slug)::bigint"
    as_of = {"positions": [{"city": slug, "position": position} for slug, position in positions.items()]}
    with replayed(server, database, keys, where, {"positions": orjson.dumps(positions).decode()}) as then:
        compare(then, database, as_of)


@pytest.mark.parametrize("_", range(3))
def test_as_of_a_moment_an_answer_is_that_of_a_fresh_installation_replayed_to_it(server, towns, _) -> None:
    database, keys = towns
    with closing(psycopg.connect(make_conninfo(database.urls.owner), autocommit=True)) as connection:
        moments = connection.execute("SELECT DISTINCT recorded_from FROM read_model.timeline ORDER BY 1").fetchall()
    moment: datetime = random.choice(moments)[0] + timedelta(microseconds=random.choice([-1, 0, 1]))
    with replayed(server, database, keys, "e.recorded_at <= %(moment)s", {"moment": moment}) as then:
        compare(then, database, {"moment": moment.isoformat()})


def test_a_city_that_the_positions_leave_out_is_no_part_of_the_answer(towns) -> None:
    database, _ = towns
    as_of = {"positions": [{"city": SLUGS[1], "position": 10_000}]}
    query = """query ($asOf: AsOf) { cities(asOf: $asOf) { edges { node { slug } } }
        city(slug: "generated-0001", asOf: $asOf) { slug } }"""
    assert answered(database, query, as_of) == {"cities": {"edges": [{"node": {"slug": SLUGS[1]}}]}, "city": None}


def test_two_times_stand_side_by_side_in_one_answer(towns) -> None:
    database, _ = towns
    query = (
        """query ($asOf: AsOf) { then: partnerships(asOf: $asOf) { totalCount } now: partnerships { totalCount } }"""
    )
    found = answered(database, query, {"moment": "2001-01-01T00:00:00Z"})
    assert found["then"]["totalCount"] == 0 < found["now"]["totalCount"]
