"""What the commands take."""

from argparse import ArgumentTypeError
from datetime import date


def day(word: str) -> date:
    try:
        return date.fromisoformat(word)
    except ValueError as error:
        raise ArgumentTypeError(f"{word!r} is not a day such as 2026-01-31") from error
