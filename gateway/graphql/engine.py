"""Answers documents: parses, checks and plans each once, and runs it as one statement where it can be compiled."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from graphql import (
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInputObjectType,
    NoFragmentCyclesRule,
    OperationDefinitionNode,
    OperationType,
    execute_sync,
    get_argument_values,
    parse,
    validate,
)
from graphql.execution.values import VariableValues, get_variable_values

from gateway.graphql import words
from gateway.graphql.compiler import Compiler, NotCompiled, Plan, form, plain, resolved_provenance
from gateway.graphql.cost import cost
from gateway.graphql.limits import COST, Limits, too_long
from gateway.graphql.resolvers import Asking, one
from gateway.graphql.subscriptions import EVENT
from gateway.graphql.times import Asked

if TYPE_CHECKING:
    from graphql import DocumentNode, GraphQLSchema

    from tenants.database import Database

REMEMBERED = 32_000_000
"""Bytes of memory for documents that are remembered, each with what was found of it; `_Known.bytes` estimates them."""


class NotExecuted(Exception):
    """Nothing can be executed, as the errors say; `malformed` where the request does not fit its own document."""

    def __init__(self, errors: list[GraphQLError], *, malformed: bool = False) -> None:
        super().__init__(*errors)
        self.errors, self.malformed = errors, malformed


class OnlyQueries(Exception):
    """The operation is a mutation or a subscription where only a query may be. `args` holds which."""


class OnlySubscriptions(Exception):
    """The operation is a query or a mutation where only a subscription may be. `args` holds which."""


class NotStreamed(Exception):
    """The operation is a subscription, whose answers come one by one."""


@dataclass(frozen=True)
class Answer:
    """`data` as JSON, and what went wrong on the way; `cost` is how many objects the document may ask for.

    `provenance` is what the data rest on (see gateway.graphql.provenance); None where something went wrong.
    """

    data: bytes
    errors: list[GraphQLError]
    cost: int
    provenance: Any = None


@dataclass(frozen=True)
class Subscribed:
    """A subscription that is in order: what its field was given, and how many objects each answer may hold.

    `answers` gives those for events of a city, by its id, its slug and their positions, up to the first that is none.
    """

    arguments: Mapping[str, Any]
    cost: int
    answers: Callable[[UUID, str, Sequence[int]], list[Answer]]


@dataclass(frozen=True)
class _Checked:
    """An operation that may be executed, with the values of its variables."""

    known: _Known
    document: DocumentNode
    operation: OperationDefinitionNode
    given: VariableValues
    cost: int
    variables: dict[str, Any]
    name: str | None


@dataclass
class _Known:
    """What is known of a document: its operations by name, or why it cannot be executed; plans by form."""

    query: str
    document: DocumentNode | None
    errors: list[GraphQLError]
    operations: dict[str | None, OperationDefinitionNode]
    plans: dict[Any, Plan | None] = field(default_factory=dict)
    costs: dict[int, int] = field(default_factory=dict)  # of operations whose cost is the same with any variables
    counted: int = 0

    def bytes(self) -> int:
        """About what it takes, by measurement: a character of a document 100 when parsed, one of a statement 6.

        A short document becomes a long statement where it spreads its fragments often.
        """
        statements = sum(len(plan.sql) for plan in self.plans.values() if plan)
        return 5_000 + 100 * len(self.query) + 1_000 * len(self.plans) + 6 * statements


class Engine:
    """Answers the queries of one schema. Safe to share between threads."""

    def __init__(self, schema: GraphQLSchema, database: Database, *, compiled: bool = True) -> None:
        """`compiled`: whether documents become statements where they can; else the resolvers answer them all."""
        self._schema, self._database = schema, database
        for kind in schema.type_map.values():
            # The library keeps it to itself that exactly one field is to be given; so the rules learn of it.
            if isinstance(kind, GraphQLInputObjectType):
                kind.is_one_of = bool(kind.extensions["strawberry-definition"].is_one_of)
        self._compiler = Compiler(schema) if compiled else None
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def answer(
        self,
        query: str,
        variables: Mapping[str, Any] | None,
        name: str | None,
        *,
        only_queries: bool = False,
        every_city: bool = False,
    ) -> Answer:
        """The answer to a document; raises NotExecuted or NotStreamed, or OnlyQueries where that is asked for.

        `every_city`: whether its provenance lists the cities however many they are.
        """
        checked = self._checked(query, variables, name, only_queries=only_queries)
        if checked.operation.operation is OperationType.SUBSCRIPTION:
            raise NotStreamed
        plan = self._plan(checked.known, checked.operation, checked.given)
        if plan is not None:
            try:
                parameters, provenance = plan.bound(checked.given, every_city=every_city)
            except GraphQLError:
                pass  # The resolvers say where it stands.
            else:
                data, logs = self._run(plan, parameters)
                return Answer(data, [], checked.cost, provenance.read(logs))
        with Asking(self._database) as asking:
            answer = self._executed(checked, asking)
            if answer.errors:
                return answer
            provenance = resolved_provenance(
                self._schema, checked.document, checked.operation, checked.given, every_city=every_city
            )
            return replace(answer, provenance=provenance.asked_by(asking))

    def subscribed(self, query: str, variables: Mapping[str, Any] | None, name: str | None) -> Subscribed:
        """What answers a subscription; raises NotExecuted or OnlySubscriptions."""
        checked = self._checked(query, variables, name)
        if checked.operation.operation is not OperationType.SUBSCRIPTION:
            raise OnlySubscriptions(checked.operation.operation.value)
        root: Any = self._schema.subscription_type
        node = _only_field(checked.document, checked.operation)
        try:
            arguments = plain(get_argument_values(root.fields[node.name.value], node, checked.given))
            plan = self._plan(checked.known, checked.operation, checked.given)
            values = plan.values(checked.given) if plan else {}
        except GraphQLError as wrong:
            raise NotExecuted([wrong]) from None

        def answers(tenant: UUID, city: str, positions: Sequence[int]) -> list[Answer]:
            if plan is None:
                return self._each_executed(checked, tenant, city, positions)
            named = {"tenant": tenant, "positions": list(positions)}
            with self._database.reader() as connection:
                rows = connection.execute(plan.sql, values | named).fetchall()
            spoken = words.spoken if plan.wordy else str
            return [Answer(spoken(row).encode(), [], checked.cost) for (row,) in rows]

        return Subscribed(arguments, checked.cost, answers)

    def _checked(
        self, query: str, variables: Mapping[str, Any] | None, name: str | None, *, only_queries: bool = False
    ) -> _Checked:
        known = self._document(query)
        if known.document is None:
            raise NotExecuted(known.errors)
        operation = _operation(known, name)
        if only_queries and operation.operation is not OperationType.QUERY:
            raise OnlyQueries(operation.operation.value)
        if known.errors:
            raise NotExecuted(known.errors)
        variables = dict(variables or {})
        given = get_variable_values(self._schema, operation.variable_definitions or (), variables)
        if not isinstance(given, VariableValues):
            raise NotExecuted(list(given))
        estimate = known.costs.get(id(operation))
        if estimate is None:
            estimate, always = cost(self._schema, known.document, operation, given)
            if always:
                known.costs[id(operation)] = estimate
        if estimate > COST:
            message = (
                f"The answer may hold {estimate:,} objects; at most {COST:,} are allowed. Ask for fewer at a time."
            )
            raise NotExecuted([GraphQLError(message, operation)])
        return _Checked(known, known.document, operation, given, estimate, variables, name)

    def _run(self, plan: Plan, parameters: Mapping[str, Any]) -> tuple[bytes, list[Any]]:
        with self._database.reader() as connection:
            # The driver prepares what a connection is asked for again and again. Each prepared statement of a document
            # takes about a megabyte of the server's memory, so that one that is asked for once is not.
            row = connection.execute(plan.sql, parameters).fetchone()
        if row is None:
            raise TypeError("a plan has one row")
        data: str = row[0]
        return (words.spoken(data) if plan.wordy else data).encode(), orjson.loads(row[1])

    def _each_executed(self, checked: _Checked, tenant: UUID, city: str, positions: Sequence[int]) -> list[Answer]:
        answers = []
        with Asking(self._database) as asking:
            for position in positions:
                # As known when it was recorded.
                asked = Asked(positions={city: position})
                found = one(asking, self._schema, "TimelineEvent", EVENT, ids=(tenant, position), asked=asked)
                if found is None:
                    break
                answers.append(self._executed(checked, asking, found))
        return answers

    def _executed(self, checked: _Checked, asking: Asking, root: Any = None) -> Answer:
        """What the resolvers answer."""
        result = execute_sync(
            self._schema,
            checked.document,
            root_value=root,
            context_value=asking,
            variable_values=checked.variables,
            operation_name=checked.name,
        )
        if not isinstance(result, ExecutionResult):
            raise TypeError("an operation has one result")
        return Answer(orjson.dumps(result.data), result.errors or [], checked.cost)

    def _plan(self, known: _Known, operation: OperationDefinitionNode, variables: VariableValues) -> Plan | None:
        if self._compiler is None or known.document is None:
            return None
        key = (id(operation), form(variables.coerced))
        if key in known.plans:
            return known.plans[key]
        try:
            plan = self._compiler.compile(known.document, operation, variables)
        except NotCompiled:
            plan = None
        except GraphQLError:
            return None  # Other values may be in order.
        self._remember(known, {key: plan})
        return plan

    def _document(self, query: str) -> _Known:
        with self._lock:
            if query in self._known:
                self._known.move_to_end(query)
                return self._known[query]
        known = self._read(query)
        self._remember(known)
        return known

    def _remember(self, known: _Known, plans: Mapping[Any, Plan | None] = MappingProxyType({})) -> None:
        """Count what is known of a document with these new plans, and forget the oldest documents beyond the limit."""
        with self._lock:
            known.plans.update(plans)
            if self._known.setdefault(known.query, known) is not known:
                return  # Another thread was faster.
            now = known.bytes()
            self._bytes += now - known.counted
            known.counted = now
            while self._bytes > REMEMBERED:
                _, forgotten = self._known.popitem(last=False)
                self._bytes -= forgotten.counted
                forgotten.counted = 0

    def _read(self, query: str) -> _Known:
        if too := too_long(query):
            return _Known(query, None, [too], {})
        try:
            document = parse(query)
            # What is beyond the limits is not looked at any further: that would take more time than to answer it.
            errors = validate(self._schema, document, [NoFragmentCyclesRule, Limits]) or validate(
                self._schema, document
            )
        except GraphQLError as broken:
            return _Known(query, None, [broken.with_traceback(None)], {})
        except RecursionError:
            return _Known(query, None, [GraphQLError("The document is nested too deeply.")], {})
        operations = {
            each.name.value if each.name else None: each
            for each in document.definitions
            if isinstance(each, OperationDefinitionNode)
        }
        return _Known(query, document, errors, operations)


def _only_field(document: DocumentNode, operation: OperationDefinitionNode) -> FieldNode:
    """The only field that a valid subscription selects, behind whatever fragments."""
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    node: Any = operation
    while not isinstance(node, FieldNode):
        node = fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
        node = node.selection_set.selections[0]
    return node


def _operation(known: _Known, name: str | None) -> OperationDefinitionNode:
    """The operation to execute: the one that is named, or the only one (specification §6.1)."""
    if name is not None:
        if name not in known.operations:
            raise NotExecuted([GraphQLError(f"The document holds no operation named {name!r}.")], malformed=True)
        return known.operations[name]
    if len(known.operations) > 1:
        raise NotExecuted([GraphQLError("The document holds several operations: say which with `operationName`.")])
    if not known.operations:
        raise NotExecuted([GraphQLError("The document holds no operation.")])
    return next(iter(known.operations.values()))
