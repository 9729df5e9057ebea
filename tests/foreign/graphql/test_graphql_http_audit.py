"""The audit of the reference implementation, `graphql-http`: does the endpoint keep to GraphQL over HTTP?"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from subprocess import CompletedProcess

AUDITS = 61
"""As many as graphql-http 1.23 lists; another number means that the package changed, and should be looked at."""


def test_every_must_should_and_may_of_graphql_over_http_holds(
    run: Callable[..., CompletedProcess[str]], address: str
) -> None:
    done = run("audit.mjs", address)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    failed = {f"{each['id']} {each['name']}: {each.get('reason')}" for each in results if each["status"] != "ok"}
    assert not failed
    assert len({each["id"] for each in results}) == len(results) == AUDITS
    assert {re.match(r"MUST|SHOULD|MAY", each["name"])[0] for each in results} == {"MUST", "SHOULD", "MAY"}  # type: ignore[index]
