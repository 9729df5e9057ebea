"""The documents that the product ships, each asked for by its id: short addresses that caches and citations can keep.

GraphQL over HTTP, appendix A: an id is `sha256:` and the SHA-256 of the text in lower-case hexadecimal digits.
"""

from __future__ import annotations

import hashlib

import orjson
from graphql import OperationDefinitionNode, TokenKind, parse, print_ast, separate_operations

from gateway.graphql.ide import EXAMPLES


def document_id(text: str) -> str:
    """The id of a document: of exactly this text, spaces included."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _about(operation: OperationDefinitionNode) -> str:
    """The comment right above an operation."""
    lines: list[str] = []
    token = operation.loc.start_token if operation.loc else None
    while token and token.prev and token.prev.kind is TokenKind.COMMENT and token.prev.line == token.line - 1:
        token = token.prev
        lines.insert(0, (token.value or "").strip())
    return " ".join(lines)


_EXAMPLES = parse(EXAMPLES)
ABOUT = {
    each.name.value: _about(each)
    for each in _EXAMPLES.definitions
    if isinstance(each, OperationDefinitionNode) and each.name
}
"""Name → what the operation is about, in English and Japanese."""

TEXTS = {name: print_ast(document) for name, document in separate_operations(_EXAMPLES).items()}
"""Name → text of one operation with the fragments that it needs."""

DOCUMENTS = {document_id(text): text for text in TEXTS.values()}
"""Id → text."""

LISTED = orjson.dumps(
    {
        "documents": [
            {"documentId": document_id(text), "operationName": name, "about": ABOUT[name], "query": text}
            for name, text in TEXTS.items()
        ]
    }
)
"""What /graphql/documents answers."""
