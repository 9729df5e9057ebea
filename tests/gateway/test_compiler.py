"""One statement for a document, and the same answer as the resolvers give."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from graphql import OperationDefinitionNode, parse
from graphql.execution.values import VariableValues, get_variable_values

from gateway.graphql import words
from gateway.graphql.compiler import Compiler
from gateway.graphql.resolvers import Asking
from gateway.graphql.schema import SCHEMA

QUERIES = [
    """{ cities { edges { node { id slug nameJa municipalCode population compiled sources { source date about }
       programmes { slug rules timeline { type } } } } } }""",
    '{ a: city(slug: "yamato") { slug } b: city(slug: "none") { slug } __typename }',
    """{ partnerships(first: 3) { totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
       edges { cursor node { number city { nameJa } } } } }""",
    """{ partnerships(last: 3) { pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
       edges { cursor node { number } } } }""",
    """{ partnerships(text: "子育て", status: [AGREED]) { edges { node { number titleJa
       parties { nameJa kind roles } anomalies { rule messageJa messageEn } } } } }""",
    """{ partnership(city: "yamato", number: "Y3") { id number status forms programme { titleJa }
       timeline { position recordedAt type labelJa mode proof leafHash
         valid { edtf earliest displayJa displayEn certainty } data breaks { rule messageEn } } } }""",
    """{ cities { edges { node { partnerships(first: 2, form: [SUBSIDY]) { totalCount
       edges { node { number __typename } } } } } } }""",
    """query($n: Int = 2, $skip: Boolean = true) {
         partnerships(first: $n) { ...page totalCount @skip(if: $skip) } }
       fragment page on PartnershipConnection {
         edges { node { ... on Node { id } ...p city { slug } city { nameEn } } } }
       fragment p on Partnership { number status timeline { type } }""",
]


def both(database: Any, query: str, variables: dict[str, Any] | None = None) -> tuple[Any, Any]:
    """The answer of the statement, and that of the resolvers."""
    document = parse(query)
    operation = next(each for each in document.definitions if isinstance(each, OperationDefinitionNode))
    values = get_variable_values(SCHEMA._schema, operation.variable_definitions or (), variables or {})
    assert isinstance(values, VariableValues)
    plan = Compiler(SCHEMA._schema).compile(document, operation, values)
    with database.reader() as connection:
        rows = connection.execute(plan.sql, plan.values(values)).fetchall()
    assert len(rows) == 1
    with Asking(database) as asking:
        result = SCHEMA.execute_sync(query, variable_values=variables, context_value=asking)
    assert not result.errors, result.errors
    return orjson.loads(words.spoken(rows[0][0])), result.data


@pytest.mark.parametrize("query", QUERIES)
def test_both_ways_give_the_same_answer(five_cities, query) -> None:
    compiled, resolved = both(five_cities, query)
    assert compiled == resolved
    assert list(compiled) == list(resolved)
