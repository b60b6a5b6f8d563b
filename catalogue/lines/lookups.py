"""How lines are looked up: the only SQL that knows the table of lines, its partitions and its indexes.

A lookup names the partitions that it reads twice: as one value for each row of the query around it, which leads to
one partition at a time, and as a list of constants, by which the planner leaves out all others. `OFFSET 0` keeps a
lookup a lookup: without it, the planner may read all lines to join them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import TextField

from catalogue.exceptions import DSRNotFound
from catalogue.lines.attached import partitions_met
from catalogue.lines.gathering import HasLines, Lines, lines_gathered, places_of
from catalogue.lines.scope import IngestedDSR
from catalogue.models import DSR, UsageLine
from catalogue.reports.formats.interface import HEADER_LINE
from dsrhub.database.pages import PAGE_BYTES, CutShort, bytes_of, is_small
from dsrhub.database.statements import rows_of
from dsrhub.exceptions import AnswerTooLarge
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.wording import listed

# The DSRs of a statement, as a table of its parameters: see `dsr_arrays`.
DSRS = """
unnest(%(ids)s::integer[], %(dsps)s::text[], %(rates)s::numeric[], %(own)s::integer[]) AS dsr (id, dsp, rate, partition)
"""

# The order of DSRs is that of `DSR.recency`, so the order of imports makes no difference.
RECENCY = ", ".join(
    ["period_end", "period_start", *(f"coalesce({name}, '') COLLATE \"C\"" for name in DSR.RECENCY_TEXTS)]
)


def latest(*columns: str) -> str:
    """Columns of lines with the `recency` of their DSR: each from the most recent line that has one."""
    return ", ".join(
        f"(array_agg({column} ORDER BY recency DESC, line_number DESC) FILTER (WHERE {column} IS NOT NULL))[1]"
        f" AS {column}"
        for column in columns
    )


LATEST = latest("title", "artists", "isrc")


def dsr_arrays(dsrs: Sequence[IngestedDSR]) -> dict[str, list[Any]]:
    """The parameters of a statement about the lines of these DSRs: `own` is the partition of each of them."""
    return {
        "ids": [dsr.id for dsr in dsrs],
        "dsps": [dsr.dsp for dsr in dsrs],
        "rates": [dsr.exchange_rate for dsr in dsrs],
        "own": [dsr.partition for dsr in dsrs],
        "partitions": partitions_of(dsrs),
    }


def partitions_of(dsrs: Iterable[HasLines]) -> list[int]:
    """The partitions of the lines of DSRs, all of which this session knows: see `attached`."""
    partitions = sorted({dsr.partition for dsr in dsrs})
    partitions_met(partitions)
    return partitions


def has_dsp_id_of(key: str) -> str:
    """The condition that a line has the dsp_id of the row `key`, for the index of the hash."""
    return f"hashtextextended(dsp_id, 0) = hashtextextended({key}.dsp_id, 0) AND dsp_id = {key}.dsp_id"


def lines_of_dsrs(columns: str, *, partitions: str = "partitions", ids: str | None = "ids") -> str:
    """All lines of DSRs. Without `ids`, all lines of the partitions: the query around joins the DSRs."""
    are_theirs = "" if ids is None else f"AND dsr_id = ANY(%({ids})s)"
    return f"SELECT {columns} FROM catalogue_usageline WHERE partition = ANY(%({partitions})s) {are_theirs}"  # noqa: S608


def lines_with_dsp_id(
    columns: str, *, key: str, storage: str = "storage", partitions: str = "partitions", ids: str | None = None
) -> str:
    """The lines in the partition of the row `storage` that have the dsp_id of the row `key`; of DSRs, with `ids`."""
    # `+ 0` keeps the planner from any other index than that of dsp_id.
    are_theirs = "" if ids is None else f"AND dsr_id + 0 = ANY(%({ids})s)"
    return f"""
    SELECT {columns} FROM catalogue_usageline
    WHERE partition = {storage}.partition AND partition = ANY(%({partitions})s) {are_theirs}
        AND {has_dsp_id_of(key)}
    OFFSET 0
    """  # noqa: S608


def has_line_with_dsp_id(*, key: str, ids: str) -> str:
    """The condition that one of the DSRs `ids` has a line with the dsp_id of the row `key`."""
    return f"""
    EXISTS (
        SELECT FROM catalogue_usageline
        WHERE partition = ANY(%(partitions)s) AND dsr_id + 0 = ANY(%({ids})s) AND {has_dsp_id_of(key)}
    )
    """


LINES_OF_EACH = """
    SELECT {columns} FROM catalogue_usageline
    WHERE partition = dsr.partition AND partition = ANY(%(partitions)s) AND dsr_id = dsr.id AND {condition}
"""
# The first %(head)s lines by revenue, without negative ones, from the index of revenue; the negative lines; and those
# that have at least the revenue `dsr.floor`, from the same index.
HIGHEST_OF_EACH = LINES_OF_EACH.replace("{condition}", "revenue >= 0 ORDER BY revenue DESC NULLS LAST LIMIT %(head)s")
NEGATIVE_OF_EACH = LINES_OF_EACH.replace("{condition}", "revenue < 0")
FROM_FLOOR_OF_EACH = LINES_OF_EACH.replace("{condition}", "revenue >= dsr.floor")
# The same for statements: of each row `dsr`.
HIGHEST_LINES = HIGHEST_OF_EACH.format(columns="dsp_id, revenue")
NEGATIVE_LINES = f"{NEGATIVE_OF_EACH.format(columns='dsp_id, revenue')} OFFSET 0"
LINES_FROM_FLOOR = f"{FROM_FLOOR_OF_EACH.format(columns='dsp_id, revenue')} OFFSET 0"


# The texts that describe a resource.
TEXTS = ("dsp_id", "title", "artists", "isrc")
LINE_FIELDS = UsageLine._meta.concrete_fields
LINE_COLUMNS = tuple(field.attname for field in LINE_FIELDS)
LINE_TEXTS = tuple(field.attname for field in LINE_FIELDS if isinstance(field, TextField))
# Line numbers have no gaps, so a page is a range, which costs the same anywhere in the largest DSR.
IN_RANGE = "line_number > %(after)s AND line_number <= %(last)s"
LINES_AFTER = f"""
SELECT {", ".join(LINE_COLUMNS)} FROM ({lines_of_dsrs("*")}) AS line WHERE {IN_RANGE}
"""  # noqa: S608 - no value is in it
# In the same range, those with certain numbers.
NUMBERED = "line_number = ANY(%(numbers)s)"
LINES_WITH_NUMBERS = f"{LINES_AFTER} AND {NUMBERED}"


def _cut_short(lines: str) -> str:
    """These lines up to PAGE_BYTES. Of several DSRs, each gets its first line before any gets its second."""
    return f"""
    SELECT {", ".join(LINE_COLUMNS)} FROM (
        SELECT *, sum({bytes_of(*LINE_TEXTS)}) OVER (
            ORDER BY line_number, dsr_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS bytes_before
        FROM ({lines}) AS line
    ) AS line
    WHERE coalesce(bytes_before, 0) < %(page_bytes)s
    """  # noqa: S608


IN_ORDER = " ORDER BY dsr_id, line_number"


def lines_after(dsrs: Sequence[DSR], *, after: int, limit: int) -> Mapping[int, list[UsageLine]]:
    """The next `limit` lines of each DSR behind line number `after`, together of PAGE_BYTES and one line at most.

    A DSR whose lines end early has a page that is CutShort. Raises AnswerTooLarge where a DSR would have no line at
    all for that reason: its reader could not go on.
    """
    after = max(after, HEADER_LINE)
    parameters = {
        "ids": [dsr.pk for dsr in dsrs],
        "partitions": partitions_of(dsrs),
        "after": after,
        "last": after + limit,
    }
    with lines_gathered(LINE_COLUMNS) as lines:
        lines.add_of_dsrs(places_of(dsrs), IN_RANGE, **parameters)
        page = lines.statement(LINES_AFTER)
        is_whole = is_small(page, *LINE_TEXTS, **parameters)
        statement = page if is_whole else _cut_short(page)
        rows = rows_of(statement + IN_ORDER, **parameters, page_bytes=PAGE_BYTES)
        _require_there(lines, dsrs)
    pages: dict[int, list[UsageLine]] = {dsr.pk: [] for dsr in dsrs}
    for row in rows:
        line = _line(row)
        pages[line.dsr_id].append(line)
    return pages if is_whole else {dsr.pk: _cut_page(dsr, pages[dsr.pk], after, limit) for dsr in dsrs}


def _require_there(lines: Lines, dsrs: Sequence[DSR]) -> None:
    """Refuse a page of DSRs that were deleted while it was read. Raises DSRNotFound."""
    if not lines.are_of(places_of(dsrs)):
        ids = listed([str(dsr.pk) for dsr in dsrs])
        raise DSRNotFound(_("One of these DSRs was deleted meanwhile: %(ids)s.") % {"ids": ids})


def _line(row: Sequence[Any]) -> UsageLine:
    return UsageLine.from_db(DEFAULT_DB_ALIAS, LINE_COLUMNS, row)


def _cut_page(dsr: DSR, lines: list[UsageLine], after: int, limit: int) -> list[UsageLine]:
    """The lines as a page that is cut short, if fewer than the `limit` and than the DSR has."""
    if after + len(lines) >= min(after + limit, HEADER_LINE + dsr.line_count):
        return lines
    if not lines:
        raise AnswerTooLarge(_("The lines of these DSRs are too long for one answer. Request fewer DSRs at a time."))
    return CutShort(lines)


# --- Lines that a text finds -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class LineSearch:
    """Lines with a dsp_id, with one of some ISRCs, or with words in title and artists: one of the three is given.

    Words are folded as in the search for recordings.
    """

    dsp_id: str | None = None
    isrcs: tuple[str, ...] | None = None
    words: str | None = None

    @property
    def statement(self) -> str:
        return FOUND_LINES[next(name for name, value in vars(self).items() if value is not None)]


# Only the first one has an index: the others read all lines of the DSR.
FOUND_LINES = {
    "dsp_id": f"""
    SELECT line.* FROM (SELECT %(partition)s::integer AS partition, %(dsp_id)s::text AS dsp_id) AS asked
    CROSS JOIN LATERAL ({lines_with_dsp_id("line_number", key="asked", storage="asked", ids="ids")}) AS line
    """,  # noqa: S608 - no value is in it
    "isrcs": f"{lines_of_dsrs('line_number')} AND isrc = ANY(%(isrcs)s::text[])",
    "words": f"""
    {lines_of_dsrs("line_number")} AND catalogue_word_vector(title, artists) @@ catalogue_word_query(%(words)s)
    """,
}
FOUND_AFTER = """
SELECT line_number FROM ({found}) AS found WHERE line_number > %(after)s ORDER BY line_number LIMIT %(limit)s
"""
FOUND_BEFORE = """
SELECT line_number FROM ({found}) AS found WHERE line_number < %(before)s ORDER BY line_number DESC LIMIT %(limit)s
"""


def lines_found(
    dsr: DSR, *, search: LineSearch, after: int = 0, before: int | None = None, limit: int
) -> list[UsageLine]:
    """The first `limit` found lines behind line number `after`, or the last ones in front of `before`, in their order.

    They have PAGE_BYTES and one line at most: a page that ends early for that reason is CutShort.
    """
    parameters: dict[str, Any] = {"ids": [dsr.pk], "partitions": partitions_of([dsr])}
    statement = (FOUND_AFTER if before is None else FOUND_BEFORE).format(found=search.statement)
    values = {**vars(search), "isrcs": list(search.isrcs or ()), "partition": dsr.partition}
    with lines_gathered([]) as lines:
        if search.dsp_id is not None:  # The others are found where they lie.
            lines.add_of_keys("SELECT %(dsp_id)s::text AS dsp_id", places_of([dsr]), **values)
            statement = lines.statement(statement)
        rows = rows_of(statement, **parameters, **values, after=after, before=before, limit=limit)
    numbers = sorted(number for (number,) in rows)
    if not numbers:
        return []
    found = _lines_with_numbers(dsr, numbers)
    return CutShort(found) if len(found) < len(numbers) else found


def _lines_with_numbers(dsr: DSR, numbers: list[int]) -> list[UsageLine]:
    """The lines of a DSR with these numbers, up to PAGE_BYTES."""
    parameters: dict[str, Any] = {"ids": [dsr.pk], "partitions": partitions_of([dsr])}
    parameters |= {"numbers": numbers, "after": numbers[0] - 1, "last": numbers[-1]}
    with lines_gathered(LINE_COLUMNS) as lines:
        lines.add_of_dsrs(places_of([dsr]), f"{IN_RANGE} AND {NUMBERED}", **parameters)
        statement = lines.statement(_cut_short(LINES_WITH_NUMBERS) + IN_ORDER)
        rows = rows_of(statement, **parameters, page_bytes=PAGE_BYTES)
        _require_there(lines, [dsr])
    return [_line(row) for row in rows]
