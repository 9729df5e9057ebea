"""`kyodo demo` and what it survives: a second run, Ctrl-C, the death of its server or database at any moment."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

CITIES = {"yamato": 37, "higashikurume": 32, "yokohama": 54, "okayama": 48, "kawasaki": 36}
CITIES |= dict.fromkeys(("kodaira", "nishitokyo", "higashimurayama", "kiyose"), 5)
"""Events of each shipped city: its names, sources and programmes, its cases, and the import window around them."""

LIST = "{ partnerships(first: 100) { totalCount edges { node { number titleJa status city { slug } } } } }"


def kill(pid: int) -> None:
    """Kill the database, unless it has just ended of itself."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def sizes(kyodo) -> dict[str, int]:
    """Events by city, as doctor counts them."""
    lines = kyodo("doctor", check=False).stdout.splitlines()
    found = [line.split() for line in lines if "events" in line and "projected" in line]
    return {words[1].rstrip(":"): int(words[2]) for words in found}


def test_the_demo_serves_pages_and_graphql_with_the_21_partnerships(kyodo) -> None:
    demo = kyodo.start("demo")
    try:
        with httpx.Client(base_url=demo.address) as client:
            assert "大和市" in client.get("/").text
            page = client.get("/cities/yamato/partnerships/Y3").text
            assert "子育てアドバイザー" in page
            answer = client.post("/graphql", json={"query": LIST}).json()["data"]["partnerships"]
            assert answer["totalCount"] == len(answer["edges"]) == 21
            assert client.get("/healthz").status_code == 200
            assert client.get("/readyz").status_code == 200
        assert any("0 events added" in line for line in demo.lines)
        assert demo.lines[-1].endswith(demo.address)
    finally:
        demo.stop()
    assert sizes(kyodo) == CITIES


def test_ctrl_c_ends_the_demo_and_its_database(kyodo_empty) -> None:
    demo = kyodo_empty.start("demo")
    assert demo.address
    assert demo.stop(signal.SIGINT) in (0, 130)
    assert kyodo_empty.postmaster is None
    assert not any("Traceback" in line for line in demo.lines)
    assert sizes(kyodo_empty) == CITIES


def test_a_port_in_use_is_said_before_any_work(kyodo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = kyodo("demo", check=False, KYODO_PORT=str(port))
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert "KYODO_PORT" in done.stderr


@pytest.mark.parametrize("rounds", [2, pytest.param(25, marks=pytest.mark.soak)])
def test_killed_in_the_middle_everything_stands_once_after_another_run(kyodo_empty, rounds: int) -> None:
    dice = random.Random(rounds)
    for number in range(rounds):
        demo = kyodo_empty.start("demo")
        time.sleep(dice.uniform(0.3, 4.0))
        if number % 2 and (pid := kyodo_empty.postmaster) is not None:
            kill(pid)
        demo.stop(signal.SIGKILL)
    demo = kyodo_empty.start("demo")
    try:
        assert demo.address
        assert sizes(kyodo_empty) == CITIES
        for city in CITIES:
            assert kyodo_empty("replay", city, "--check").returncode == 0
        with httpx.Client(base_url=demo.address) as client:
            answer = client.post("/graphql", json={"query": LIST}).json()
        assert answer["data"]["partnerships"]["totalCount"] == 21
    finally:
        demo.stop()


@pytest.mark.parametrize("rounds", [3, pytest.param(40, marks=pytest.mark.soak)])
def test_an_import_killed_at_any_moment_is_whole_or_absent(kyodo_empty, rounds: int) -> None:
    dice = random.Random(rounds)
    cities = dice.sample(list(CITIES), min(rounds, len(CITIES)))
    kyodo_empty("migrate")
    for city in cities:
        kyodo_empty("tenant", "add", str(shipped(city)))
    registered = sizes(kyodo_empty)
    for _ in range(rounds):
        city = dice.choice(cities)
        running = kyodo_empty.start("import-cases", city)
        time.sleep(dice.uniform(0.4, 1.6))
        if (pid := kyodo_empty.postmaster) is not None and dice.random() < 0.5:
            kill(pid)
        running.stop(signal.SIGKILL)
        now = sizes(kyodo_empty)
        assert all(now[each] in (registered[each], CITIES[each]) for each in cities)
    for city in cities:
        kyodo_empty("import-cases", city)
        assert kyodo_empty("replay", city, "--check").returncode == 0
    assert sizes(kyodo_empty) == {city: CITIES[city] for city in cities}


def shipped(city: str) -> Path:
    """The folder of a shipped city."""
    from gateway.demo import folder_of

    return folder_of(city)
