"""The clients of graphql-sse and graphql-ws, the reference implementations, subscribe to what we serve."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gateway.app import create_app
from projections.worker import Worker
from tenants.city_keys import CityKeys
from tenants.database import Database
from tests import node
from tests.gateway.conftest import _serving
from tests.gateway.small_town import small_town

WATCH = """
    subscription Watch($city: String!, $number: String, $after: Int) {
      timeline(city: $city, number: $number, after: $after) {
        position type labelJa valid { displayJa } breaks { rule }
      }
    }
"""

Watch = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def packages() -> Path:
    """Where the clients are installed."""
    try:
        return node.installed(Path(__file__).parent)
    except node.NotInstalled as missing:
        if os.environ.get("KYODO_REQUIRE_NODE") == "1":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture
def watch(packages: Path, database: Database, keys: CityKeys, tenant: Callable[..., UUID]) -> Iterator[Watch]:
    """Subscribes to a town with seven events in which nothing happens any more."""
    town = small_town(database, keys, tenant("machi"))
    for number in ("P1", "P2"):
        if number == "P2":
            town.register(number)
        town.give(number, "open-consultation", valid="2018-04", topic="保育")
        town.give(number, "hold-meeting", attendees=["npo"])
    Worker(database, keys).catch_up()
    with _serving(create_app(database, pending_migrations=list)) as address:

        def watching(transport: str, query: str, count: int, **variables: Any) -> dict[str, Any]:
            done = node.run(
                packages, "watch.mjs", transport, f"{address}/graphql", query, json.dumps(variables), str(count)
            )
            assert done.returncode == 0, done.stderr
            found: dict[str, Any] = json.loads(done.stdout)
            return found

        yield watching


def positions(found: dict[str, Any]) -> list[int]:
    assert found["ended"] == "enough"
    return [result["data"]["timeline"]["position"] for result in found["results"]]


@pytest.mark.parametrize("transport", ["sse", "ws"])
def test_a_client_of_others_gets_every_event_and_resumes_behind_the_last(watch: Watch, transport: str) -> None:
    found = watch(transport, WATCH, 7, city="machi")
    assert positions(found) == [1, 2, 3, 4, 5, 6, 7]
    assert found["results"][2]["data"]["timeline"] == {
        "position": 3,
        "type": "ConsultationOpened",
        "labelJa": "相談",
        "valid": {"displayJa": "2018年4月"},
        "breaks": [],
    }
    assert positions(watch(transport, WATCH, 2, city="machi", number="P2", after=5)) == [6, 7]


def test_what_is_wrong_reaches_a_client_of_others_as_errors(watch: Watch) -> None:
    wrong = "subscription { timeline(city: 1) { position } }"
    over_sse, over_websocket = watch("sse", wrong, 2), watch("ws", wrong, 2)
    assert over_sse["ended"] == "complete"
    [errors] = [result["errors"] for result in over_sse["results"]]
    assert errors == over_websocket["ended"]["error"]
    assert "String cannot represent a non string value: 1" in errors[0]["message"]
    [unknown] = watch("sse", WATCH, 2, city="nowhere")["results"]
    assert unknown["errors"] == watch("ws", WATCH, 2, city="nowhere")["ended"]["error"]
    assert unknown["errors"] == [{"message": "No city is called 'nowhere'."}]
