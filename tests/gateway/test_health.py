"""Liveness and readiness."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from gateway.app import create_app
from projections.worker import Worker
from tenants.database import Role
from tenants.registry import register

YAMATO = Path(str(files("tenants").joinpath("yamato")))


def test_the_process_is_alive_also_without_its_database(nowhere) -> None:
    assert nowhere.get("/healthz").json() == {"status": "alive"}
    assert nowhere.get("/healthz").status_code == 200


def test_it_is_ready_when_every_city_is_projected(client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    state = answer.json()
    assert state["ready"]
    assert state["database"] == "reachable"
    assert state["pending_migrations"] == []
    assert {city["city"] for city in state["cities"]} == {"yamato", "higashikurume", "yokohama", "okayama", "kawasaki"}
    assert all(city["behind"] == 0 and city["stopped_by"] is None for city in state["cities"])


def test_it_is_not_ready_when_the_database_is_gone(nowhere) -> None:
    answer = nowhere.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["database"] == "unreachable"
    assert not answer.json()["ready"]


def test_it_is_not_ready_while_migrations_are_pending(five_cities, serve) -> None:
    answer = serve(create_app(five_cities, pending_migrations=lambda: ["0006-more"])).get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["pending_migrations"] == ["0006-more"]


def test_it_is_not_ready_while_a_city_is_further_behind_than_allowed(database, keys, serve) -> None:
    register(database, keys, YAMATO)
    strict = serve(create_app(database, pending_migrations=list, max_lag=0))
    answer = strict.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["cities"][0]["behind"] == answer.json()["cities"][0]["events"] > 0
    assert serve(create_app(database, pending_migrations=list)).get("/readyz").status_code == 200
    Worker(database, keys).catch_up()
    assert strict.get("/readyz").status_code == 200


def test_a_stopped_city_is_named_but_takes_no_other_out_of_service(database, keys, serve) -> None:
    tenant, _ = register(database, keys, YAMATO)
    with database.tenant(Role.PROJECTOR, tenant.tenant_id) as connection:
        connection.execute(
            "INSERT INTO read_model.tracking (tenant_id, position, error) VALUES (%s, 0, 'KeyError: 田中太郎')",
            (tenant.tenant_id,),
        )
    answer = serve(create_app(database, pending_migrations=list, max_lag=0)).get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["cities"][0]["stopped_by"] == "KeyError"
    assert "田中" not in answer.text
