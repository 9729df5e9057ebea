"""A client in Go, of Debian's golang-golang-x-mod-dev, reads the live logs over HTTP and verifies them.

It is skipped where Go or the package is missing; with KYODO_REQUIRE_GO=1, as in CI, that is a failure.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
import uvicorn
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gateway.app import create_app
from tenants.book import Book
from tenants.cases import import_cases
from tenants.city_keys import CityKeys
from tenants.database import Database
from tenants.event_store import RecordedEvent, TenantRecorder
from tenants.ledger.checkpoint import Checkpoint
from tenants.ledger.keys import LogKeys
from tenants.ledger.note import signed
from tenants.ledger.publish import Publisher, make_missing_keys
from tenants.ledger.store import PublishedLog
from tenants.registry import register

CITIES = ("yamato", "higashikurume", "yokohama", "okayama", "kawasaki")
PATH = Path("/usr/share/gocode")
PACKAGE = PATH / "src/golang.org/x/mod/sumdb/tlog"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client, built."""
    missing = [
        *(["go is not on this machine"] if shutil.which("go") is None else []),
        *([f"{PACKAGE} is not there"] if not PACKAGE.is_dir() else []),
    ]
    if missing:
        reason = f"{' and '.join(missing)}; install golang-go and golang-golang-x-mod-dev"
        if os.environ.get("KYODO_REQUIRE_GO") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    built = tmp_path_factory.mktemp("go") / "client"
    settings = {"GO111MODULE": "off", "GOPATH": str(PATH), "GOFLAGS": "", "GOPROXY": "off", "CGO_ENABLED": "0"}
    done = subprocess.run(
        ["go", "build", "-o", built, "main.go"],
        cwd=Path(__file__).parent,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return built


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of the logs and cities, and the checkpoints that a reader kept."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def logs(server, folder: Path) -> Iterator[Database]:
    """The five cities, and a town whose tree is several tiles high and wide; each signed twice, while it grew."""
    name = f"{server.prefix}_foreign"
    server.execute("CREATE DATABASE {} TEMPLATE {} OWNER {}", name, server.template, server.owner)
    opened = Database(server.urls(name))
    try:
        keys, publisher = CityKeys(folder / "keys"), Publisher(opened, LogKeys(folder / "log"))
        cities: dict[UUID, str] = {}
        for city in CITIES:
            registered, _ = register(opened, keys, Path(str(files("tenants").joinpath(city))))
            cities[registered.tenant_id] = city
        town = uuid4()
        with opened.app() as connection:
            connection.execute("SELECT register_tenant(%s, 'machi', NULL, '町', 'Town', 'MUNICIPALITY')", (town,))
        cities[town] = "machi"
        make_missing_keys(opened, publisher.keys, "example.jp/log", cities)
        add(opened, town, 300)
        publisher.publish()
        keep(opened, cities, folder, "older")
        add(opened, town, 700)
        for tenant, city in list(cities.items())[:-1]:
            cases = Path(str(files("tenants").joinpath(city, "cases.json")))
            import_cases(Book(opened, keys, tenant), city, cases)
        publisher.publish()
        keep(opened, cities, folder, "latest")
        yield opened
    finally:
        opened.close()
        server.execute("DROP DATABASE {} WITH (FORCE)", name)


def add(database: Database, tenant: UUID, count: int) -> None:
    events = [RecordedEvent(uuid4(), 1, "Something", b'{"n":%d}' % number) for number in range(count)]
    TenantRecorder(database, tenant).append(events)


def keep(database: Database, cities: dict[UUID, str], folder: Path, when: str) -> None:
    """What a reader has from an earlier visit."""
    for tenant, city in cities.items():
        published = PublishedLog(database, tenant).checkpoint()
        assert published is not None
        (folder / f"{city}.{when}").write_text(published.note, encoding="utf-8")


@contextmanager
def serving(database: Database) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(database, pending_migrations=list)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


Verify = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def address(logs: Database) -> Iterator[str]:
    """Where they are served."""
    with serving(logs) as where:
        yield where


@pytest.fixture
def verify(client: Path, address: str) -> Verify:
    """Runs the client on one of the logs, with the key that the log serves unless another is given."""

    def run(name: str, *arguments: str | Path, key: str = "") -> subprocess.CompletedProcess[str]:
        key = key or httpx.get(f"{address}/log/{name}/key").text.strip()
        command = [client, "-records", "12", "-log", f"{address}/log/{name}", "-key", key, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_go_verifies_every_city_its_history_and_its_place_in_the_root_log(
    verify: Verify, address: str, folder: Path
) -> None:
    root_key = httpx.get(f"{address}/log/root/key").text.strip()
    for city in (*CITIES, "machi"):
        done = verify(city, "-root-key", root_key, folder / f"{city}.older")
        assert (done.returncode, done.stderr) == (0, ""), city
        said = dict(line.split(": ", 1) for line in done.stdout.splitlines())
        assert list(said) == ["checkpoint", "tree", "entries", "records", "history", "root"]
        assert said["checkpoint"].endswith(f"signed by example.jp/log/{city}")
        assert said["root"] == "the checkpoint is one of the 12 that the root log holds"
    assert "1000 records" in done.stdout
    assert "the tree of 300 records is the beginning of this one" in done.stdout


def test_go_verifies_the_root_log(verify: Verify) -> None:
    done = verify("root")
    assert (done.returncode, done.stderr) == (0, "")
    assert "records: 12 proved" in done.stdout


def test_go_refuses_a_log_of_another_key(verify: Verify, address: str) -> None:
    done = verify("yamato", key=httpx.get(f"{address}/log/okayama/key").text.strip())
    assert done.returncode == 1
    assert "note has no verifiable signatures" in done.stderr


def test_go_refuses_another_history_though_the_log_signed_it(
    verify: Verify, address: str, folder: Path, tmp_path: Path
) -> None:
    """As when somebody was shown another log before."""
    kept = Checkpoint.of((folder / "machi.older").read_text(encoding="utf-8").split("\n\n")[0] + "\n")
    (key,) = [
        signer
        for log in (folder / "log").iterdir()
        for signer in LogKeys(folder / "log").signers(UUID(log.name))
        if signer.name == kept.origin
    ]
    for other, said in (
        (Checkpoint(kept.origin, kept.size, bytes(32)), "invalid transparency proof"),
        (Checkpoint(kept.origin, 1_001, kept.root), "1001 records were signed before, and now there are 1000"),
    ):
        (tmp_path / "other").write_text(signed(other.text, [key]), encoding="utf-8")
        done = verify("machi", tmp_path / "other")
        assert done.returncode == 1
        assert said in done.stderr


CHANGES = [
    ("UPDATE event SET state = '{\"n\":9}' WHERE position = 270 AND", "record 269 is not the one"),
    ("UPDATE event SET leaf = sha256('x') WHERE position = 270 AND", "record 269 is not the one"),
    ("UPDATE event SET leaf = sha256('x') WHERE position = 999 AND", "inconsistent tile"),
    ("UPDATE tree_node SET hash = sha256('x') WHERE number = 1 AND", "inconsistent tile"),
    ("DELETE FROM event WHERE position = 270 AND", "position 270 is missing"),
    ("DELETE FROM tree_node WHERE", "of tile level 1, 3 are missing"),
    ("UPDATE checkpoint SET note = replace(note, '1000', '999') WHERE size = 1000 AND", "invalid signature"),
    ("DELETE FROM checkpoint WHERE size = 1000 AND", "1000 records were signed before, and now there are 300"),
]
"""What a superuser does, and what the client says of it."""


def test_go_refuses_what_was_changed_in_the_database(verify: Verify, logs: Database, server, folder: Path) -> None:
    """Each change is undone after it was seen, and the log verifies again."""
    name = conninfo_to_dict(logs.urls.owner)["dbname"]
    url = make_conninfo(**{**conninfo_to_dict(server.superuser), "dbname": name})
    with psycopg.connect(url, autocommit=True) as superuser:
        tables = ("event", "tree_node", "checkpoint")
        for table in tables:
            superuser.execute(f"CREATE TABLE kept_{table} AS TABLE {table}")
        for statement, said in CHANGES:
            changed = superuser.execute(f"{statement} tenant_id = (SELECT tenant_id FROM tenant WHERE slug = 'machi')")
            assert changed.rowcount > 0, statement
            done = verify("machi", folder / "machi.older", folder / "machi.latest")
            assert done.returncode == 1, (statement, done.stdout)
            assert said in done.stderr
            for table in tables:
                superuser.execute(f"DELETE FROM {table}")
                superuser.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")
        for table in tables:
            superuser.execute(f"DROP TABLE kept_{table}")
    assert verify("machi", folder / "machi.older", folder / "machi.latest").returncode == 0
