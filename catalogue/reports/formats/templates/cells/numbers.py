"""Numbers as a template says that they are written. What does not fit is never guessed."""

import re
from collections.abc import Callable, Sequence

from catalogue.reports.cells import CellError, plain_integer, plain_number
from catalogue.reports.formats.templates.codes import TemplateError
from catalogue.reports.formats.templates.definition import Negative, NumberForm
from catalogue.reports.problems import CommonError
from dsrhub.values.numbers import DECIMALS

# What people write for a sign: a no-break space is a space, too.
VARIANTS = {" ": " \xa0\u2009\u202f", "'": "'’"}
# So many digits fit into a signed integer of 64 bits.
PLAIN_DIGITS = 18
PLAIN = NumberForm()
MINUS = "-−"
DIGIT = re.compile("[0-9]")
# The plain forms of cells that are remembered: most numbers of a file are few.
MOST_REMEMBERED = 50_000


class NumberReader:
    """The plain digits of cells: `1.234,50-` is `-1234.50`, if the form says so."""

    def __init__(self, form: NumberForm, *, is_whole: bool) -> None:
        self._expression = re.compile(_expression(form))
        self._plain: Callable[[str], str] = plain_integer if is_whole else plain_number
        self._remembered: dict[str, str] = {"": ""}
        self._usual = re.compile(rf"(?:{_usual(form, is_whole=is_whole)}\n)*+")
        self._form = form

    def column(self, cells: Sequence[str]) -> Sequence[str]:
        """The numbers of many cells. Most columns have nothing unusual, and are read at once. Raises CellError."""
        joined = "\n".join(cells)
        if not self._usual.fullmatch(joined + "\n"):
            return [self.plain(cell) for cell in cells]
        if self._form.thousands:
            joined = joined.replace(self._form.thousands, "")
        return cells if self._form == PLAIN else joined.replace(self._form.decimal, ".").split("\n")

    def plain(self, cell: str) -> str:
        """The number in the form of `catalogue.reports.cells`; a blank cell stays blank.

        Raises CellError: not_a_number, number_form_differs, not_an_integer, number_out_of_range.
        """
        known = self._remembered.get(cell)
        if known is not None:
            return known
        plain = self._read(cell.strip())
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered = {"": ""}
        self._remembered[cell] = plain
        return plain

    def _read(self, cell: str) -> str:
        if not cell:
            return ""
        match = self._expression.fullmatch(cell)
        parts = match.groupdict("") if match else {}
        signs = [parts[name] for name in ("minus", "behind", "open") if parts.get(name)]
        if not parts or len(signs) > 1 or bool(parts.get("open")) != bool(parts.get("close")):
            raise CellError(TemplateError.NUMBER_FORM_DIFFERS if DIGIT.search(cell) else CommonError.NOT_A_NUMBER)
        whole = re.sub("[^0-9]", "", parts["whole"])
        return self._plain(f"{'-' * len(signs)}{whole or '0'}.{parts['part'] or parts['only']}{parts['power']}")


def _usual(form: NumberForm, *, is_whole: bool) -> str:
    """Cells that need nothing but other signs: in range, and without spaces and exponents. A whole number has no part.

    No group has a possessive quantifier: see the cells of TSV reports.
    """
    sign = re.escape(form.thousands)
    grouped = rf"[0-9]{{1,3}}(?:{sign}[0-9]{{3}}){{1,5}}(?![0-9])|" if sign else ""
    part = "" if is_whole else rf"(?:{re.escape(form.decimal)}[0-9]{{1,{DECIMALS}}}+|)"
    return rf"(?:-?(?:{grouped}[0-9]{{1,{PLAIN_DIGITS}}}+){part}|)"


def _expression(form: NumberForm) -> str:
    """The cells that may be numbers of this form. At most one of `minus`, `behind` and `open` is in a negative one.

    With a sign for thousands, a number has none of it, or one before each three digits.
    """
    decimal = re.escape(form.decimal)
    groups = f"[{VARIANTS.get(form.thousands, form.thousands)}]"
    whole = f"[0-9]+|[0-9]{{1,3}}(?:{groups}[0-9]{{3}})+" if form.thousands else "[0-9]+"
    digits = f"(?:(?P<whole>{whole})(?:{decimal}(?P<part>[0-9]*))?|{decimal}(?P<only>[0-9]+))"
    power = "(?P<power>[eE][+-]?[0-9]+)?"
    behind = f"(?P<behind>[{MINUS}])?" if Negative.TRAILING_MINUS in form.negatives else ""
    is_in = Negative.PARENTHESES in form.negatives
    before, after = (r"(?P<open>\()?", r"(?P<close>\))?") if is_in else ("", "")
    return rf"{before}(?:\+|(?P<minus>[{MINUS}]))?{digits}{power}{behind}{after}"
