"""Measure imports, rankings, lists and deletions of DSRs, each beside a reference of the same run.

    python -m tests.benchmarks.reports [--dsrs 40] [--lines 1000000] [--small-dsrs 5000] [--shape even]

The benchmark creates its own database, on the embedded server or on that of DATABASE_URL, and removes it at the end.
Reports are generated once for each pair of numbers and each shape, and kept in a temporary folder. There is always
other load on the machine: compare the ratios.
"""

# Before models: it sets Django up.
from tests.benchmarks.measuring import (  # isort: skip
    MEBIBYTE,
    SHAPES,
    add_shape,
    parser_of,
    peak_memory,
    report_files,
    say,
    server_version,
)

from django.db import connection

from tests.benchmarks.many_reports import measure_many_reports
from tests.benchmarks.report_imports import everything_delete, measure_dirt, measure_imports
from tests.benchmarks.report_questions import (
    measure_behind,
    measure_delete,
    measure_lists,
    measure_pages,
    measure_questions,
    measure_ranking,
    measure_recordings,
    measure_versions,
)


def main() -> None:
    parser = parser_of(__doc__, dsrs=40, lines=400_000)
    parser.add_argument("--small-dsrs", type=int, default=100, help="the number of additional DSRs of 1,000 lines")
    add_shape(parser)
    options = parser.parse_args()
    files = report_files(options.dsrs, options.lines // options.dsrs, SHAPES[options.shape])
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        say(
            f"{server_version()}, {options.dsrs} DSRs, {options.lines:,} lines, {options.shape}, "
            f"{sum(path.stat().st_size for path in files) / MEBIBYTE:,.0f} MiB packed"
        )
        measure_imports(files)
        measure_ranking()
        measure_behind(files[-1])
        measure_pages()
        measure_questions()
        measure_recordings()
        measure_versions()
        measure_lists()
        measure_delete()
        measure_dirt(files[0])
        everything_delete()
        measure_many_reports(options.small_dsrs)
        say(f"peak memory of this process: {peak_memory():,.0f} MiB")
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


if __name__ == "__main__":
    main()
