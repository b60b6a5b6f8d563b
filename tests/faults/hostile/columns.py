"""Templates: files of columns in many dialects and workbooks, compared with an independent reading; and definitions."""

import gzip
import io
import json
import re
from collections import defaultdict
from copy import deepcopy
from decimal import Context, Decimal
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from xml.etree import ElementTree
from zipfile import ZIP_DEFLATED, ZipFile

import xlsxwriter

from catalogue.exceptions import InvalidTemplate
from catalogue.report_templates.shipped import shipped_documents
from catalogue.reports.formats.templates.definition import definition_json
from catalogue.reports.formats.templates.reading import Fault
from catalogue.reports.formats.templates.validation import definition_checked
from tests.catalogue.reports.formats.templates.definitions import TONBANK
from tests.catalogue.reports.formats.templates.reading import Found, read_file
from tests.faults.hostile.trial import Trial
from tests.faults.hostile.values import NUMBERS, TEXTS, changed_bytes, changed_part

EXACT = Context(prec=400)
HEADINGS = ["Store", "Country", "Month", "Currency", "ISRC", "UPC", "Title", "Quantity", "Net"]
TITLES = ["One", "Jóga", 'Say "it"', "a, b; c | d", "two\nlines", "", "  blanks  ", "=1+1", "🎵", "tab\there"]
COUNTRIES, CURRENCIES, MONTHS = ["ES", "fr", "NO"], ["EUR", "NOK"], ["2020-01", "2020-02"]
REVENUES = ["0", "0.5", "1.25", "-3.75", "1234.5", "1234567.891", "0.000001", "-0.1"]
CELLS = [
    *TEXTS,
    *NUMBERS,
    "1\n2",
    "1.5\n2.5",
    "\n",
    "1\r\n",
    " 1 ",
    "1 000",
    "1'000",
    "(1.5)",
    "1-",
    "−1",
    "1,234.5",
    "1.234,5",
]
ONE_BYTE = ["cp1252", "iso-8859-1", "iso-8859-15", "mac-roman", "cp1250"]
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"

# The number of lines, the usages and the revenue of a context.
Sums = dict[tuple[str, ...], tuple[int, int, Decimal]]


class Dialect(NamedTuple):
    """How a file is written, and the definition that reads it."""

    definition: dict[str, Any]
    encoding: str
    delimiter: str
    quote: str
    decimal: str
    thousands: str
    negatives: tuple[str, ...]
    line_end: str
    letterhead: int

    @property
    def is_workbook(self) -> bool:
        return bool(self.definition["file"]["kind"] == "xlsx")


class Made(NamedTuple):
    """A file: its name, and its bytes as delivered and unpacked. `expected` is what a valid one has."""

    dialect: Dialect
    rows: list[list[str]]
    name: str
    data: bytes
    content: bytes
    expected: Sums


class ColumnFiles(Trial):
    """Files that templates read, in Python and without a database: most of the cases can be tried in this way."""

    share = 8

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def try_with(self, random: Random, case: list[object]) -> str:
        made = file_of(random)
        case += [made.dialect[1:], made.dialect.definition["file"], made.rows, made.content[:3000]]
        return self._checked(_read(self._folder, made.name, made.data, made.dialect.definition), made)

    def _checked(self, found: Found, made: Made) -> str:
        dialect, expected = made.dialect, made.expected
        errors = [problem for problem in found.problems if problem[0] not in WARNINGS]
        if errors:
            assert not expected, f"a valid file is refused: {errors[:3]}"
            assert all(code and code == code.lower() for code, *_ in errors)
            return errors[0][0]
        sums = found_sums(found)
        if expected:
            assert sums == expected
            return "valid"
        assert sums == sums_of((read_workbook if dialect.is_workbook else read_text)(dialect, made.content))
        return "accepted"


class Definitions(Trial):
    """Definitions as values of JSON: each is refused with its faults, or works, and is the same when read again."""

    share = 4

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._all = [TONBANK, *(document["definition"] for document in shipped_documents())]

    def try_with(self, random: Random, case: list[object]) -> str:
        data = deepcopy(random.choice(self._all))
        for _ in range(random.randint(1, 3)):
            data = changed_part(random, data)
        case += [json.dumps(data)]
        try:
            definition = definition_checked(json.loads(json.dumps(data)))
        except InvalidTemplate as error:
            faults: list[Fault] = error.extra["faults"]
            assert faults
            for fault in faults:
                assert fault.message
                assert fault.code
            return str(faults[0].code)
        plain = definition_json(definition)
        assert definition_json(definition_checked(json.loads(json.dumps(plain)))) == plain
        dialect = _dialect(random)
        found = _read(self._folder, "tonbank.csv", written(dialect, [_row(random)]), data)
        return f"read: {found.problems[0][0] if found.problems else 'valid'}"


# Problems with which a file is accepted.
WARNINGS = {
    *("isrc_invalid", "invisible_character", "dsp_id_rounded", "encoding_doubtful", "summary_missing", "isrc_blank"),
    *("dsp_id_repeated", "gzip_padding"),
}


def _read(folder: Path, name: str, data: bytes, definition: dict[str, Any]) -> Found:
    path = folder / name
    path.write_bytes(data)
    return read_file(path, definition)


# --- Files -----------------------------------------------------------------------------------------------------


def file_of(random: Random) -> Made:
    """A valid file of any dialect, or one with some cells or bytes changed."""
    dialect = _dialect(random)
    rows = [_row(random) for _ in range(random.choice([1, 2, 3, 8, 40]))]
    expected = sums_of(rows)
    is_changed = random.random() < 0.7
    if is_changed and random.random() < 0.6:
        rows, expected = _with_other_cell(random, rows), {}
    content = (workbook if dialect.is_workbook else written)(dialect, rows)
    if is_changed and random.random() < 0.6:
        expected = {}
        content = (_changed_workbook if dialect.is_workbook else changed_bytes)(random, content)
    names = ["tonbank.xlsx"] if dialect.is_workbook else ["tonbank.csv", "tonbank.csv.gz", "TONBANK.TXT"]
    name = random.choice(names)
    data = gzip.compress(content, 1) if name.endswith(".gz") else content
    return Made(dialect, rows, name, data, content, expected)


def _dialect(random: Random) -> Dialect:
    decimal, thousands = random.choice([(".", ""), (",", ""), (".", ","), (",", "."), (".", "'"), (",", " ")])
    encoding = random.choice(["utf-8"] * 4 + ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", *ONE_BYTE])
    quote = random.choice(['"', '"', '"', "'", ""])
    delimiters = [one for one in (",", ";", "\t", "|", "^", "~") if quote or one not in (decimal, thousands)]
    delimiter = random.choice(delimiters)
    negatives = random.choice([(), (), ("trailing_minus",), ("parentheses",), ("trailing_minus", "parentheses")])
    letterhead = random.choice([0, 0, 0, 2])
    definition = deepcopy(TONBANK)
    definition["file"] = {
        "kind": random.choice(["text", "text", "either", "xlsx"]),
        "encoding": encoding.removesuffix("-sig"),
        "delimiter": delimiter,
        "quote": quote,
        "heading_row": random.choice([None, letterhead + 1]),
    }
    definition["numbers"] = {"decimal": decimal, "thousands": thousands, "negatives": list(negatives)}
    definition["rows"] = {"skip": [{"column": "Store", "values": ["Total"]}]}
    return Dialect(
        definition, encoding, delimiter, quote, decimal, thousands, negatives, random.choice(["\n", "\r\n"]), letterhead
    )


def _row(random: Random) -> list[str]:
    return [
        *(random.choice(["Spotify", "Deezer"]), random.choice(COUNTRIES), random.choice(MONTHS)),
        *(
            random.choice(CURRENCIES),
            random.choice(["ESABC2000001", "FRXYZ9900123"]),
            random.choice(["", "5012345678900"]),
        ),
        *(random.choice(TITLES), str(random.choice([0, 1, 999, 1000, 1234567, -5])), random.choice(REVENUES)),
    ]


def _with_other_cell(random: Random, rows: list[list[str]]) -> list[list[str]]:
    rows = [list(row) for row in rows]
    for _ in range(random.randint(1, 2)):
        rows[random.randrange(len(rows))][random.randrange(len(HEADINGS))] = random.choice(CELLS)
    return rows


def sums_of(rows: list[list[str]]) -> Sums:
    found: Sums = defaultdict(lambda: (0, 0, Decimal(0)))
    for store, country, month, currency, *_others, quantity, net in rows:
        key = (store.strip(), country.strip().upper(), currency.strip().upper(), month.strip())
        lines, usages, revenue = found[key]
        found[key] = lines + 1, usages + int(Decimal(quantity or 0)), EXACT.add(revenue, Decimal(net or 0))
    return dict(found)


def found_sums(found: Found) -> Sums:
    sums: Sums = {}
    for number, context in enumerate(found.contexts, start=1):
        lines = found.lines[number]
        key = (context.dsp, context.territory, context.currency, f"{context.period_start:%Y-%m}")
        revenue = Decimal(0)
        for line in lines:
            revenue = EXACT.add(revenue, Decimal(line["revenue"] or 0))
        sums[key] = len(lines), sum(int(line["usages"] or 0) for line in lines), revenue
    return sums


def _number(dialect: Dialect, text: str) -> str:
    """A number as the dialect writes it. Other texts stay."""
    if not re.fullmatch(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", text):
        return text
    is_negative, (whole, _, part) = text.startswith("-"), text.lstrip("-").partition(".")
    if dialect.thousands:
        whole = f"{int(whole):,}".replace(",", dialect.thousands)
    plain = whole + (dialect.decimal + part if part else "")
    if not is_negative:
        return plain
    if "parentheses" in dialect.negatives:
        return f"({plain})"
    return plain + "-" if "trailing_minus" in dialect.negatives else "-" + plain


def written(dialect: Dialect, rows: list[list[str]]) -> bytes:
    lines = [["Report of Tonbank"], ["made", "today"]][: dialect.letterhead]
    lines += [HEADINGS, *([*row[:-2], *(_number(dialect, cell) for cell in row[-2:])] for row in rows)]
    text = "".join(dialect.delimiter.join(_cell(dialect, cell) for cell in line) + dialect.line_end for line in lines)
    try:
        return text.encode(dialect.encoding)
    except UnicodeEncodeError:
        return text.encode(
            dialect.encoding.removesuffix("-sig"), errors="replace" if "16" not in dialect.encoding else "ignore"
        )


def _cell(dialect: Dialect, cell: str) -> str:
    quote = dialect.quote
    if not quote:
        # Nothing can stand for these signs in a cell.
        return re.sub(f"[{re.escape(dialect.delimiter)}\r\n]", "-", cell)
    special = (quote, dialect.delimiter, "\n", "\r")
    return quote + cell.replace(quote, quote * 2) + quote if any(one in cell for one in special) else cell


def workbook(dialect: Dialect, rows: list[list[str]]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_urls": False, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet()
        for place, line in enumerate([["Report of Tonbank"], ["made", "today"]][: dialect.letterhead]):
            sheet.write_row(place, 0, line)
        for place, line in enumerate([HEADINGS, *rows], start=dialect.letterhead):
            for column, cell in enumerate(line):
                _write_cell(sheet, dialect, place, column, cell)
    return out.getvalue()


def _write_cell(sheet: Any, dialect: Dialect, place: int, column: int, cell: str) -> None:
    is_number = column >= len(HEADINGS) - 2 and re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,3})?", cell)
    if is_number and (place + column) % 3:
        sheet.write_number(place, column, float(cell))
    else:
        text = _number(dialect, cell) if column >= len(HEADINGS) - 2 else cell
        # A workbook cannot hold these characters.
        sheet.write_string(place, column, re.sub("[\ud800-\udfff]", "?", text)[:30_000])


def _changed_workbook(random: Random, content: bytes) -> bytes:
    """The archive or one of its parts with changed bytes."""
    if random.random() < 0.3:
        return changed_bytes(random, content)
    with ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = random.choice(["xl/worksheets/sheet1.xml"] * 5 + ["xl/sharedStrings.xml", *sorted(parts)])
    if name in parts:
        parts[name] = _changed_xml(random, parts[name])
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for one, part in parts.items():
            archive.writestr(one, part)
    return out.getvalue()


def _changed_xml(random: Random, part: bytes) -> bytes:
    if random.random() < 0.4:
        return changed_bytes(random, part)
    found = list(re.finditer(rb'(?<=<v>)[^<]*|(?<= r=")[^"]*|(?<= t=")[^"]*|(?<= s=")[^"]*|(?<=<t>)[^<]*', part))
    if not found:
        return part
    one = random.choice(found)
    value = random.choice(
        [*NUMBERS, "A1", "XFD1048576", "ZZZZ1", "s", "n", "d", "e", "inlineStr", "#REF!", "2020-01-01T00:00:00"]
    )
    return part[: one.start()] + value.encode() + part[one.end() :]


# --- The independent readers -----------------------------------------------------------------------------------


def read_text(dialect: Dialect, content: bytes) -> list[list[str]]:
    """The rows of sales of an accepted text, with plain numbers. Only a column that nobody reads has other bytes."""
    text = content.decode(dialect.definition["file"]["encoding"], errors="replace")
    rows = _split(text.removeprefix("\ufeff"), dialect.delimiter, dialect.quote)
    return _sales(dialect, rows)


def _split(text: str, delimiter: str, quote: str) -> list[list[str]]:
    """Cells of a text, sign by sign: a quote is special where a cell begins, and is doubled within."""
    rows, row, cell, at = list[list[str]](), list[str](), "", 0
    while at < len(text):
        if quote and not cell and text[at] == quote:
            end = at + 1
            while text[end] != quote or text[end + 1 : end + 2] == quote:
                cell += text[end]
                end += 2 if text[end] == quote else 1
            at = end + 1
            assert at >= len(text) or text[at] in (delimiter, "\r", "\n"), "text behind a quote"
            cell = cell or "\0blank"
            continue
        if text[at] == delimiter or text[at] == "\n" or text[at : at + 2] == "\r\n":
            row.append("" if cell == "\0blank" else cell)
            cell = ""
            if text[at] != delimiter:
                rows.append(row)
                row = []
                at += text[at] == "\r"
        else:
            cell += text[at]
        at += 1
    if row or cell:
        rows.append([*row, "" if cell == "\0blank" else cell])
    return rows


def _sales(dialect: Dialect, rows: list[list[str]]) -> list[list[str]]:
    """The rows behind the headings that are sales, each with the cells of HEADINGS and plain numbers."""
    names = [heading.casefold() for heading in HEADINGS]
    heads = [[" ".join(cell.split()).casefold() for cell in row] for row in rows]
    number = dialect.definition["file"]["heading_row"] or 1
    wanted = {"store", "country", "month", "net"}
    start = next(place for place, row in enumerate(heads) if place >= number - 1 and wanted <= set(row))
    places = {name: place for place, name in enumerate(heads[start]) if name in names}
    found = []
    for row in rows[start + 1 :]:
        if not any(cell.strip() for cell in row):
            continue
        whole = row + [""] * (len(heads[start]) - len(row))
        cells = [whole[places[name]] if name in places else "" for name in names]
        if cells[0].strip().casefold() != "total":
            found.append([*cells[:-2], *(plain(dialect, cell) for cell in cells[-2:])])
    return found


def plain(dialect: Dialect, cell: str) -> str:
    """A number in plain digits. Raises ValueError where nobody can be sure which number it is."""
    text = cell.strip().replace("−", "-")
    if not text:
        return ""
    is_negative = text.startswith("-")
    text = text.removeprefix("-").removeprefix("+")
    if text.endswith("-") and "trailing_minus" in dialect.negatives and not is_negative:
        is_negative, text = True, text[:-1]
    elif text[0] == "(" and text[-1] == ")" and "parentheses" in dialect.negatives and not is_negative:
        is_negative, text = True, text[1:-1]
    mantissa, power = re.fullmatch(r"([^eE]*)([eE][+-]?[0-9]+)?", text).groups("")  # type: ignore[union-attr]
    whole, _, part = mantissa.partition(dialect.decimal)
    if dialect.thousands:
        whole = re.sub("[\xa0\u2009\u202f]", " ", whole).replace("’", "'")
        if dialect.thousands in whole and not re.fullmatch(
            f"[0-9]{{1,3}}({re.escape(dialect.thousands)}[0-9]{{3}})+", whole
        ):
            raise ValueError(cell)
        whole = whole.replace(dialect.thousands, "")
    if not re.fullmatch("[0-9]*", whole + part) or not whole + part:
        raise ValueError(cell)
    return f"{'-' if is_negative else ''}{whole or '0'}.{part or '0'}{power}"


def read_workbook(dialect: Dialect, content: bytes) -> list[list[str]]:
    with ZipFile(io.BytesIO(content)) as archive:
        texts: list[str] = []
        if "xl/sharedStrings.xml" in archive.namelist():
            shared = ElementTree.fromstring(archive.read("xl/sharedStrings.xml"))  # noqa: S314 - made by this test
            texts += ["".join(part.text or "" for part in one.iter(f"{MAIN}t")) for one in shared]
        sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))  # noqa: S314
    rows = []
    for row in sheet.iter(f"{MAIN}row"):
        cells: dict[int, str] = {}
        for cell in row.iter(f"{MAIN}c"):
            cells[_column(cell.get("r", ""))] = _value(cell, texts, dialect)
        rows.append([cells.get(place, "") for place in range(max(cells, default=-1) + 1)])
    return _sales(dialect, rows)


def _column(reference: str) -> int:
    number = 0
    for letter in reference.rstrip("0123456789").replace("$", ""):
        number = number * 26 + ord(letter) - 64
    return number - 1


def _value(cell: ElementTree.Element, texts: list[str], dialect: Dialect) -> str:
    value = cell.findtext(f"{MAIN}v")
    if cell.get("t") == "s":
        return texts[int(value or 0)]
    if cell.get("t") in ("inlineStr", "str", "e", "d") or value is None:
        return value or "".join(part.text or "" for part in cell.iter(f"{MAIN}t"))
    number = float(value)
    plain = format(Decimal(repr(number)), "f")
    return (plain.removesuffix(".0") if number.is_integer() else plain).replace(".", dialect.decimal)
