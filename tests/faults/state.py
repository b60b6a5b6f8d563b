"""What must hold after every fault, according to the delivered files and an independent reader."""

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
    """A delivered file. It is read once."""

    path: Path

    @cached_property
    def rows(self) -> list[dict[str, str]]:
        return reference.rows(reference.unpacked(self.path.name, self.path.read_bytes()))

    @cached_property
    def totals(self) -> reference.Totals:
        return reference.totals(self.rows)

    @property
    def place(self) -> tuple[str, str, bytes]:
        """Its position in the order of DSRs: period end, period start, name."""
        start, end = self.path.name.partition(".")[0].rpartition("_")[2].split("-")
        return end, start, self.path.name.encode()

    @property
    def dsp(self) -> str:
        return self.path.name.partition("_")[0]


@cache
def report(path: Path) -> Report:
    return Report(path)


def ingested(url: str, editions: list[Path]) -> dict[str, Path]:
    """The edition of each DSR, by file name. Checks that every DSR is exactly one edition of its file, and that there
    are no other lines and tables."""
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
    for number, name, status, _, *stored in dsrs:
        assert status == "ingested", f"{name} has failed, although its file is valid"
        assert name not in found, f"{name} has two DSRs"
        totals = lines.pop(number)
        assert stored == [totals.lines, totals.usages, totals.revenue], f"{name}: wrong totals in the DSR"
        same = [folder for folder in editions if report(folder / name).totals == totals]
        assert len(same) == 1, f"{name} is not exactly one edition: {totals}"
        found[name] = same[0]
    assert lines.keys() <= leftovers, f"lines without a DSR: {lines}"
    owners = {number for number, *_ in dsrs} | leftovers
    assert {int(name.rpartition("_")[2]) for name in tables} <= owners, f"tables without a DSR: {tables}"
    return found


def assert_catalogued(url: str, found: dict[str, Path]) -> None:
    """The resources are exactly those of the files, each described by its most recent lines."""
    expected: dict[tuple[str, str], list[str | None]] = {}
    for one in sorted((report(folder / name) for name, folder in found.items()), key=lambda one: one.place):
        for row in one.rows:
            texts = [row["title"] or None, row["artists"] or None, reference.isrc(row["isrc"]) or None]
            known = expected.setdefault((one.dsp, row["dsp_id"]), [None, None, None])
            known[:] = [new if new is not None else old for new, old in zip(texts, known, strict=True)]
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT dsp, dsp_id, title, artists, isrc FROM catalogue_resource")
        rows = cursor.fetchall()
        cursor.execute("SELECT count(*) FROM catalogue_dsr WHERE NOT is_catalogued")
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT count(*) FROM catalogue_leftoverlines")
        assert cursor.fetchone() == (0,)
    connection.close()
    assert len(rows) == len(expected), f"{len(rows)} resources, but {len(expected)} in the files"
    for dsp, dsp_id, *described in rows:
        assert described == expected[dsp, dsp_id], (
            f"{dsp} {dsp_id}: {described}, but {expected[dsp, dsp_id]} in the files"
        )


def used(path: Path) -> frozenset[tuple[str, int]]:
    """The recordings of a file with revenue, and their usages. As all amounts are positive, this is the top 100 %."""
    usages: dict[str, int] = {}
    earning = set()
    for row in report(path).rows:
        usages[row["dsp_id"]] = usages.get(row["dsp_id"], 0) + int(reference.number(row["usages"] or "0"))
        if row["revenue"]:
            earning.add(row["dsp_id"])
    return frozenset((dsp_id, usages[dsp_id]) for dsp_id in earning)
