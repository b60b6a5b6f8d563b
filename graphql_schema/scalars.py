"""Scalars and enums.

A number that JavaScript would round is a string, and a date has exactly one form. Graphene's own scalars guarantee
neither: see docs/decisions/graphql.md.
"""

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal as Number
from enum import Enum
from typing import Any, Self

import graphene
from django.db.models import TextChoices
from django.utils.translation import gettext as _
from graphql import FloatValueNode, GraphQLError, IntValueNode, StringValueNode, ValueNode, print_ast

from dsrhub.values.numbers import AMOUNT, INTEGER_DIGITS

DECIMAL = re.compile("-?" + AMOUNT)
WHOLE_NUMBER = re.compile(f"-?[0-9]{{1,{INTEGER_DIGITS}}}")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Unlike a text, a number may have an exponent: JavaScript writes 0.0000001 as 1e-7.
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
NUMBER_NODES = (IntValueNode, FloatValueNode)

# Where the form of each scalar is specified. The schema and introspection have it as `specifiedBy`.
SPECIFICATIONS = {
    "BigInt": "https://www.w3.org/TR/xmlschema11-2/#integer",
    "Date": "https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
    "DateTime": "https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
    "Decimal": "https://www.w3.org/TR/xmlschema11-2/#decimal",
}


class JSONNumber(float):
    """A number of JSON with a fraction or an exponent, which keeps its digits in `text`.

    The types of GraphQL's specification, such as Int and ID, read it as a float; an amount is read from its text.
    """

    text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __int__(self) -> int:
        # A type that takes a whole number compares it with the float, and refuses it if digits were lost.
        return int(Number(self.text)) if NUMBER.fullmatch(self.text) else super().__int__()

    def __repr__(self) -> str:
        return self.text


class Decimal(graphene.Scalar):
    """An exact decimal number as a string in plain digits: `"0.0000001"`, never `1E-7`.

    An argument may have 30 digits before the point and 60 after it. A number is read to its last digit, too, but many
    clients round numbers before they send them: in variables, send a string.
    """

    @staticmethod
    def serialize(value: Number) -> str:
        return f"{value:f}"

    @staticmethod
    def parse_value(value: Any) -> Number:
        number = _plain(str(value)) if isinstance(value, JSONNumber | Number) else value
        if isinstance(number, (str, int)) and DECIMAL.fullmatch(str(number)):
            return Number(number)
        raise GraphQLError(_("Not a decimal number in plain digits: %(value)s.") % {"value": repr(value)})

    @staticmethod
    def parse_literal(node: ValueNode, _variables: Any = None) -> Number:
        if isinstance(node, NUMBER_NODES):
            return Decimal.parse_value(JSONNumber(node.value))
        return Decimal.parse_value(_literal_text(node))


def _plain(number: str) -> str:
    """The same number in plain digits, if it is one."""
    return f"{Number(number):f}" if NUMBER.fullmatch(number) else number


def _literal_text(node: ValueNode) -> str:
    return node.value if isinstance(node, (*NUMBER_NODES, StringValueNode)) else print_ast(node)


class BigInt(graphene.Scalar):
    """A whole number of any size as a string: JavaScript cannot hold the number `"9223372036854775807"`."""

    @staticmethod
    def serialize(value: int) -> str:
        return str(int(value))

    @staticmethod
    def parse_value(value: Any) -> int:
        if isinstance(value, (str, int)) and WHOLE_NUMBER.fullmatch(str(value)):
            return int(value)
        raise GraphQLError(_("Not a whole number: %(value)s.") % {"value": repr(value)})

    @staticmethod
    def parse_literal(node: ValueNode, _variables: Any = None) -> int:
        return BigInt.parse_value(_literal_text(node))


class Date(graphene.Scalar):
    """A day in the form of ISO 8601: `"2020-01-31"`."""

    @staticmethod
    def serialize(value: date) -> str:
        return value.isoformat()

    @staticmethod
    def parse_value(value: Any) -> date:
        try:
            if isinstance(value, str) and DAY.fullmatch(value):
                return date.fromisoformat(value)
        except ValueError:
            pass
        raise GraphQLError(_("Not a date such as 2020-01-31: %(value)s.") % {"value": repr(value)})

    @staticmethod
    def parse_literal(node: ValueNode, _variables: Any = None) -> date:
        return Date.parse_value(node.value if isinstance(node, StringValueNode) else print_ast(node))


# The enums that `choices_enum` made, by the values of the choices.
_CHOICES_ENUMS: dict[frozenset[str], type[graphene.Enum]] = {}


def choices_enum(choices: type[TextChoices], name: str, description: str, **values: str) -> type[graphene.Enum]:
    """An enum of choices, with the values that REST uses and a description of each."""
    members = Enum(name, {choice.value: choice for choice in choices})  # type: ignore[misc]
    enum = _described_enum(members, description, values)
    _CHOICES_ENUMS[frozenset(choices.values)] = enum
    return enum


def registered_enum(values: Iterable[str]) -> type[graphene.Enum]:
    """The enum that `choices_enum` made of the choices with these values."""
    return _CHOICES_ENUMS[frozenset(values)]


def names_enum(name: str, description: str, **values: str) -> type[graphene.Enum]:
    """An enum of names, with a description of each."""
    members: Any = Enum(name, list(values))  # type: ignore[misc]
    return _described_enum(members, description, values)


def _described_enum(members: type[Enum], description: str, values: dict[str, str]) -> type[graphene.Enum]:
    enum: type[graphene.Enum] = graphene.Enum.from_enum(
        members, description=lambda member: description if member is None else values[member.name]
    )
    return enum
