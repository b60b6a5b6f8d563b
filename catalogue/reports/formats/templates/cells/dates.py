"""Dates and months as files write them, in forms such as `DD/MM/YYYY`, `MMM-YY` or `YYYY'M'MM`.

The tokens of a form are YYYY and YY (of this century), MMMM (`January`), MMM (`Jan`), MM and M (one or two digits), DD
and D, and Q (a quarter). Text in single quotes stands for itself, and so does every other character that is no letter.
A form without a day is the whole month, one with Q the quarter, and one of the year alone the year.
"""

import re
from calendar import monthrange
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
LONGEST_FORM = 50
TOKENS = {
    "YYYY": r"(?P<year>[0-9]{4})",
    "YY": r"(?P<short_year>[0-9]{2})",
    "MMMM": rf"(?P<name>{'|'.join(MONTHS)})",
    "MMM": rf"(?P<short_name>{'|'.join(month[:3] for month in MONTHS)})",
    "MM": r"(?P<month>[0-9]{2})",
    "M": r"(?P<month>[0-9]{1,2})",
    "DD": r"(?P<day>[0-9]{2})",
    "D": r"(?P<day>[0-9]{1,2})",
    "Q": r"(?P<quarter>[1-4])",
}
PART = re.compile(r"(YYYY|YY|MMMM|MMM|MM|M|DD|D|Q)|'([^']*)'|([^A-Za-z'])")
# What two forms have in common that read the same text.
SHAPES = {"YYYY": "0000", "YY": "00", "MM": "00", "M": "0", "DD": "00", "D": "0", "Q": "0", "MMMM": "a", "MMM": "a"}


class InvalidDateForm(ValueError):
    """A text is no form of dates."""


class Days(NamedTuple):
    """The first and the last day of what a cell says."""

    start: date
    end: date


class DateReader:
    """Reads dates of some forms. Raises InvalidDateForm."""

    def __init__(self, forms: Sequence[str], *, whole_months: bool = False) -> None:
        self._forms = [re.compile(_expression(form), re.IGNORECASE | re.ASCII) for form in forms]
        self._whole_months = whole_months

    def days(self, text: str) -> Days | None:
        """The days that a text says; None where no form fits, and for a date that does not exist."""
        for form in self._forms:
            if match := form.fullmatch(text):
                return self._days_of(match.groupdict())
        return None

    def _days_of(self, parts: dict[str, str]) -> Days | None:
        year = int(parts.get("year") or f"20{parts['short_year']}")
        try:
            if "quarter" in parts:
                first = 3 * int(parts["quarter"]) - 2
                return Days(date(year, first, 1), _month_end(year, first + 2))
            month = _month(parts)
            if month is None:
                return Days(date(year, 1, 1), date(year, 12, 31))
            if "day" not in parts:
                return Days(date(year, month, 1), _month_end(year, month))
            day = date(year, month, int(parts["day"]))
        except ValueError:
            return None
        return Days(day.replace(day=1), _month_end(year, month)) if self._whole_months else Days(day, day)


def forms_alike(forms: Sequence[str]) -> str | None:
    """A form that reads what an earlier one of these valid forms may mean by another date; None where all differ."""
    shapes = [{_shape(form, one_digit) for one_digit in ("0", "00")} for form in forms]
    return next((form for place, form in enumerate(forms) if any(shapes[place] & one for one in shapes[:place])), None)


def _shape(form: str, one_digit: str) -> str:
    shapes = SHAPES | {"M": one_digit, "D": one_digit}
    return "".join(shapes[token] if token else literal or other for token, literal, other in PART.findall(form))


def _expression(form: str) -> str:
    parts = [*PART.finditer(form)]
    if len(form) > LONGEST_FORM or "".join(part[0] for part in parts) != form:
        raise InvalidDateForm(form)
    expression = "".join(TOKENS[part[1]] if part[1] else re.escape(part[0].strip("'")) for part in parts)
    names = re.findall(r"\(\?P<(\w+)>", expression)
    kinds = [{"short_year": "year", "name": "month", "short_name": "month"}.get(name, name) for name in names]
    has_day_alone = "day" in kinds and "month" not in kinds
    has_quarter_beside = "quarter" in kinds and ("month" in kinds or "day" in kinds)
    if len(set(kinds)) < len(kinds) or "year" not in kinds or has_day_alone or has_quarter_beside:
        raise InvalidDateForm(form)
    return expression


def _month(parts: dict[str, str]) -> int | None:
    if name := parts.get("name") or parts.get("short_name"):
        return [month[:3] for month in MONTHS].index(name[:3].lower()) + 1
    return int(parts["month"]) if "month" in parts else None


def _month_end(year: int, month: int) -> date:
    return date(year, month, monthrange(year, month)[1])
