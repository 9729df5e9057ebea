"""A query for everything that the schema offers, made from the schema itself, so that nothing new is forgotten."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLObjectType, get_named_type, is_required_argument

from gateway.graphql.compiler import declaration
from gateway.graphql.declared import Link
from gateway.graphql.schema import SCHEMA


@dataclass
class Everything:
    """Every field of a type and of what it links to, `deep` links far and never back to a type above."""

    page: str = "first: 5"
    deep: int = 3
    fragments: dict[str, str] = field(default_factory=dict)

    def of(self, kind: str, above: tuple[str, ...] = ()) -> str:
        """A selection set for the type of that name; it spreads `fragments`."""
        made: Any = SCHEMA._schema.type_map[kind]
        links = []
        values = []
        for name, each in made.fields.items():
            below = get_named_type(each.type)
            if any(is_required_argument(argument) for argument in each.args.values()):
                continue
            if not isinstance(below, GraphQLObjectType):
                values.append(name)
            elif not isinstance(declaration(each), Link):
                values.append(f"{name} {self.of(below.name, above)}")
            elif below.name.removesuffix("Connection") not in (*above, kind) and len(above) < self.deep:
                arguments = f"({self.page})" if "first" in each.args else ""
                links.append(f"{name}{arguments} {self.of(below.name, (*above, kind))}")
        if kind.endswith(("Connection", "Edge")):
            return f"{{ __typename {' '.join(values)} }}"
        self.fragments[kind] = f"fragment {kind}Values on {kind} {{ __typename {' '.join(values)} }}"
        return f"{{ ...{kind}Values {' '.join(links)} }}"

    def document(self, operation: str) -> str:
        """The operation with the fragments that it needs."""
        return "\n".join([operation, *self.fragments.values()])
