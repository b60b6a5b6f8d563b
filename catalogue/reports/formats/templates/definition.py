"""What a template says, as plain values. `reading` makes it of JSON, and `faults` finds what is wrong with it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What the files are. With `either`, each file says by its first bytes whether it is a workbook."""

    TEXT = "text"
    XLSX = "xlsx"
    EITHER = "either"


class Negative(StrEnum):
    """How negative numbers are written, beside a minus in front."""

    TRAILING_MINUS = "trailing_minus"
    PARENTHESES = "parentheses"


# By their names in Python. UTF-8 may have a byte order mark; `utf-16` must have one, the others must not.
ENCODINGS = (
    *("utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "iso-8859-1", "iso-8859-15"),
    *("cp1250", "cp1251", "cp1253", "cp1254", "iso-8859-2", "mac-roman", "shift_jis", "gb18030"),
)
DELIMITERS = (",", ";", "\t", "|", "^", "~")
QUOTES = ('"', "'", "")
DECIMAL_SIGNS = (".", ",")
THOUSANDS_SIGNS = ("", ",", ".", " ", "'")
# In which the names of territories are known: see `territories`.
LANGUAGES = ("en", "es", "fr", "de", "it", "pt")

# The fields that say what a row is about, and those of a line. See the documentation of templates.
CONTEXT_FIELDS = ("dsp", "offer", "society", "territory", "currency", "period", "period_start", "period_end")
NUMBER_FIELDS = ("usages", "revenue")
TEXT_FIELDS = (
    *("dsp_id", "title", "artists", "isrc", "iswc", "composers", "label", "icpn", "use_type", "transaction_id"),
)
LINE_FIELDS = (*TEXT_FIELDS, *NUMBER_FIELDS)
FIELDS = (*CONTEXT_FIELDS, *LINE_FIELDS)
# Beside the period: `period`, or `period_start` and `period_end`.
REQUIRED_FIELDS = ("dsp", "offer", "territory", "currency", "dsp_id", "usages", "revenue")


@dataclass(frozen=True)
class Recognition:
    """By what a file is recognised: it has all `headings` in its heading row, in any order, and its name fits.

    In a pattern of names, `*` is any text, `?` any character, and a field in braces, such as `{period}`, takes its
    value from the name. A blank pattern fits every name. Names that fit one of the `refused_names` belong to files of
    the same sender that have no sales, such as summaries: they are refused.
    """

    headings: tuple[str, ...] = ()
    name_pattern: str = ""
    refused_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileForm:
    """How the cells are found. `delimiter`, `quote` and `encoding` are for texts, `sheet` for workbooks.

    A blank `sheet` is the first one. A `heading_row` of None is the first row that has the headings of the recognition,
    among the first HEADING_ROWS; 0 is a file without headings, whose columns are named `1`, `2` and so on.
    """

    kind: str = Kind.TEXT
    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    sheet: str = ""
    heading_row: int | None = 1


@dataclass(frozen=True)
class Skip:
    """Rows to leave out: those whose cell in `column` is one of `values`, in any case. `` is a blank cell."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """Which rows are sales. They end before the first row whose first cell begins with a text of `ends_at`, in any
    case: a block of totals, say. Blank rows are none."""

    ends_at: tuple[str, ...] = ()
    skip: tuple[Skip, ...] = ()


@dataclass(frozen=True)
class NumberForm:
    """How numbers are written. A blank sign for thousands means that there is none."""

    decimal: str = "."
    thousands: str = ""
    negatives: tuple[str, ...] = ()


@dataclass(frozen=True)
class DateForm:
    """How dates are written: see `dates`. With `whole_months`, the period of a day is its month."""

    forms: tuple[str, ...] = ()
    whole_months: bool = False


@dataclass(frozen=True)
class Source:
    """Where the value of a field comes from: one of the `columns`, or a constant.

    Of several columns, a file must have one. A text of a line comes from the first that has one in the row. Of the
    columns of another field, a file may have only one: they are other headings of the same.

    Only `dsp_id` may have both: the constant then stands for an id where all its columns are blank. `values` maps what
    cells have, in any case, to what it means. `languages` are those in which names of territories are known without a
    map.
    """

    columns: tuple[str, ...] = ()
    constant: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Definition:
    """A template: how to recognise and read the files of a sender. Columns are named by their headings, in any case.

    `fields` has the source of each field, without those that come from the name of the file. `artists_separator` stands
    between the artists of a cell; where it is blank, a cell is one artist.
    """

    sender: str = ""
    recognition: Recognition = field(default_factory=Recognition)
    file: FileForm = field(default_factory=FileForm)
    rows: Rows = field(default_factory=Rows)
    numbers: NumberForm = field(default_factory=NumberForm)
    dates: DateForm = field(default_factory=DateForm)
    fields: Mapping[str, Source] = field(default_factory=dict)
    artists_separator: str = ""


def definition_json(definition: Definition) -> dict[str, Any]:
    """The definition as values of JSON: lists for tuples, all keys in their order."""
    data: dict[str, Any] = _plain(asdict(definition))
    return data


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, StrEnum) else value
