"""What must hold after every fault, told from the delivered files by other code than dsrhub's."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path

import psycopg2

from tests.faults import reference

LINES = """
SELECT dsr_id, count(*), count(DISTINCT dsp_id), count(title), count(artists), count(isrc), count(usages),
    count(revenue), coalesce(sum(usages), 0), coalesce(sum(revenue), 0)
FROM catalogue_usageline GROUP BY dsr_id
"""
TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^(catalogue_usageline|usageline_load)_[0-9]+'"


@dataclass(frozen=True)
class Report:
    """A delivered file, which is read once."""

    path: Path

    @cached_property
    def rows(self) -> list[dict[str, str]]:
        return reference.rows(reference.unpacked(self.path.name, self.path.read_bytes()))

    @cached_property
    def totals(self) -> reference.Totals:
        return reference.totals(self.rows)

    @property
    def place(self) -> tuple[str, str, bytes]:
        """Its place among others: period end, period start, name."""
        start, end = self.path.name.partition(".")[0].rpartition("_")[2].split("-")
        return end, start, self.path.name.encode()

    @property
    def dsp(self) -> str:
        return self.path.name.partition("_")[0]


@cache
def report(path: Path) -> Report:
    return Report(path)


def ingested(url: str, editions: list[Path]) -> dict[str, Path]:
    """The file that each DSR is made of, by name. Every DSR is one edition of its file, wholly, and nothing else is
    there."""
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(LINES)
        lines = {
            number: reference.Totals(count, ids, tuple(filled), int(usages), Decimal(revenue))
            for number, count, ids, *filled, usages, revenue in cursor.fetchall()
        }
        cursor.execute("SELECT dsr_number FROM catalogue_leftoverlines")
        leftovers = {number for (number,) in cursor.fetchall()}
        cursor.execute("SELECT id, path, status, partition, line_count, total_usages, total_revenue FROM catalogue_dsr")
        dsrs = cursor.fetchall()
        cursor.execute(TABLES)
        tables = {name for (name,) in cursor.fetchall()}
    connection.close()
    found = {}
    for number, name, status, _, *told in dsrs:
        assert status == "ingested", f"{name} has failed, and nothing is wrong with it"
        assert name not in found, f"{name} is there twice"
        totals = lines.pop(number)
        assert told == [totals.lines, totals.usages, totals.revenue], f"{name}: the DSR says other than its lines"
        same = [folder for folder in editions if report(folder / name).totals == totals]
        assert len(same) == 1, f"{name} is in part there: {totals}"
        found[name] = same[0]
    assert lines.keys() <= leftovers, f"lines that belong to nothing: {lines}"
    owners = {number for number, *_ in dsrs} | leftovers
    assert {int(name.rpartition("_")[2]) for name in tables} <= owners, f"tables that belong to nothing: {tables}"
    return found


def assert_catalogued(url: str, found: dict[str, Path]) -> None:
    """The resources are exactly those of the files, each described by the latest line that says something."""
    expected: dict[tuple[str, str], list[str | None]] = {}
    for one in sorted((report(folder / name) for name, folder in found.items()), key=lambda one: one.place):
        for row in one.rows:
            said = [row["title"] or None, row["artists"] or None, reference.isrc(row["isrc"]) or None]
            known = expected.setdefault((one.dsp, row["dsp_id"]), [None, None, None])
            known[:] = [new if new is not None else old for new, old in zip(said, known, strict=True)]
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT dsp, dsp_id, title, artists, isrc FROM catalogue_resource")
        rows = cursor.fetchall()
        cursor.execute("SELECT count(*) FROM catalogue_dsr WHERE NOT is_catalogued")
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT count(*) FROM catalogue_leftoverlines")
        assert cursor.fetchone() == (0,)
    connection.close()
    assert len(rows) == len(expected), f"{len(rows)} resources, and {len(expected)} in the files"
    for dsp, dsp_id, *said in rows:
        assert said == expected[dsp, dsp_id], f"{dsp} {dsp_id}: {said}, and not {expected[dsp, dsp_id]}"


def used(path: Path) -> frozenset[tuple[str, int]]:
    """The recordings of a file that have revenue, with their usages: its top 100 %, as all amounts are positive."""
    usages: dict[str, int] = {}
    earning = set()
    for row in report(path).rows:
        usages[row["dsp_id"]] = usages.get(row["dsp_id"], 0) + int(reference.number(row["usages"] or "0"))
        if row["revenue"]:
            earning.add(row["dsp_id"])
    return frozenset((dsp_id, usages[dsp_id]) for dsp_id in earning)
