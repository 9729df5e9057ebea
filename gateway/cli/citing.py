"""Commands of citations: make one of a query, and check one."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import httpx
import orjson
import rfc8785
import typer

from gateway.cli.console import app, as_json_text, fail, say
from gateway.settings import Settings

_SECONDS = 30
_ENDING = ".citation.json"
_SHOWN = 20
"""Of what differs at most so many are printed; the citation's answer holds them all."""


class _Unanswered(Exception):
    """The service cannot be asked, or refuses; the message says why."""


@app.command()
def cite(
    file: Annotated[Path, typer.Argument(help="A GraphQL query; with --check a citation.")],
    *,
    variables: Annotated[str | None, typer.Option(help="The query's variables, as a JSON object.")] = None,
    operation: Annotated[str | None, typer.Option(help="Which query of the file, where there are several.")] = None,
    url: Annotated[
        str | None,
        typer.Option(help="The service, for instance https://ledger.example. Unset: the one of this machine."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help=f"Where the citation is written; beside the query, {_ENDING}.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Have the cited answer given again: 0 the same, 1 different, 2 not checked.")
    ] = False,
) -> None:
    """Cite the answer to a query, so that anyone can check it later (引用), or check such a citation."""
    if check:
        _check(file, url)
        return
    try:
        given = json.loads(variables) if variables else {}
    except ValueError as wrong:
        raise typer.BadParameter(f"--variables is not JSON: {wrong}") from None
    body = {"query": _read(file), "variables": given, "operationName": operation, "extensions": {"cite": True}}
    try:
        answer = _posted(f"{_service(url)}/graphql", orjson.dumps(body))
    except _Unanswered as why:
        fail(str(why))
    citation = answer["extensions"]["citation"]
    target = out or file.with_name(file.stem + _ENDING)
    target.write_text(as_json_text(citation) + "\n", encoding="utf-8")
    say(f"{target}: written; check it at any time with: kyodo cite --check {target}")
    for text in citation["reference"].values():
        typer.echo(text)


def _check(file: Path, url: str | None) -> None:
    text = _read(file)
    try:
        citation = json.loads(text)
        cited_at = citation.get("service") or ""
        answer = _posted(f"{_service(url or _public(cited_at))}/graphql/citations", text.encode())
    except (ValueError, AttributeError) as wrong:
        _unchecked(f"{file} is no citation: {wrong}")
    except _Unanswered as why:
        _unchecked(str(why))
    found = answer["extensions"]["citation"]
    # What can be computed here is not taken on the service's word.
    cited, given = citation["answer"]["sha256"], hashlib.sha256(rfc8785.dumps(answer["data"])).hexdigest()
    if found["same"] != (cited == given):
        _unchecked(f"the service says that the answer is {found['verdict']}, but its SHA-256 says otherwise: {given}")
    verdict = found["verdict"]
    typer.echo(
        {
            "SAME": "同一: the answer is the same, byte for byte.",
            "SAME_BUT_FOR_TEXTS": "文を除き同一: the answer is the same but for texts taken away or published since.",
        }.get(verdict, "相違: the answer is not what was cited.")
    )
    for failure in found["failures"]:
        typer.echo(f"  {failure['message']}\n  {failure['messageJa']}")
    _listed(f"  {each['at']}  {each['city']} {each['position']}  {each['type']}" for each in found["changed"])
    _listed(f"  gone 非公開: {place}" for place in found["withdrawn"])
    _listed(f"  new 公開: {place}" for place in found["published"])
    sys.exit(1 if verdict == "DIFFERENT" else 0)


def _listed(lines: Any) -> None:
    known = list(lines)
    for line in known[:_SHOWN]:
        typer.echo(line)
    if len(known) > _SHOWN:
        typer.echo(f"  … and {len(known) - _SHOWN} more")


def _posted(address: str, body: bytes) -> dict[str, Any]:
    """What the service answers; raises _Unanswered where that is no answer without errors."""
    try:
        response = httpx.post(
            address, content=body, headers={"Content-Type": "application/json"}, timeout=_SECONDS, follow_redirects=True
        )
        answer = response.json()
    except (httpx.HTTPError, httpx.InvalidURL) as gone:
        raise _Unanswered(f"{address} cannot be asked: {gone}; is the service running, and is --url right?") from None
    except ValueError:
        raise _Unanswered(f"{address} answers {response.status_code}, and no JSON; is --url right?") from None
    errors = answer.get("errors") if isinstance(answer, dict) else None
    if errors:
        raise _Unanswered("; ".join(str(error.get("message")) for error in errors))
    if not isinstance(answer, dict) or "citation" not in answer.get("extensions", {}):
        raise _Unanswered(f"{address} answers without a citation; it is another service, or an older one.")
    return answer


def _service(url: str | None) -> str:
    if url is not None:
        return url.rstrip("/")
    here = Settings()
    host = f"[{here.host}]" if ":" in here.host else here.host
    return f"http://{host}:{here.port}"


def _public(origin: str) -> str | None:
    """Where the service is that has this log origin, None for one of this machine."""
    host = origin.partition("/")[0]
    if not host or host.partition(":")[0] == "localhost":
        return None
    return f"https://{origin.removesuffix('/log')}"


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as unreadable:
        _unchecked(f"{file} cannot be read: {unreadable}")


def _unchecked(message: str) -> NoReturn:
    sys.stderr.write(f"kyodo: {message}\n")
    sys.exit(2)
