"""The command line `kyodo`; each of its files adds commands to one application."""

from __future__ import annotations

import sys

from pydantic import ValidationError

from gateway.cli import (  # noqa: F401  (they add their commands)
    archive,
    audit,
    citing,
    custody,
    entering,
    generating,
    ledger,
    reading,
    service,
)
from gateway.cli.console import EXPLAINED, app, fail
from tenants.book import problems


def main() -> None:
    """Run a command. Exit code 0 done, 1 refused or failed with a message, 2 wrong usage, 130 interrupted."""
    try:
        app()
    except EXPLAINED as explained:
        fail(str(explained))
    except ValidationError as invalid:
        fail(f"a setting is wrong: {problems(invalid)}")
    except KeyboardInterrupt:
        sys.exit(130)
