"""The schema as a whole: its committed text, its descriptions and its pagination."""

from pathlib import Path

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    get_named_type,
    is_introspection_type,
    is_specified_scalar_type,
    print_schema,
)

import graphql_schema
from catalogue.models import DSR, RateMethod, ReportProblem, RevenueKind
from graphql_schema.schema import schema
from subscriptions.models import LimitScope, LimitSpan, Subscription, UsageType

TYPES = {
    name: of_type
    for name, of_type in schema.graphql_schema.type_map.items()
    if not is_introspection_type(of_type) and not is_specified_scalar_type(of_type)
}


def parts(of_type):
    """The fields of a type with their arguments, or the values of an enum."""
    if isinstance(of_type, GraphQLEnumType):
        yield from of_type.values.items()
    if isinstance(of_type, (GraphQLObjectType, GraphQLInputObjectType)):
        for name, field in of_type.fields.items():
            yield name, field
            yield from ((f"{name}({argument})", each) for argument, each in getattr(field, "args", {}).items())


def test_the_text_of_the_schema_is_up_to_date():
    """To update it, run `python manage.py graphql_schema`."""
    text = (Path(graphql_schema.__file__).parent / "schema.graphql").read_text()
    assert text == print_schema(schema.graphql_schema)


def test_everything_is_described():
    assert [name for name, of_type in TYPES.items() if not of_type.description] == []
    assert [
        f"{name}.{part}" for name, of_type in TYPES.items() for part, each in parts(of_type) if not each.description
    ] == []


def test_enum_values_are_the_codes_of_rest():
    choices = {
        "DSRStatus": DSR.Status,
        "RateMethod": RateMethod,
        "RevenueKind": RevenueKind,
        "ProblemLevel": ReportProblem.Level,
        "UsageType": UsageType,
        "Carrier": Subscription.Carrier,
        "SubscriptionStatus": Subscription.Status,
        "LimitSpan": LimitSpan,
        "LimitScope": LimitScope,
    }
    assert {name: list(TYPES[name].values) for name in choices} == {
        name: [choice.value for choice in of_name] for name, of_name in choices.items()
    }
    assert list(TYPES["DSRStatus"].values) == ["ingested", "failed"]
    assert list(TYPES["UsageType"].values) == ["data", "voice"]


def test_every_list_is_paginated():
    lists = {
        f"{name}.{field}"
        for name, of_type in TYPES.items()
        if isinstance(of_type, GraphQLObjectType) and not name.endswith("Connection")
        for field, each in of_type.fields.items()
        if "[" in str(each.type) and each.args == {}
    }
    # At most two rows, data and voice; at most twelve months; and at most twenty recordings.
    months = {"IncompleteMonths.now", "IncompleteMonths.before"}
    # As many results as records were sent.
    results = {"SendUsageRecords.results"}
    assert lists == {"SubscriptionOverLimit.exceeded", "DifferentRecordings.largest", *months, *results}
    pages = [
        each
        for of_type in TYPES.values()
        if isinstance(of_type, GraphQLObjectType)
        for each in of_type.fields.values()
        if get_named_type(each.type).name.endswith("Connection")
    ]
    assert len(pages) == 33
    assert all({"first", "after"} <= each.args.keys() for each in pages)
