"""Queries and mutations of every field of the schema, with hostile arguments."""

import json
from random import Random
from typing import Any

from django.test import Client
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
)

from graphql_schema.schema import schema
from tests.faults.hostile.trial import Requests
from tests.faults.hostile.values import changed_bytes, json_value, raw_json, text

# How deep a selection goes. Deeper ones are refused.
MOST_DEPTH = 7


class GraphqlRequests(Requests):
    """`POST /graphql`."""

    share = 5

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        roots = {"query": schema.graphql_schema.query_type, "mutation": schema.graphql_schema.mutation_type}
        self._fields = [
            (kind, name, field) for kind, root in roots.items() if root for name, field in sorted(root.fields.items())
        ]

    def try_with(self, random: Random, case: list[object]) -> str:
        kind, name, field = random.choice(self._fields)
        names: dict[str, Any] = {}
        declared: list[str] = []
        chosen = _field(random, name, field, 0, names, declared)
        query = f"{kind} {'(' + ', '.join(declared) + ')' if declared else ''} {{ {chosen} }}"
        content = json.dumps({"query": query, "variables": names}).encode()
        if random.random() < 0.15:
            content = changed_bytes(random, content)
        case += [content]
        with self.undone():
            response = self.client.generic("POST", "/graphql", content, "application/json")
            answer = self.check(response)
            for error in answer.get("errors", []):
                code = error["extensions"]["code"]
                assert error["message"], error
                assert code, error
                assert code != "internal_error", error
                assert code != "timeout", error
            if answer.get("errors") and not any((answer.get("data") or {}).values()):
                self.assert_unchanged()
        codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
        return min(codes) if codes else "answered"


def _field(
    random: Random, name: str, field: GraphQLField, depth: int, names: dict[str, Any], declared: list[str]
) -> str:
    chosen = [
        (key, one) for key, one in field.args.items() if isinstance(one.type, GraphQLNonNull) or random.random() < 0.4
    ]
    values = []
    for key, one in chosen:
        if random.random() < 0.3:
            variable = f"v{len(declared)}"
            declared.append(f"${variable}: {one.type}")
            names[variable] = _variable(random, one)
            values.append(f"{key}: ${variable}")
        else:
            values.append(f"{key}: {_literal(random, one.type)}")
    if random.random() < 0.03:
        values.append(f"{random.choice(['first', 'after', 'x', 'id'])}: {_hostile_literal(random)}")
    return f"{name}{'(' + ', '.join(values) + ')' if values else ''}{_selection(random, field, depth, names, declared)}"


def _selection(random: Random, field: GraphQLField, depth: int, names: dict[str, Any], declared: list[str]) -> str:
    kind = get_named_type(field.type)
    if not isinstance(kind, GraphQLObjectType):
        return ""
    fields = sorted(kind.fields.items())
    plain = [pair for pair in fields if not isinstance(get_named_type(pair[1].type), GraphQLObjectType)]
    nested = [pair for pair in fields if pair not in plain]
    if depth >= MOST_DEPTH or random.random() < 0.1:
        nested = []
    # Rows are under `edges` and `node`.
    way = [pair for pair in nested if pair[0] in ("edges", "node")]
    count = random.randint(1, 3)
    chosen = random.sample(plain, min(count, len(plain))) + (way or random.sample(nested, min(1, len(nested))))
    parts = [_field(random, name, one, depth + 1, names, declared) for name, one in chosen]
    return " { " + " ".join(parts or ["__typename"]) + " }"


def _variable(random: Random, argument: GraphQLArgument) -> Any:
    kind = get_named_type(argument.type)
    if isinstance(kind, GraphQLEnumType) and random.random() < 0.7:
        return random.choice(sorted(kind.values))
    return random.choice([json_value(random), text(random), 1, "1", "2020-01", "2020-01-01", "Spotify", "1.5", True])


def _literal(random: Random, kind: Any) -> str:
    """A literal that the type allows in most cases."""
    if random.random() < 0.2:
        return _hostile_literal(random)
    if isinstance(kind, GraphQLNonNull):
        return _literal(random, kind.of_type)
    if isinstance(kind, GraphQLList):
        return "[" + ", ".join(_literal(random, kind.of_type) for _ in range(random.randrange(4))) + "]"
    if isinstance(kind, GraphQLInputObjectType):
        parts = [f"{key}: {_literal(random, one.type)}" for key, one in kind.fields.items() if random.random() < 0.8]
        return "{" + ", ".join(parts) + "}"
    if isinstance(kind, GraphQLEnumType):
        return random.choice(sorted(kind.values))
    return {
        "Int": lambda: random.choice(["1", "10", "100", "0", "-1", "2147483647"]),
        "Boolean": lambda: random.choice(["true", "false"]),
        "ID": lambda: random.choice(["1", "2", '"1"', '"x"']),
    }.get(kind.name, lambda: json.dumps(random.choice(["1", "2020-01", "2020-01-01", "ES", "EUR", text(random)])))()


def _hostile_literal(random: Random) -> str:
    return random.choice([json.dumps(text(random)), raw_json(random), "{a: 1}", "[1, null]", "x", "null"])
