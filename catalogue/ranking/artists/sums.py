"""Adding up what each artist has: its usages and its revenue in EUR, with full credit or split equally, and its rank.

Lines are first added up by the text that names their artists, so that only different texts are split into names.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from math import lcm
from typing import Any, NamedTuple

from catalogue.lines.lookups import DSRS, dsr_arrays, lines_of_dsrs
from catalogue.lines.scope import IngestedDSR
from catalogue.ranking.building.adding_up import take_turns
from catalogue.ranking.building.parts import WORK_MEM
from dsrhub.database.statements import execute, rows_of
from dsrhub.texts.invisible import SPACES

SEPARATOR = "|"
# What is trimmed from a name: the characters that look like a space.
BLANKS = "".join(re.findall(f"[ {SPACES}]", "".join(map(chr, range(0x3001)))))
# The planner's cost of a row that a parallel worker hands over: so high that workers hand over sums alone.
SUMS_ALONE = 10
# Each of two workers adds up one half of the recordings.
HALVES = ("hashtextextended(line.dsp_id, 1) < 0", "hashtextextended(line.dsp_id, 1) >= 0")
# How many artists the concentration names.
TOP = 10


class Credit(StrEnum):
    """What each artist of a line gets of it: all of it, or an equal part."""

    FULL = "full"
    SPLIT = "split"


class Totals(NamedTuple):
    """The totals of a ranking of artists, in EUR. Shares are of `revenue`, the sum of all artists.

    `top_revenue` is the sum of the first TOP artists, `squares` the sum of the squares of all.
    """

    artist_count: int
    revenue: Decimal
    top_revenue: Decimal
    squares: Decimal
    without_lines: int
    without_usages: Decimal
    without_revenue: Decimal


# The partition is in the group, so that each process adds up whole partitions: nothing has to be added up once more.
LINES = f"""
SELECT dsr_id, artists, count(*) AS line_count, coalesce(sum(usages), 0) AS usages, coalesce(sum(revenue), 0) AS revenue
FROM ({lines_of_dsrs("partition, dsr_id, artists, usages, revenue")}) AS line GROUP BY partition, dsr_id, artists
"""  # noqa: S608 - no value is in it, here and below
# The artists of a recording are those of all of its lines. Each process adds up one half of the recordings. The dsp_id
# is sorted first: few comparisons are needed behind it.
RECORDINGS = " UNION ALL ".join(
    f"""
    SELECT artists, count(*) AS recording_count
    FROM (
        SELECT string_agg(DISTINCT line.artists COLLATE "C", '{SEPARATOR}') AS artists
        FROM ({lines_of_dsrs("dsr_id, dsp_id, artists")}) AS line JOIN {DSRS} ON dsr.id = line.dsr_id
        WHERE line.artists IS NOT NULL AND {half} GROUP BY line.dsp_id, dsr.dsp COLLATE "C"
    ) AS recording
    GROUP BY artists
    """  # noqa: S608
    for half in HALVES
)
# Each text has a number, as a long text with many names would be copied for each of them.
TEXTS = """
SELECT row_number() OVER () AS text, artists
FROM (SELECT artists FROM {lines} WHERE artists IS NOT NULL UNION SELECT artists FROM {recordings}) AS text
"""
# The names in each text, and into how many parts it is divided.
PART_COUNTS = {Credit.FULL: "1", Credit.SPLIT: "count(*) OVER (PARTITION BY text)"}
NAMES = {
    credit: f"""
    SELECT text, artist, {part_count} AS part_count
    FROM (
        SELECT DISTINCT text, btrim(name, %(blanks)s) COLLATE "C" AS artist
        FROM {{texts}} CROSS JOIN LATERAL unnest(string_to_array(artists, '{SEPARATOR}')) AS name
    ) AS name
    WHERE artist <> ''
    """  # noqa: S608
    for credit, part_count in PART_COUNTS.items()
}
# What each artist has in each DSR, and what has no artist, as the artist NULL: exact, in units of 1 / `whole`.
OF_DSR = """
SELECT dsr_id, artist, sum(line_count) AS line_count,
    sum(usages * div(%(whole)s::numeric, coalesce(part_count, 1))) AS usages,
    sum(revenue * div(%(whole)s::numeric, coalesce(part_count, 1))) AS revenue
FROM {lines} LEFT JOIN {texts} USING (artists) LEFT JOIN {names} USING (text) GROUP BY dsr_id, artist
"""
CREDITED = {
    # Here, `whole` is 1.
    Credit.FULL: f"""
    SELECT artist, line_count, usages, catalogue_eur(revenue, dsr.rate) AS revenue
    FROM {{of_dsr}} JOIN {DSRS} ON dsr.id = dsr_id
    """,  # noqa: S608
    # The parts of a DSR add up to the whole: each is the difference between two running sums, which are rounded as the
    # DSR is. What has no artist comes first, so it is the same with both credits.
    Credit.SPLIT: f"""
    SELECT artist, line_count, usages - lag(usages, 1, 0.0) OVER parts AS usages,
        revenue - lag(revenue, 1, 0.0) OVER parts AS revenue
    FROM (
        SELECT dsr_id, artist, line_count, catalogue_eur(sum(usages) OVER parts, %(whole)s) AS usages,
            catalogue_eur(sum(revenue) OVER parts, dsr.rate * %(whole)s) AS revenue
        FROM {{of_dsr}} JOIN {DSRS} ON dsr.id = dsr_id
        WINDOW parts AS (PARTITION BY dsr_id ORDER BY artist NULLS FIRST ROWS UNBOUNDED PRECEDING)
    ) AS part
    WINDOW parts AS (PARTITION BY dsr_id ORDER BY artist NULLS FIRST)
    """,  # noqa: S608
}
SUMS = {
    credit: f"""
    SELECT artist, sum(line_count)::bigint AS line_count, trim_scale(sum(usages)) AS usages,
        trim_scale(sum(revenue)) AS revenue
    FROM ({credited}) AS credited GROUP BY artist
    """  # noqa: S608
    for credit, credited in CREDITED.items()
}
RANK = """
INSERT INTO catalogue_rankedartist (ranking, rank, artist, recording_count, usages, revenue, running)
SELECT %(ranking)s, row_number() OVER ranking, artist, recording_count, usages, revenue, sum(revenue) OVER ranking
FROM {sums} AS artist LEFT JOIN (
    SELECT artist, sum(recording_count) AS recording_count
    FROM {recordings} JOIN {texts} USING (artists) JOIN {names} USING (text) GROUP BY artist
) AS counted USING (artist)
WHERE artist IS NOT NULL
WINDOW ranking AS (ORDER BY revenue DESC, artist ROWS UNBOUNDED PRECEDING)
"""
TOTALS = """
SELECT count(artist), trim_scale(coalesce(sum(revenue) FILTER (WHERE artist IS NOT NULL), 0)),
    (SELECT coalesce(sum(revenue), 0) FROM catalogue_rankedartist WHERE ranking = %(ranking)s AND rank <= %(top)s),
    coalesce(sum(revenue * revenue) FILTER (WHERE artist IS NOT NULL), 0),
    coalesce(sum(line_count) FILTER (WHERE artist IS NULL), 0)::bigint,
    coalesce(sum(usages) FILTER (WHERE artist IS NULL), 0), coalesce(sum(revenue) FILTER (WHERE artist IS NULL), 0)
FROM {sums}
"""


def artists_rank(number: int, dsrs: Sequence[IngestedDSR], credit: Credit) -> Totals:
    """Rank the artists of the DSRs in scope under a number that no other ranking has, highest revenue first.

    Runs in the caller's transaction.
    """
    in_scope = [dsr for dsr in dsrs if dsr.in_scope]
    take_turns(in_scope)
    execute("SET LOCAL jit = off")
    execute(f"SET LOCAL work_mem = '{WORK_MEM}'")
    steps = _Steps(number)
    parameters: dict[str, Any] = dsr_arrays(in_scope)
    _add_up(steps, parameters)
    steps.store("texts", TEXTS)
    steps.store("names", NAMES[credit], blanks=BLANKS)
    parameters |= {"whole": _common_multiple(steps)}
    steps.store("of_dsr", OF_DSR, **parameters)
    steps.store("sums", SUMS[credit], **parameters)
    execute(RANK.format(**steps.tables), ranking=number)
    (totals,) = rows_of(TOTALS.format(**steps.tables), ranking=number, top=TOP)
    execute(f"DROP TABLE {', '.join(steps.tables.values())}")
    return Totals._make(totals)


class _Steps:
    """The tables of the steps of one ranking, by their names in the SQL above. The same transaction drops them."""

    def __init__(self, number: int) -> None:
        names = ("lines", "recordings", "texts", "names", "of_dsr", "sums")
        self.tables = {name: f"catalogue_artists_{number}_{name}" for name in names}

    def store(self, name: str, query: str, **parameters: Any) -> None:
        """Several processes may read for CREATE TABLE AS, but not for INSERT."""
        execute(f"CREATE UNLOGGED TABLE {self.tables[name]} AS {query.format(**self.tables)}", **parameters)
        execute(f"ANALYZE {self.tables[name]}")


def _add_up(steps: _Steps, parameters: dict[str, Any]) -> None:
    execute("SET LOCAL enable_partitionwise_aggregate = on")
    steps.store("lines", LINES, **parameters)
    execute("SET LOCAL enable_partitionwise_aggregate TO DEFAULT")
    execute(f"SET LOCAL parallel_tuple_cost = {SUMS_ALONE}")
    steps.store("recordings", RECORDINGS, **parameters)
    execute("SET LOCAL parallel_tuple_cost TO DEFAULT")


def _common_multiple(steps: _Steps) -> int:
    """The smallest number that can be divided into the parts of each text."""
    counts = rows_of(f"SELECT DISTINCT part_count FROM {steps.tables['names']}")  # noqa: S608
    return lcm(*(int(count) for (count,) in counts))
