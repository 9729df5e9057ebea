"""`kyodo audit`: the auditors' questions about a city's record, answered as a report."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.audit_report import PageLabels, as_html, as_json, as_text, in_short
from gateway.cli.console import City, app, as_json_text, fail, opened_service, say
from projections.audit.evidence import BeyondTheLog, Options
from projections.audit.findings import Level
from projections.audit.questions import Audit
from projections.audit.questions import audit as ask
from tenants import registry


class Format(StrEnum):
    """The forms of a report."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"


class Lang(StrEnum):
    """The languages of a report; JSON holds both."""

    JA = "ja"
    EN = "en"


@app.command()
def audit(
    city: City,
    *,
    form: Annotated[Format, typer.Option("--format", help="text, json, or html: one page to read and print.")] = (
        Format.TEXT
    ),
    lang: Annotated[Lang, typer.Option(help="Japanese or English; JSON holds both.")] = Lang.JA,
    output: Annotated[Path | None, typer.Option(help="A file to write instead of standard output.")] = None,
    as_of: Annotated[
        int | None, typer.Option(min=1, help="Only the log's first so many entries: the state known then.")
    ] = None,
    late_days: Annotated[int, typer.Option(min=0, help="An entry made more days after it happened is late.")] = 30,
    attachments: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="A folder with the registered files, to compare them."),
    ] = None,
) -> None:
    """Answer the auditors' questions about a city's record. Exit code 0 without findings, 1 with any."""
    options = Options(as_of=as_of, late_days=late_days, attachments=attachments)
    with opened_service() as opened:
        found = registry.tenant(opened.database, city)
        try:
            made = ask(opened.database, opened.keys, found.tenant_id, options, PageLabels())
        except BeyondTheLog as beyond:
            fail(f"{city}: {beyond}")
    report = _report(made, found, form, lang)
    if output is None:
        typer.echo(report, nl=False)
    else:
        try:
            output.write_text(report, encoding="utf-8")
        except OSError as unwritable:
            fail(f"{output} cannot be written: {unwritable.strerror}")
        say(f"{city}: {output} written")
    say(f"{city}: {in_short(made, lang.value)}")
    if made.level is Level.FINDING:
        sys.exit(1)


def _report(made: Audit, city: registry.Tenant, form: Format, lang: Lang) -> str:
    now = datetime.now(UTC)
    if form is Format.JSON:
        return as_json_text(as_json(made, city, now)) + "\n"
    as_form = as_html if form is Format.HTML else as_text
    return as_form(made, city, now, lang.value)
