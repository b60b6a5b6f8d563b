"""The fields of declared totals over REST."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rest_framework import serializers
from rest_framework.fields import empty

from catalogue.dsrs.declared import (
    MEASURES,
    SIGNED_AMOUNT,
    SIGNED_AMOUNT_IN_WORDS,
    WHOLE_NUMBER,
    WHOLE_NUMBER_IN_WORDS,
    DeclaredTotals,
)


class PlainNumberField(serializers.RegexField):
    """A number in plain digits, of which none is lost: a text, or a number of JSON."""

    def __init__(self, pattern: str, words: str, kind: type[int | Decimal], help_text: str) -> None:
        self._kind = kind
        invalid: dict[str, Any] = {"invalid": f"Must be {words}."}
        super().__init__(
            rf"^{pattern}\Z", required=False, trim_whitespace=False, error_messages=invalid, help_text=help_text
        )

    def run_validation(self, data: Any = empty) -> Any:
        text = super().run_validation(data)
        return self._kind(text)


def whole_number(help_text: str) -> PlainNumberField:
    return PlainNumberField(WHOLE_NUMBER, WHOLE_NUMBER_IN_WORDS, int, help_text)


def signed_amount(help_text: str) -> PlainNumberField:
    return PlainNumberField(SIGNED_AMOUNT, SIGNED_AMOUNT_IN_WORDS, Decimal, help_text)


def declared_of(sent: Mapping[str, Any], prefix: str = "") -> DeclaredTotals:
    """The declared totals among validated values."""
    return DeclaredTotals(**{name: sent.get(f"{prefix}{name}") for name in MEASURES})
