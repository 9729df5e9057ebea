"""One statement answers what the resolvers answer, over documents that nobody wrote.

`make soak` proves it over more of them; its seed, which it prints, can be given again as DRILL_SEED.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from graphql import GraphQLError, OperationDefinitionNode, parse
from graphql.execution.values import VariableValues, get_variable_values
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from gateway.graphql.compiler import Compiler, NotCompiled
from gateway.graphql.engine import Engine, NotExecuted
from gateway.graphql.schema import SCHEMA
from tenants.database import Database
from tests.gateway.documents import Asked, documents, plain_documents
from tests.gateway.standing import Standing

_SCHEMA = SCHEMA._schema
_COMPILED = "answered by one statement"
_RESOLVED = "left to the resolvers"
_IN_ERROR = "answered with an error"
_REFUSED = "refused before anything was asked"

WRONG = "holds an argument that would have been refused, had there been anything to ask it of"
EXPLAINED = ("is answered by its resolver", "is longer than a name in the database", WRONG)
"""Why a document without a mistake may be left to the resolvers."""


@dataclass
class Both:
    """Both ways to an answer over one database, and what came of the documents that they were compared by."""

    database: Database
    standing: Standing
    tally: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """The compiled way remembers its plans for as long as this lasts."""
        self._compiled = Engine(_SCHEMA, self.database)
        self._resolved = Engine(_SCHEMA, self.database, compiled=False)

    @classmethod
    def over(cls, database: Database) -> Both:
        """Both ways over a database to which nobody writes."""
        return cls(database, Standing.of(Engine(_SCHEMA, database, compiled=False), _SCHEMA))

    def compare(self, asked: Asked) -> None:
        """Ask for the document with each set of variables, the later ones by the plan that the first left behind."""
        for number, variables in enumerate(asked.variables):
            if variables in asked.variables[:number]:
                continue
            expected, said = _answer(self._resolved, asked, variables)
            assert _answer(self._compiled, asked, variables) == (expected, said), (asked.query, variables)
            if number:
                afresh = Engine(_SCHEMA, self.database)
                assert _answer(afresh, asked, variables) == (expected, said), (asked.query, variables)
            self.tally[self._fate(asked, variables, expected, said)] += 1
            self.tally["with something in them"] += b'":"' in expected
        self.tally["documents"] += 1

    def _fate(self, asked: Asked, variables: Mapping[str, Any], data: bytes, said: list[str]) -> str:
        if said:
            return _IN_ERROR if data else _REFUSED
        reason = _refused(asked, variables)
        if reason is None:
            return _COMPILED
        explained = [each for each in EXPLAINED if each in reason]
        assert explained, reason
        self.tally[f"a document that {explained[0]}"] += 1
        return _RESOLVED


def _answer(engine: Engine, asked: Asked, variables: Mapping[str, Any]) -> tuple[bytes, list[str]]:
    """The answer as JSON whose keys keep their order, and what is said to be wrong."""
    try:
        answer = engine.answer(asked.query, variables, asked.operation)
    except NotExecuted as refused:
        return b"", [error.message for error in refused.errors]
    # Whatever the data rest on is part of the answer too.
    data = orjson.dumps([orjson.loads(answer.data), answer.provenance], default=str)
    return data, [error.message for error in answer.errors]


def _refused(asked: Asked, variables: Mapping[str, Any]) -> str | None:
    """Why the compiler leaves the document to the resolvers; None if it does not."""
    document = parse(asked.query)
    operations = {
        each.name and each.name.value: each
        for each in document.definitions
        if isinstance(each, OperationDefinitionNode)
    }
    operation = operations[asked.operation]
    values = get_variable_values(_SCHEMA, operation.variable_definitions or (), dict(variables))
    assert isinstance(values, VariableValues)
    try:
        Compiler(_SCHEMA).compile(document, operation, values)
    except NotCompiled as refused:
        return str(refused)
    except GraphQLError:
        return WRONG
    return None


def prove(both: Both, written: SearchStrategy[Asked], at: int, examples: int) -> None:
    """Compare both ways by so many documents, always the same ones for a seed; the smallest difference is shown."""

    @seed(at)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(written)
    def compared(asked: Asked) -> None:
        both.compare(asked)

    before = Counter(both.tally)
    compared()
    tally = both.tally - before
    asked = sum(tally[each] for each in (_COMPILED, _RESOLVED, _IN_ERROR, _REFUSED))
    assert tally["documents"] >= examples
    assert tally["with something in them"] >= asked * 0.5, tally
    assert tally[_RESOLVED] <= asked * 0.15, tally
    assert tally[_IN_ERROR] + tally[_REFUSED] <= asked * 0.25, tally


@pytest.fixture(scope="module")
def of_cities(five_cities) -> Both:
    """Real histories, with every kind of event that their sources tell of."""
    return Both.over(five_cities)


@pytest.fixture(scope="module")
def of_towns(generated) -> Both:
    """Many more partnerships to a city."""
    return Both.over(generated)


class TestOverTheFiveCities:
    """A class for each database, so that each is made in one process only."""

    @pytest.mark.parametrize("part", range(5))
    def test_documents_of_every_shape_are_answered_alike(self, of_cities, part) -> None:
        prove(of_cities, documents(_SCHEMA, of_cities.standing), part, 100)

    def test_documents_of_a_known_generator_are_answered_alike(self, of_cities) -> None:
        prove(of_cities, plain_documents(_SCHEMA, of_cities.standing), 1, 150)


class TestOverGeneratedTowns:
    """The same over invented towns."""

    @pytest.mark.parametrize("part", range(5, 9))
    def test_documents_of_every_shape_are_answered_alike(self, of_towns, part) -> None:
        prove(of_towns, documents(_SCHEMA, of_towns.standing), part, 100)


@pytest.mark.soak
def test_twenty_thousand_documents_are_answered_alike(of_cities, of_towns) -> None:
    start = int(os.environ.get("DRILL_SEED") or random.randrange(1 << 30))
    ways = (of_cities, of_towns)
    print(f"\nDRILL_SEED={start}")
    began, total = time.monotonic(), 0
    for batch in range(80):
        both = ways[batch % 2]
        written = (plain_documents if batch % 5 == 4 else documents)(_SCHEMA, both.standing)
        prove(both, written, start + batch, 250)
        total += 250
        print(f"{total:,} documents alike after {time.monotonic() - began:,.0f} s: {dict(sum_of(ways))}", flush=True)
    assert total >= 20_000


def sum_of(ways: tuple[Both, ...]) -> Counter[str]:
    """What came of the documents of all of them."""
    return sum((each.tally for each in ways), Counter())
