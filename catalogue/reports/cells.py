"""Cells of any format: numbers digit for digit, and ISRCs in their compact form."""

import re

from catalogue.reports.problems import CommonError, CommonWarning, ErrorCode, WarningCode
from dsrhub.texts.invisible import has_invisible
from dsrhub.values.numbers import DECIMALS, INTEGER_DIGITS

# In bytes of UTF-8. A longer cell is an error in every format (`check_length`): a page of lines with megabytes each
# would fill the memory of a server.
LONGEST_CELL = 4096

CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
NUMBER = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<whole>[0-9]+)(?:\.(?P<part>[0-9]*))?|\.(?P<only>[0-9]+))(?:[eE](?P<power>[+-]?[0-9]+))?"
)
# ISO 3901: two letters and three letters or digits of the registrant, two digits of the year, five of the recording.
ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
# A large number as spreadsheets show it: `5.01235E+12`.
ROUNDED = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+[0-9]+")
BIGINT_MIN, BIGINT_MAX = -(2**63), 2**63 - 1
POWER_DIGITS = 7


class CellError(ValueError):
    """A cell cannot be read; its code says why."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code)
        self.code = code


def fault_in_utf8(text: bytes) -> int | None:
    """The position of the first byte that is no UTF-8; None if there is none."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return error.start
    return None


def check_length(cell: str) -> None:
    """Raises CellError: cell_too_long."""
    # A character has at least one byte and at most four, so most cells need not be encoded.
    if len(cell) > LONGEST_CELL or (len(cell) > LONGEST_CELL // 4 and len(cell.encode()) > LONGEST_CELL):
        raise CellError(CommonError.CELL_TOO_LONG)


def id_warning(cell: str) -> WarningCode | None:
    """Why people should look at an id that is not blank. It stays as it was delivered."""
    if has_invisible(cell):
        return CommonWarning.INVISIBLE_CHARACTER
    return CommonWarning.DSP_ID_ROUNDED if ROUNDED.fullmatch(cell) else None


def plain_number(cell: str) -> str:
    """The same number without sign `+` and exponent, digit for digit: `2.5e-3` is `0.0025`.

    Raises CellError: not_a_number, number_out_of_range.
    """
    match = NUMBER.fullmatch(cell)
    if match is None:
        raise CellError(CommonError.NOT_A_NUMBER)
    whole = match["whole"] or ""
    part = match["part"] or match["only"] or ""
    digits = whole + part
    sign = "-" if match["sign"] == "-" else ""
    if not digits.strip("0"):
        return sign + "0"
    point = len(whole) + _power(match["power"] or "0")
    # The point moves only as far as a number in range allows: no exponent makes a gigabyte of zeros.
    leading_zeros = len(digits) - len(digits.lstrip("0"))
    if not -DECIMALS <= point - leading_zeros <= INTEGER_DIGITS:
        raise CellError(CommonError.NUMBER_OUT_OF_RANGE)
    if point < 0:
        digits, point = "0" * -point + digits, 0
    digits = digits.ljust(point, "0")
    whole, part = digits[:point].lstrip("0") or "0", digits[point:]
    if len(part) > DECIMALS:
        part = part.rstrip("0")
    if len(part) > DECIMALS:
        raise CellError(CommonError.NUMBER_OUT_OF_RANGE)
    return sign + whole + ("." + part if part else "")


def _power(digits: str) -> int:
    sign, digits = (-1, digits[1:]) if digits[0] == "-" else (1, digits.lstrip("+"))
    digits = digits.lstrip("0") or "0"
    # Python refuses to read thousands of digits. A number with a longer exponent is out of range, or zero, in any case.
    return sign * (int(digits) if len(digits) <= POWER_DIGITS else 10**POWER_DIGITS)


def plain_integer(cell: str) -> str:
    """The same whole number in digits alone: `5.0` and `5e0` are `5`.

    Raises CellError: not_a_number, not_an_integer, number_out_of_range (not within a signed 64-bit integer).
    """
    whole, _, part = plain_number(cell).partition(".")
    if part.strip("0"):
        raise CellError(CommonError.NOT_AN_INTEGER)
    if not BIGINT_MIN <= int(whole) <= BIGINT_MAX:
        raise CellError(CommonError.NUMBER_OUT_OF_RANGE)
    return str(int(whole))


def plain_isrc(cell: str) -> str:
    """The ISRC in its compact form: `ISRC es-abc-20-00001` is `ESABC2000001`. Check the result with `ISRC`."""
    compact = re.sub("[- ]", "", cell)
    # Other scripts' letters stay what they are: in capitals, `ß` would become two letters, and valid ones.
    compact = compact.upper() if compact.isascii() else compact
    # `IS-RC1-20-00001` is an ISRC from Iceland.
    return compact.removeprefix("ISRC") if len(compact) > len("ESABC2000001") else compact
