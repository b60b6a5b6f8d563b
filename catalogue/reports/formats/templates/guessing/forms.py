"""How the numbers and dates of a sample are written."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import cache

from catalogue.reports.formats.templates.cells.dates import DateReader, Days
from catalogue.reports.formats.templates.definition import DateForm, Negative, NumberForm

NUMBER = re.compile(r"[-−+]?\(?[-−+]?[0-9][0-9.,'’   ]*(?:[eE][+-]?[0-9]+)?[-−]?\)?")
GROUPED = re.compile(r"[0-9]{1,3}(?:([.,'’   ])[0-9]{3})+")
# The digits between two signs for thousands.
GROUP = 3
SPACES = "    "
# Forms that senders use, the most likely one first where the same cells fit.
DATE_FORMS = (
    *("YYYY-MM-DD", "YYYY-MM", "YYYYMMDD", "YYYYMM", "YYYY/MM/DD", "YYYY/MM", "YYYY.MM.DD", "YYYY.MM"),
    *("DD/MM/YYYY", "MM/DD/YYYY", "DD.MM.YYYY", "DD-MM-YYYY", "MM-DD-YYYY", "MM/YYYY", "MM.YYYY", "MM-YYYY"),
    *("D/M/YYYY", "M/D/YYYY", "D.M.YYYY", "M/YYYY", "M-YYYY", "DD/MM/YY", "MM/DD/YY", "DD.MM.YY", "D/M/YY", "M/D/YY"),
    *("MMM-YY", "MMM YY", "MMM-YYYY", "MMM YYYY", "MMMM YYYY", "MMMM-YYYY", "MMMM YY", "DD-MMM-YYYY", "DD-MMM-YY"),
    *("D-MMM-YYYY", "D-MMM-YY", "DD MMM YYYY", "D MMM YYYY", "MMM D, YYYY", "MMMM D, YYYY", "YYYY-MMM"),
    *("YYYY'M'MM", "YYYY'M'M", "YYYY-'M'MM", "'Q'Q YYYY", "'Q'Q-YYYY", "YYYY-'Q'Q", "YYYY 'Q'Q", "YYYY'Q'Q"),
    *("YYYY-MM-DD 00:00:00", "YYYY-MM-DD'T'00:00:00", "YYYY-MM-DD'T'00:00:00'Z'", "YYYY"),
)


@cache
def _reader(form: str) -> DateReader:
    return DateReader([form])


def is_date(cell: str) -> bool:
    return any(_reader(form).days(cell) for form in DATE_FORMS)


def is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell.strip()) is not None


# --- Dates -----------------------------------------------------------------------------------------------------


def date_form_of(columns: Sequence[Sequence[str]]) -> tuple[DateForm, bool]:
    """The form of the dates in some columns, without forms where none fits, and whether it is in doubt.

    Two columns are the start and the end of periods, one is a period or a day.
    """
    cells = {cell for column in columns for cell in column if cell}
    forms = [form for form in DATE_FORMS if cells and all(_reader(form).days(cell) for cell in cells)]
    if not forms:
        return DateForm(), bool(cells)
    is_single = len(columns) == 1
    if not is_single:
        forms = [form for form in forms if _are_periods(form, columns)] or forms
    readings = {tuple(_reader(form).days(cell) for cell in sorted(cells)) for form in forms}
    # Reports of months are far more common than reports of some days.
    months = [form for form in forms if is_single and _are_months(form, cells)]
    form = (*months, *forms)[0]
    stands_for_month = bool(months) or (is_single and _has_days_of_a_month(form, cells))
    return DateForm((form,), stands_for_month), len(readings) > 1


def _are_periods(form: str, columns: Sequence[Sequence[str]]) -> bool:
    """Whether no period of two columns ends before it starts, and each ends at the end of a month."""
    reader = _reader(form)
    pairs = [(reader.days(start), reader.days(end)) for start, end in zip(*columns[:2], strict=False) if start and end]
    return all(start and end and start.start <= end.end and _ends_month(end) for start, end in pairs)


def _ends_month(days: Days) -> bool:
    return (days.end + timedelta(days=1)).day == 1


def _are_months(form: str, cells: Iterable[str]) -> bool:
    """Whether all cells are the first day of a month, or all the last."""
    found = [days for cell in cells if (days := _reader(form).days(cell))]
    return "D" in form and (all(days.start.day == 1 for days in found) or all(map(_ends_month, found)))


def _has_days_of_a_month(form: str, cells: Iterable[str]) -> bool:
    found = {days.start for cell in cells if (days := _reader(form).days(cell))}
    return "D" in form and len(found) > len({(day.year, day.month) for day in found})


# --- Numbers ---------------------------------------------------------------------------------------------------


def number_form_of(cells: Iterable[str]) -> tuple[NumberForm, bool]:
    """The form of numbers, and whether their decimal sign is in doubt: `1,234` may be a thousand or one."""
    decimals, thousands, unclear = Counter[str](), Counter[str](), Counter[str]()
    negatives = set()
    for cell in cells:
        text = cell.strip()
        if text and NUMBER.fullmatch(text):
            negatives |= _negatives(text)
            _note_signs(re.sub(r"[-−+()]|[eE].*", "", text), decimals, thousands, unclear)
    decimal, is_doubtful = _decimal_sign(decimals, thousands, unclear)
    groups = [sign for sign in thousands if sign != decimal]
    form = NumberForm(decimal, groups[0] if groups else "", tuple(one for one in Negative if one in negatives))
    return form, is_doubtful or len(groups) > 1 or bool(decimals[_other(decimal)])


def _negatives(text: str) -> set[Negative]:
    found = set()
    if text.endswith(("-", "−")):
        found.add(Negative.TRAILING_MINUS)
    if text.startswith("(") and text.endswith(")"):
        found.add(Negative.PARENTHESES)
    return found


def _note_signs(digits: str, decimals: Counter[str], thousands: Counter[str], unclear: Counter[str]) -> None:
    """Note what the signs of a number can only be, or that its only sign may be both."""
    signs = [_plain_sign(sign) for sign in digits if not sign.isdigit()]
    if not signs:
        return
    last = signs[-1]
    part = re.split("[^0-9]", digits)[-1]
    whole = digits[: -len(part) - 1]
    if last in (" ", "'") or (len(signs) > 1 and len(set(signs)) == 1):
        thousands[last] += 1
    elif len(signs) > 1:
        decimals[last] += 1
        thousands[signs[0]] += 1
    elif len(part) == GROUP and 1 <= len(whole) <= GROUP and whole != "0":
        unclear[last] += 1
    else:
        decimals[last] += 1


def _plain_sign(sign: str) -> str:
    return " " if sign in SPACES else "'" if sign == "’" else sign


def _decimal_sign(decimals: Counter[str], thousands: Counter[str], unclear: Counter[str]) -> tuple[str, bool]:
    """The decimal sign, and whether the numbers leave it open."""
    if decimals:
        decimal = decimals.most_common(1)[0][0]
        # Then the other sign of `1.204` is no decimal sign.
        thousands.update({sign: count for sign, count in unclear.items() if sign != decimal})
        return decimal, False
    for sign in ".,":
        if thousands[sign]:
            return _other(sign), False
    if not unclear:
        return ".", False
    thousands.update(unclear if "," in unclear else ())
    return ".", True


def _other(sign: str) -> str:
    return "," if sign == "." else "."
