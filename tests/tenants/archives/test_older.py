"""Archives of earlier releases come in for ever: `stored/` holds one of each format and schema, never changed.

A new format, or an event schema whose upcast matters, brings an archive of its own.
"""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from domain.partnership.state import Partnership
from domain.programme import Programme
from domain.vocabulary import FormCode
from projections.replay import check
from tenants.archive.importing import import_archive
from tenants.ledger.verify import verify
from tests.tenants.archives.conftest import Left
from tests.tenants.archives.town import Installation

STORED = Path(__file__).parent / "stored"


def test_an_archive_of_an_earlier_release_is_read_through_its_upcasts(elsewhere: Installation) -> None:
    done = import_archive(*elsewhere.parts, STORED / "format-1.tar.gz")
    schemas = {each.type: each.schema_version for each in done.archive.events}
    assert schemas["ProgrammeDefined"] == schemas["AgreementConcluded"] == 1, "as version 0.0.9 recorded them"
    assert done.archive.product.version == "0.0.9"
    book = elsewhere.book(UUID(done.archive.city.id))
    programme, partnership = (
        book.history(book.stream(*stream)) for stream in (("programme", "some-slug"), ("partnership", "Y1"))
    )
    assert programme is not None
    assert partnership is not None
    assert isinstance(programme.state, Programme)
    assert isinstance(partnership.state, Partnership)
    assert programme.state.versions[0].rules.requires, "its three flags are one table now"
    assert FormCode.COMMISSION in partnership.state.forms, "its forms are codes now"
    elsewhere.project()
    assert check(elsewhere.database, elsewhere.keys, book.tenant) == []
    with elsewhere.database.reader() as connection:
        titles = connection.execute("SELECT title_ja FROM read_model.programme").fetchall()
    assert titles == [("昔の制度",)]


def test_entries_of_an_earlier_release_stay_as_they_were_recorded(elsewhere: Installation) -> None:
    done = import_archive(*elsewhere.parts, STORED / "format-1.tar.gz")
    log = elsewhere.book(UUID(done.archive.city.id)).city_log
    assert [event.schema_version for event in log.read(0, 10)] == [1, 1, 1, 1]


def test_the_verifier_of_auditors_agrees_that_an_archive_is_in_order(left: Left) -> None:
    for path in (left.public, left.everything, STORED / "format-1.tar.gz"):
        report = verify(str(path))
        assert report.verified, report
