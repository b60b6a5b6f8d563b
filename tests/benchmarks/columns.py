"""Measure imports of a column file that a template reads, beside those of TSV reports.

    python -m tests.benchmarks.columns [--dsrs 20] [--lines 1000000]

The file is a CSV in the manner of Believe, with 21 columns, of as many DSRs and lines as the TSV reports together. They
are imported in turns, so that other load on the machine affects both: compare the ratios. The benchmark creates its own
database, on the embedded server or on that of DATABASE_URL, and removes it at the end. The files are generated once for
each pair of numbers and kept in a temporary folder.
"""

import csv
import random
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

# Before models: it sets Django up.
from tests.benchmarks.measuring import MEBIBYTE, parser_of, report_files, server_version  # isort: skip

from django.db import connection

from catalogue.models import Template
from catalogue.report_templates.services import template_import
from catalogue.report_templates.shipped import shipped_documents
from tests.benchmarks.report_imports import Imported, everything_delete, in_own_process
from tests.printing import say

ROUNDS = 3
# The memory of an import is measured with this part of the lines, too.
PART = 10
HEADINGS = (
    *("Reporting month", "Sales Month", "Platform", "Country / Region", "Label Name", "Artist Name", "Release title"),
    *("Track title", "UPC", "ISRC", "Release Catalog nb", "Streaming Subscription Type", "Release type", "Sales Type"),
    *("Quantity", "Client Payment Currency", "Unit Price", "Mechanical Fee", "Gross Revenue", "Client share rate"),
    "Net Revenue",
)
COUNTRIES = ("Spain", "France", "Italy", "Portugal", "Germany")


def main() -> None:
    options = parser_of(__doc__, dsrs=20, lines=50_000).parse_args()
    reports = report_files(options.dsrs, options.lines // options.dsrs)
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        for document in shipped_documents():
            if not Template.objects.filter(name=document["name"]).exists():
                template_import(document=document)
        file = column_file(options.dsrs, options.lines)
        say(
            f"{server_version()}, {options.dsrs} DSRs, {options.lines:,} lines; "
            f"the column file has {file.stat().st_size / MEBIBYTE:,.0f} MiB"
        )
        measure_imports(reports, file, options.lines)
        part = options.lines // PART
        found = imported([column_file(options.dsrs, part)])
        say(f"import of a column file of {part:,} lines: peak memory of the client {found.mebibytes:,.0f} MiB")
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def column_file(dsrs: int, lines: int) -> Path:
    """A file that is generated once and kept in a temporary folder."""
    path = Path(tempfile.gettempdir()) / f"dsrhub-benchmark-columns-{dsrs}x{lines}.csv"
    if not path.exists():
        say(f"generating a column file of {lines:,} lines: {path} ...")
        unfinished = path.with_suffix(".unfinished")
        with unfinished.open("w", newline="") as file:
            write_rows(csv.writer(file, delimiter=";"), dsrs, lines)
        unfinished.rename(path)
    return path


def write_rows(writer, dsrs: int, lines: int) -> None:  # type: ignore[no-untyped-def] - csv has no name for its type
    numbers = random.Random(1)  # noqa: S311 - the same rows each time
    writer.writerow(HEADINGS)
    for number in range(lines):
        nth, recording = number % dsrs, numbers.randrange(lines)
        store, country = f"Store {nth // len(COUNTRIES) + 1}", COUNTRIES[nth % len(COUNTRIES)]
        writer.writerow(
            [
                *("2020-02-01", "2020-01-01", store, country, "Label", f"Artist {recording % 5000}", "Release"),
                *(f"Canción número {recording}", f"50{recording:011d}", f"ESA{recording % 100:02d}{recording:07d}"),
                *("C1", "Premium", "Music", "Stream", numbers.randrange(1000), "EUR", "", "", "", "0.8"),
                f"{numbers.randrange(10**13) / 10**12:.12f}",
            ]
        )


def measure_imports(reports: list[Path], file: Path, lines: int) -> None:
    ways = {"TSV, one file at a time": partial(imported, reports), "CSV": partial(imported, [file])}
    rounds = [{name: way() for name, way in ways.items()} for _ in range(ROUNDS)]
    seconds = {name: median(one[name].seconds for one in rounds) for name in ways}
    for name in ways:
        memory = max(one[name].mebibytes for one in rounds)
        say(f"import, {name}: {lines / seconds[name]:,.0f} lines/s; peak memory of the client {memory:,.0f} MiB")
        parts = ", ".join(f"{phase} {taken:.2f} s" for phase, taken in rounds[-1][name].phases.items())
        say(f"  {rounds[-1][name].seconds:.2f} s in the last round, of which: {parts}")
    tsv, column = ways
    ratios = ", ".join(f"{one[tsv].seconds / one[column].seconds:.2f}" for one in rounds)
    say(f"CSV, relative to {tsv}: {seconds[tsv] / seconds[column]:.2f} (in the rounds {ratios})")


def imported(files: list[Path]) -> Imported:
    everything_delete()
    return in_own_process(files, 1, with_resources=False)


if __name__ == "__main__":
    main()
