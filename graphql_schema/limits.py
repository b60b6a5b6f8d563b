"""The limits of an operation, checked with its text and its variables before anything is executed.

The cost is about the number of fields in the answer. The cost of a field in a list is multiplied by the length of the
list, and a field that queries the database costs more. Each fragment is estimated once, however often it is spread, so
the estimate itself is cheap for any query.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, cast

from django.conf import settings
from graphql import (
    ArgumentNode,
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    IntValueNode,
    KnownFragmentNamesRule,
    NoFragmentCyclesRule,
    NoSchemaIntrospectionCustomRule,
    NoUnusedFragmentsRule,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    UniqueFragmentNamesRule,
    ValueNode,
    ValuesOfCorrectTypeRule,
    VariableDefinitionNode,
    VariableNode,
    get_named_type,
    get_operation_ast,
    is_introspection_type,
    is_list_type,
    parse,
    specified_rules,
    validate,
)
from graphql.execution.execute import get_field_def

from dsrhub.texts.marked import gettext_lazy as _
from graphql_schema.connections import LARGEST_PAGE
from graphql_schema.errors import ERRORS_SHOWN, InvalidDocument, RequestRefused

# A field with arguments queries the database; any other field reads an attribute.
QUERY_COST = 10
# The arguments that bound the length of a list, and the length that is assumed if they have no number.
LENGTH_ARGUMENTS = ("first", "last")
PAGE_LENGTH = LARGEST_PAGE
# The length that is assumed for a list without such arguments.
LIST_LENGTH = 5
# How often an operation may select the same place of the answer.
REPETITIONS = 20

# Walking fragments ends only if the document keeps these rules. The other rules run after the limits were checked:
# some take time that grows with the square of the operation's length.
FRAGMENT_RULES = (UniqueFragmentNamesRule, KnownFragmentNamesRule, NoUnusedFragmentsRule, NoFragmentCyclesRule)


class NamedValuesRule(ValuesOfCorrectTypeRule):
    """Names the argument or variable that has a wrong value, and its location, which our scalars do not know."""

    place: ArgumentNode | VariableDefinitionNode | None = None

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        self.place = node

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> None:
        self.place = node

    def report_error(self, error: GraphQLError) -> None:
        if isinstance(self.place, ArgumentNode):
            name, value = self.place.name.value, self.place.value
            text, named = _("Argument '%(name)s' got an invalid value; %(why)s"), {"argument": name}
        else:  # Values are nowhere else.
            definition = cast(VariableDefinitionNode, self.place)
            name, value = definition.variable.name.value, cast(ValueNode, definition.default_value)
            text, named = _("Variable '$%(name)s' has an invalid default; %(why)s"), {"variable": name}
        message = (text % {"name": name, "why": error.message}).translated()
        super().report_error(GraphQLError(message, error.nodes or value, extensions=named))


RULES = tuple(NamedValuesRule if rule is ValuesOfCorrectTypeRule else rule for rule in specified_rules)


class NoSuchOperation(RequestRefused):
    code = "graphql_operation"


class TooManyTokens(RequestRefused):
    code = "too_many_tokens"


class TooDeep(RequestRefused):
    code = "too_deep"


class TooCostly(RequestRefused):
    code = "too_costly"


class TooRepetitive(RequestRefused):
    code = "too_repetitive"


def parse_query(query: str) -> DocumentNode:
    """Return the document of a query. Raises InvalidDocument, TooManyTokens and TooDeep."""
    limit = settings.DSRHUB_GRAPHQL_TOKENS
    try:
        return parse(query, max_lexical_tokens=limit, max_comments=limit)
    except GraphQLSyntaxError as error:
        # Only the message distinguishes the parser's limits from syntax errors.
        if "Document contains more than" in error.message:
            raise TooManyTokens(
                _("A query may have at most %(limit)s tokens and %(limit)s comments.") % {"limit": limit}, limit=limit
            ) from None
        if "nested too deeply" in error.message:
            raise _too_deep() from None
        raise InvalidDocument("graphql_syntax", [error]) from None


def check_document(
    schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any], name: str | None
) -> OperationType:
    """Return the kind of the operation of that name. Raises InvalidDocument or RequestRefused unless it can be
    executed.
    """
    operation = get_operation_ast(document, name)
    if operation is None or schema.get_root_type(operation.operation) is None:
        raise NoSuchOperation(
            _("`operationName` must name a query or mutation if the document has several operations.")
        )
    _validate(schema, document, FRAGMENT_RULES)
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    # All operations, because the validation rules read all of them.
    for each in document.definitions:
        if isinstance(each, OperationDefinitionNode):
            _refuse_excess(Estimator(schema, fragments, each, variables).operation())
            _refuse_repetition(fragments, [each.selection_set])
    hidden = () if settings.DSRHUB_GRAPHQL_INTROSPECTION else (NoSchemaIntrospectionCustomRule,)
    _validate(schema, document, (*RULES, *hidden))
    return operation.operation


def _validate(schema: GraphQLSchema, document: DocumentNode, rules: tuple[type[ASTValidationRule], ...]) -> None:
    # Suggestions would show names that introspection hides.
    is_open = settings.DSRHUB_GRAPHQL_INTROSPECTION
    errors = validate(schema, document, rules, max_errors=ERRORS_SHOWN, hide_suggestions=not is_open)
    if errors:
        raise InvalidDocument("graphql_validation", errors)


class Estimate(NamedTuple):
    cost: int
    depth: int


def _refuse_excess(estimate: Estimate) -> None:
    limit = settings.DSRHUB_GRAPHQL_COST
    if estimate.depth > settings.DSRHUB_GRAPHQL_DEPTH:
        raise _too_deep(depth=estimate.depth)
    if estimate.cost > limit:
        raise TooCostly(
            _("The operation costs %(cost)s; the limit is %(limit)s.") % {"cost": estimate.cost, "limit": limit},
            cost=estimate.cost,
            limit=limit,
        )


def _too_deep(**depth: int) -> TooDeep:
    limit = settings.DSRHUB_GRAPHQL_DEPTH
    return TooDeep(_("Fields may be nested at most %(limit)s levels deep.") % {"limit": limit}, **depth, limit=limit)


class Estimator:
    """Estimates the cost of an operation, valid or not. Fields that directives skip count too."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> None:
        self._schema, self._fragments, self._operation = schema, fragments, operation
        defaults = {
            each.variable.name.value: self._value(each.default_value, None)
            for each in operation.variable_definitions
            if each.default_value
        }
        self._variables = {**defaults, **variables}
        self._estimates: dict[str, Estimate] = {}

    def operation(self) -> Estimate:
        return self._selections(self._operation.selection_set, self._schema.get_root_type(self._operation.operation))

    def _selections(self, selections: SelectionSetNode, parent: GraphQLNamedType | None) -> Estimate:
        parts = [self._selection(each, parent) for each in selections.selections]
        return Estimate(sum(part.cost for part in parts), max(part.depth for part in parts))

    def _selection(self, selection: SelectionNode, parent: GraphQLNamedType | None) -> Estimate:
        if isinstance(selection, FieldNode):
            return self._field(selection, parent)
        if isinstance(selection, InlineFragmentNode):
            return self._fragment(selection, parent)
        name = cast(FragmentSpreadNode, selection).name.value
        if name not in self._estimates:
            self._estimates[name] = self._fragment(self._fragments[name], parent)
        return self._estimates[name]

    def _fragment(
        self, fragment: FragmentDefinitionNode | InlineFragmentNode, parent: GraphQLNamedType | None
    ) -> Estimate:
        condition = fragment.type_condition
        of_type = self._schema.get_type(condition.name.value) if condition else parent
        return self._selections(fragment.selection_set, of_type)

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Estimate:
        field = self._definition(node, parent)
        own = 1 if field is None or not field.args or (parent and is_introspection_type(parent)) else QUERY_COST
        if node.selection_set is None:
            return Estimate(own, 1)
        each = self._selections(node.selection_set, get_named_type(field.type) if field else None)
        return Estimate(own + self._length(node, field, parent) * each.cost, 1 + each.depth)

    def _definition(self, node: FieldNode, parent: GraphQLNamedType | None) -> GraphQLField | None:
        if isinstance(parent, GraphQLObjectType):
            return get_field_def(self._schema, parent, node)
        return parent.fields.get(node.name.value) if isinstance(parent, GraphQLInterfaceType) else None

    def _length(self, node: FieldNode, field: GraphQLField | None, parent: GraphQLNamedType | None) -> int:
        """Return the assumed number of objects in a field. The lists inside a page count with the page."""
        if field is None:
            return 1
        lengths = [self._argument(node, field, name) for name in LENGTH_ARGUMENTS if name in field.args]
        if lengths:
            return max((length for length in lengths if length is not None), default=PAGE_LENGTH)
        is_list = is_list_type(field.type) or is_list_type(getattr(field.type, "of_type", None))
        return LIST_LENGTH if is_list and "pageInfo" not in getattr(parent, "fields", ()) else 1

    def _argument(self, node: FieldNode, field: GraphQLField, name: str) -> int | None:
        """Return the whole number that an argument has, or None."""
        value = field.args[name].default_value
        for argument in node.arguments:
            if argument.name.value == name:
                value = self._value(argument.value, value)
        # In JSON, 100.0 is the same number as 100.
        is_number = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return max(int(value), 0) if is_number else None

    def _value(self, node: ValueNode, default: Any) -> Any:
        if isinstance(node, VariableNode):
            return self._variables.get(node.name.value, default)
        # No argument takes a longer number, and Python refuses to parse a very long one.
        return int(node.value[:20]) if isinstance(node, IntValueNode) else None


def _refuse_repetition(fragments: Mapping[str, FragmentDefinitionNode], merged: Iterable[SelectionSetNode]) -> None:
    """Raise TooRepetitive if selection sets that are merged select one place of the answer too often.

    Fragments are walked wherever they are spread; the limit of the cost bounds that.
    """
    places: dict[str, list[FieldNode]] = {}
    for selections in merged:
        for field in _fields(fragments, selections):
            name = (field.alias or field.name).value
            repeated = places.setdefault(name, [])
            repeated.append(field)
            if len(repeated) > REPETITIONS:
                text = _("%(name)s is selected more than %(limit)s times in the same place.")
                raise TooRepetitive(text % {"name": repr(name), "limit": REPETITIONS}, limit=REPETITIONS)
    for repeated in places.values():
        _refuse_repetition(fragments, [field.selection_set for field in repeated if field.selection_set])


def _fields(fragments: Mapping[str, FragmentDefinitionNode], selections: SelectionSetNode) -> Iterator[FieldNode]:
    """Yield the fields of a selection set, including those of its fragments."""
    for selection in selections.selections:
        if isinstance(selection, FieldNode):
            yield selection
        elif isinstance(selection, InlineFragmentNode):
            yield from _fields(fragments, selection.selection_set)
        elif isinstance(selection, FragmentSpreadNode):
            yield from _fields(fragments, fragments[selection.name.value].selection_set)
