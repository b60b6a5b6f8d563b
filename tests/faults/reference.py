"""An independent reader of reports: slow, by the rules of docs/formats/tsv.md, and without code of dsrhub."""

import gzip
import re
import zlib
from dataclasses import dataclass
from decimal import Context, Decimal

COLUMNS = {"dsp_id", "title", "artists", "isrc", "usages", "revenue"}
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# Enough digits for every sum here.
EXACT = Context(prec=200)
LONGEST_LINE = 1024 * 1024
LONGEST_CELL = 4096


class NoReport(Exception):
    """The content must be refused."""


@dataclass(frozen=True)
class Totals:
    """The numbers of lines, recordings and filled cells, and the sums, which distinguish one report from another."""

    lines: int
    dsp_ids: int
    filled: tuple[int, int, int, int, int]  # title, artists, isrc, usages, revenue
    usages: int
    revenue: Decimal


def unpacked(name: str, data: bytes) -> bytes:
    """Return the content. Raises NoReport if the data of a `.gz` file is not a complete gzip file."""
    if not name.endswith(".gz"):
        return data
    try:
        content = gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise NoReport(str(error)) from error
    if not data:
        raise NoReport("an empty gzip file")
    return content


def rows(content: bytes) -> list[dict[str, str]]:
    """The cells of each line by their columns. Raises NoReport."""
    lines = content.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\x1a").split(b"\n")
    # Blank lines at the end are no lines, nor is the Ctrl-Z of DOS.
    while len(lines) > 1 and not lines[-1].strip(b"\t \r"):
        lines.pop()
    try:
        header, *table = [_cells(line) for line in lines]
    except ValueError as error:  # no line, or a line that is not UTF-8
        raise NoReport(str(error)) from error
    # In small or capital letters, with or without spaces around them.
    header = [cell.strip(" \xa0\u3000").lower() for cell in header]
    if set(header) != COLUMNS or any(len(cells) != len(COLUMNS) for cells in (header, *table)):
        raise NoReport("other columns")
    found = [dict(zip(header, cells, strict=True)) for cells in table]
    for row in found:
        _check(row)
    return found


def _cells(line: bytes) -> list[str]:
    if len(line) > LONGEST_LINE:
        raise NoReport("a line that is too long")
    return line.removesuffix(b"\r").decode().split("\t")


def _check(row: dict[str, str]) -> None:
    if any(ord(character) < 32 or ord(character) == 127 for cell in row.values() for character in cell):
        raise NoReport("a control character")
    if any(len(cell.encode()) > LONGEST_CELL for cell in row.values()):
        raise NoReport("a cell that is too long")
    if not row["dsp_id"].strip(" "):
        raise NoReport("no dsp_id")
    usages = number(row["usages"] or "0")
    if usages != int(usages) or not -(2**63) <= usages < 2**63:
        raise NoReport("not a whole number of 64 bits")
    number(row["revenue"] or "0")


def number(cell: str) -> Decimal:
    """Raises NoReport."""
    if not NUMBER.fullmatch(cell):
        raise NoReport("not a number")
    digits, _, power = cell.lower().partition("e")
    if not digits.strip("+-.0"):
        return Decimal(0)
    if len(power.lstrip("+-0")) > 9:
        raise NoReport("an exponent out of range")
    value = Decimal(cell)
    digits_kept = value.normalize(Context(prec=len(cell)))
    if value.adjusted() >= 30 or digits_kept.as_tuple().exponent < -60:
        raise NoReport("out of range")
    return value


def totals(rows: list[dict[str, str]]) -> Totals:
    usages = [int(number(row["usages"])) for row in rows if row["usages"]]
    revenues = [number(row["revenue"]) for row in rows if row["revenue"]]
    revenue = Decimal(0)
    for one in revenues:
        revenue = EXACT.add(revenue, one)
    return Totals(
        lines=len(rows),
        dsp_ids=len({row["dsp_id"] for row in rows}),
        filled=(
            sum(row["title"] != "" for row in rows),
            sum(row["artists"] != "" for row in rows),
            sum(row["isrc"] != "" for row in rows),
            len(usages),
            len(revenues),
        ),
        usages=sum(usages),
        revenue=revenue,
    )


def totals_of(name: str, data: bytes) -> Totals | None:
    """The totals of the data, delivered as `name`. None if it must be refused."""
    try:
        return totals(rows(unpacked(name, data)))
    except NoReport:
        return None


def isrc(cell: str) -> str:
    """The compact form of an ISRC. Other texts stay unchanged."""
    compact = re.sub("[- ]", "", cell)
    compact = compact.upper() if compact.isascii() else compact
    compact = compact.removeprefix("ISRC") if len(compact) > 12 else compact
    return compact if re.fullmatch("[A-Z]{2}[A-Z0-9]{3}[0-9]{7}", compact) else cell
