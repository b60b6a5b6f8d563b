"""A first definition for a file that no template recognises, for people to complete."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.templates.cells.territories import folded, territory_codes, territory_names
from catalogue.reports.formats.templates.definition import (
    LANGUAGES,
    NUMBER_FIELDS,
    Definition,
    FileForm,
    Kind,
    Recognition,
    Source,
)
from catalogue.reports.formats.templates.files.rows import ARCHIVE
from catalogue.reports.formats.templates.files.workbook import Workbook
from catalogue.reports.formats.templates.guessing.columns import column_fields, currency_in
from catalogue.reports.formats.templates.guessing.forms import date_form_of, is_date, is_number, number_form_of
from catalogue.reports.formats.templates.guessing.rows import heading_place, totals_of, usual_width
from catalogue.reports.formats.templates.guessing.sample import (
    MOST_ROWS,
    dialect_of,
    encoding_of,
    first_bytes,
    last_bytes,
    require_text,
    rows_of,
    texts_of,
)

MOST_HEADINGS, LONGEST_HEADING = 500, 255
PERIODS = ("period", "period_start", "period_end")


class Doubt(StrEnum):
    """What a sample does not decide: people look at it. The codes are stable."""

    # `1,234` may be a thousand or one: all numbers with this sign have three digits behind it.
    DECIMAL_SIGN = "decimal_sign"
    # `01/02/2020` may be in January or in February.
    DATE_FORM = "date_form"
    ENCODING = "encoding"
    DELIMITER = "delimiter"
    HEADING_ROW = "heading_row"


@dataclass(frozen=True)
class Guess:
    """What a sample looks like. The definition may lack required fields, so it may not be valid yet.

    `headings` are the cells of the heading row, `first_line` is the line of the file behind it, and `rows` are the
    first rows from there on, cell by cell. `doubts` are sure to be looked at. `sheets` are the names of the sheets of a
    workbook, in their order.
    """

    definition: Definition
    headings: tuple[str, ...]
    first_line: int
    rows: tuple[tuple[str, ...], ...]
    doubts: tuple[Doubt, ...] = ()
    sheets: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Cells:
    """The first rows of a sample with their lines, and the last ones, as its form of a file reads them."""

    form: FileForm
    lines: Sequence[int]
    rows: Sequence[Sequence[str]]
    last: Sequence[Sequence[str]]
    doubts: Sequence[Doubt] = ()
    sheets: tuple[str, ...] = ()


def guess(sample: Delivery, *, row_limit: int = 20) -> Guess:
    """What the sample looks like, by its first and its last bytes; of a workbook, by its first rows.

    Raises DamagedDelivery for what is neither text nor a workbook.
    """
    cells = _workbook_cells(sample) if sample.head().startswith(ARCHIVE) else _text_cells(sample)
    place = heading_place(cells.rows)
    headings = _names(cells.rows, place)
    behind = cells.rows[0 if place is None else place + 1 :]
    form = replace(cells.form, heading_row=_heading_row(place, cells.lines))
    definition, doubts = _definition(form, headings, behind, cells.last)
    return Guess(
        definition,
        headings=headings,
        first_line=1 if place is None else cells.lines[place + 1] if behind else cells.lines[place] + 1,
        rows=tuple(tuple(row) for row in behind[:row_limit]),
        doubts=(*cells.doubts, *([Doubt.HEADING_ROW] if place is None else []), *doubts),
        sheets=cells.sheets,
    )


# --- Rows ------------------------------------------------------------------------------------------------------


def _text_cells(sample: Delivery) -> _Cells:
    head, tail = first_bytes(sample), last_bytes(sample)
    require_text(head)
    encoding, is_doubtful = encoding_of(head)
    first, last = texts_of(head, tail, encoding)
    form, has_other_delimiters = dialect_of(first, FileForm(encoding=encoding))
    rows = rows_of(first, form)
    lines = [line for line, _row in rows]
    doubts = [Doubt.ENCODING] * is_doubtful + [Doubt.DELIMITER] * has_other_delimiters
    return _Cells(form, lines, [row for _line, row in rows], [row for _line, row in rows_of(last, form)], doubts)


def _workbook_cells(sample: Delivery) -> _Cells:
    book = Workbook(sample)
    rows = list(islice(book.rows(), MOST_ROWS))
    cells = [row for _line, row in rows]
    width = max(map(len, cells), default=0)
    cells = [[*row, *[""] * (width - len(row))] for row in cells]
    last = cells if len(cells) < MOST_ROWS else []
    return _Cells(FileForm(kind=Kind.XLSX), [line for line, _row in rows], cells, last, sheets=book.sheets)


def _names(rows: Sequence[Sequence[str]], place: int | None) -> tuple[str, ...]:
    """The headings; the numbers of the columns where there are none."""
    if place is None:
        return tuple(str(number + 1) for number in range(usual_width(rows)))
    return tuple(" ".join(cell.split()) for cell in rows[place])


def _heading_row(place: int | None, lines: Sequence[int]) -> int | None:
    """The row of the headings if it is the first, else none: titles before it may have more or fewer rows."""
    if place is None:
        return 0
    return 1 if lines[place] == 1 else None


# --- The definition --------------------------------------------------------------------------------------------


def _definition(
    form: FileForm, headings: Sequence[str], rows: Sequence[Sequence[str]], last: Sequence[Sequence[str]]
) -> tuple[Definition, list[Doubt]]:
    has_headings = form.heading_row != 0
    columns = column_fields(headings) if has_headings else {}
    totals = totals_of(headings, columns, rows, last)
    sales = [row for row in rows if len(row) == len(headings)]
    values = {place: [row[place].strip() for row in sales] for place in range(len(headings))}
    numbers, is_number_doubtful = number_form_of(_number_cells(columns, values))
    dates, is_date_doubtful = date_form_of(_date_columns(columns, values))
    definition = Definition(
        recognition=Recognition(_recognised(headings) if has_headings else ()),
        file=form,
        rows=totals,
        numbers=numbers,
        dates=dates,
        fields=_fields(headings, columns, values),
    )
    doubts = [Doubt.DECIMAL_SIGN] * is_number_doubtful + [Doubt.DATE_FORM] * is_date_doubtful
    return definition, doubts


def _number_cells(columns: Mapping[int, str], values: Mapping[int, Sequence[str]]) -> list[str]:
    """The cells of the columns of numbers; of all columns where the revenue is not known."""
    is_known = "revenue" in columns.values()
    chosen = [place for place, field in columns.items() if field in NUMBER_FIELDS] if is_known else list(values)
    return [cell for place in chosen for cell in values[place] if is_number(cell) and not is_date(cell)]


def _date_columns(columns: Mapping[int, str], values: Mapping[int, Sequence[str]]) -> list[Sequence[str]]:
    """The columns of the period, those of its start and its end in this order; else the first one with dates."""
    found = [place for name in PERIODS for place, field in columns.items() if field == name]
    if not found:
        found = [place for place, cells in values.items() if any(cells) and all(map(is_date, filter(None, cells)))][:1]
    return [[cell for cell in values[place] if is_date(cell)] or values[place] for place in found]


def _recognised(headings: Sequence[str]) -> tuple[str, ...]:
    """The headings by which the file is recognised: those that are there once."""
    names = [folded(heading) for heading in headings]
    once = [heading for heading, name in zip(headings, names, strict=True) if name and names.count(name) == 1]
    return tuple(one for one in once if len(one) <= LONGEST_HEADING and one.isprintable())[:MOST_HEADINGS]


def _fields(
    headings: Sequence[str], columns: Mapping[int, str], values: Mapping[int, Sequence[str]]
) -> dict[str, Source]:
    fields = {field: Source((headings[place],)) for place, field in columns.items()}
    places = {field: place for place, field in columns.items()}
    ids = [fields[name].columns[0] for name in ("isrc", "icpn") if name in fields]
    if "dsp_id" not in fields and ids:
        fields["dsp_id"] = Source(tuple(ids))
    if "territory" in fields:
        languages = _languages(values[places["territory"]])
        fields["territory"] = replace(fields["territory"], languages=languages)
    if "currency" not in fields and "revenue" in fields and (currency := currency_in(fields["revenue"].columns[0])):
        fields["currency"] = Source(constant=currency)
    return fields


def _languages(cells: Sequence[str]) -> tuple[str, ...]:
    """The fewest languages, English first, in which the names of territories are known."""
    names = {folded(cell) for cell in cells if cell and cell.upper() not in territory_codes()}
    found: list[str] = []
    for language in LANGUAGES:
        known = {name for name in names if name in territory_names([*found, language])}
        if known:
            found.append(language)
            names -= known
    return tuple(found)
