"""What the management commands of all applications share."""

import gc
from argparse import ArgumentTypeError
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dsrhub.exceptions import DsrhubError
from dsrhub.values.numbers import plain_decimal, plain_whole_number


class DsrhubCommand(BaseCommand):
    """A command that prints why something was refused on one line, and ends with an error."""

    def run_from_argv(self, argv: list[str]) -> None:
        # What is loaded by now stays until the end: the search for garbage need not look at it again and again, which
        # takes 8 % of the time to read a message.
        gc.freeze()
        super().run_from_argv(argv)

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except DsrhubError as error:
            raise CommandError(error.message) from error


def whole_number(word: str) -> int:
    """The type of an argument that is a whole number."""
    number = plain_whole_number(word)
    if number is None:
        raise ArgumentTypeError(f"{word!r} is not a whole number")
    return number


def decimal_number(word: str) -> Decimal:
    """The type of an argument that is a decimal number."""
    number = plain_decimal(word)
    if number is None:
        raise ArgumentTypeError(f"{word!r} is not a number in plain digits, such as 12.50")
    return number


def day(word: str) -> date:
    """The type of an argument that is a day."""
    try:
        return date.fromisoformat(word)
    except ValueError as error:
        raise ArgumentTypeError(f"{word!r} is not a day such as 2026-01-31") from error
