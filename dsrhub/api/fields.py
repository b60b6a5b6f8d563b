"""Fields of serializers that are stricter or more exact than DRF's."""

import re
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers


class WholeNumberField(serializers.IntegerField):
    """A whole number in plain digits. DRF's own field also reads `1_0`, `10.0` and the digits of other scripts."""

    def to_internal_value(self, data: Any) -> int:
        if not re.fullmatch("-?[0-9]+", str(data)):
            self.fail("invalid")
        return super().to_internal_value(data)


class TextField(serializers.CharField):
    """A text in a JSON object. DRF's own field also reads numbers."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class TruthField(serializers.BooleanField):
    """`true` or `false` in a JSON object. DRF's own field also reads texts and numbers."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


def exact_field() -> serializers.BooleanField:
    """The parameter `exact`: with it, numbers that clients may round are text."""
    return serializers.BooleanField(default=False)


# The document describes the parameter in words: a type that depends on it would be a union in every client.
EXACT_IN_WORDS = OpenApiParameter("exact", exclude=True)


@extend_schema_field(OpenApiTypes.INT64)
class Int64Field(serializers.IntegerField):
    """A whole number in an answer that may have 64 bits or more. With `exact` in the context it is text, since many
    clients read JSON numbers as doubles, which are exact only up to 2^53.
    """

    def to_representation(self, value: Any) -> Any:
        number = super().to_representation(value)
        return str(number) if self.context.get("exact") else number


class ExactField(serializers.DecimalField):
    """A decimal number in an answer, as text in plain digits: a JSON number would lose digits in most clients."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=None, decimal_places=None, **options)
