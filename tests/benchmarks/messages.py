"""Measure imports of DDEX messages beside those of TSV reports, and rankings with adjustments beside those without.

    python -m tests.benchmarks.messages [--dsrs 20] [--lines 1000000]

The message has as many DSRs and sales lines as the TSV reports together. They are imported in turns, so that other load
on the machine affects both: compare the ratios. The benchmark creates its own database, on the embedded server or on
that of DATABASE_URL, and removes it at the end. The files are generated once for each pair of numbers and kept in a
temporary folder.
"""

import tempfile
from functools import partial
from pathlib import Path
from statistics import median

# Before models: it sets Django up.
from tests.benchmarks.measuring import (  # isort: skip
    MEBIBYTE,
    TIMES,
    parser_of,
    report_files,
    say,
    server_memory,
    server_version,
)

from django.db import connection

from catalogue.models import DSR
from catalogue.reports.samples.messages import message_list
from catalogue.reports.samples.writing import message_write
from catalogue.resources.services import catalogue_refresh
from tests.benchmarks.report_imports import JOBS, Imported, everything_delete, in_own_process
from tests.benchmarks.report_questions import asked_uncached

ROUNDS = 3
# The memory of an import is measured with this part of the lines, too.
PART = 10


def main() -> None:
    parser = parser_of(__doc__, dsrs=20, lines=50_000)
    options = parser.parse_args()
    reports = report_files(options.dsrs, options.lines // options.dsrs)
    message = message_file(options.dsrs, options.lines)
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        say(
            f"{server_version()}, {options.dsrs} DSRs, {options.lines:,} lines; packed, the message has "
            f"{message.stat().st_size / MEBIBYTE:,.0f} MiB, the reports {sum(map(size, reports)) / MEBIBYTE:,.0f} MiB"
        )
        measure_imports(reports, message, options.lines)
        measure_memory(options.dsrs, options.lines // PART)
        measure_ranking(options.dsrs, options.lines)
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def size(path: Path) -> int:
    return path.stat().st_size


def message_file(dsrs: int, lines: int, *, with_adjustments: bool = True) -> Path:
    """A message that is generated once and kept in a temporary folder."""
    name = f"dsrhub-benchmark-message-{dsrs}x{lines}{'' if with_adjustments else '-unadjusted'}"
    folder = Path(tempfile.gettempdir()) / name
    if not folder.exists():
        say(f"generating a message of {lines:,} lines in {folder} ...")
        (message,) = message_list(1, dsrs=dsrs)
        with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
            adjustments = {} if with_adjustments else {"adjustments": 0.0}
            (path,) = message_write(Path(unfinished), message, seed=1, lines=lines, **adjustments)
            folder.mkdir()
            path.rename(folder / path.name)
    (file,) = folder.iterdir()
    return file


def measure_imports(reports: list[Path], message: Path, lines: int) -> None:
    ways = {
        f"TSV, {JOBS} files at a time": partial(imported, reports, JOBS),
        "TSV, one file at a time": partial(imported, reports, 1),
        "DDEX": partial(imported, [message], 1),
    }
    rounds = [{name: way() for name, way in ways.items()} for _ in range(ROUNDS)]
    seconds = {name: median(one[name].seconds for one in rounds) for name in ways}
    for name in ways:
        say(
            f"import, {name}: {lines / seconds[name]:,.0f} lines/s; peak memory of the client "
            f"{max(one[name].mebibytes for one in rounds):,.0f} MiB"
        )
        parts = ", ".join(f"{phase} {taken:.2f} s" for phase, taken in rounds[-1][name].phases.items())
        say(f"  {rounds[-1][name].seconds:.2f} s in the last round, of which: {parts}")
    for name in ways:
        if name != "DDEX":
            ratios = ", ".join(f"{one[name].seconds / one['DDEX'].seconds:.2f}" for one in rounds)
            say(f"DDEX, relative to {name}: {seconds[name] / seconds['DDEX']:.2f} (in the rounds {ratios})")


def imported(files: list[Path], jobs: int) -> Imported:
    everything_delete()
    return in_own_process(files, jobs, with_resources=False)


def measure_memory(dsrs: int, lines: int) -> None:
    with server_memory() as peak:
        found = imported([message_file(dsrs, lines)], 1)
    say(
        f"import of a message of {lines:,} lines: peak memory of the client {found.mebibytes:,.0f} MiB, of a server "
        f"process {peak[0]:,.0f} MiB"
    )


def measure_ranking(dsrs: int, lines: int) -> None:
    """The top 10 percent of everything and of a territory."""
    built: dict[bool, dict[str, float]] = {}
    for with_adjustments in (False, True):
        imported([message_file(dsrs, lines, with_adjustments=with_adjustments)], 1)
        catalogue_refresh()
        assert DSR.objects.filter(lowest_revenue__lt=0).exists() is with_adjustments
        built[with_adjustments] = {query: seconds_to_build(query) for query in ("", "territory=ES")}
    for query, without in built[False].items():
        negative = built[True][query]
        say(
            f"top 10 % of {query or 'everything'}: {without * 1000:,.1f} ms without adjustments, "
            f"{negative * 1000:,.1f} ms with them, ratio {negative / without:.2f}"
        )


def seconds_to_build(query: str) -> float:
    address = f"/resources/percentile/10?{query}"
    return median(asked_uncached(address)[0] for _ in range(TIMES + 1))


if __name__ == "__main__":
    main()
