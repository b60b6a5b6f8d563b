"""Compare dsrhub with DuckDB and ClickHouse (chdb), over the same files in the same run.

    pip install -r tests/benchmarks/requirements.txt
    python -m tests.benchmarks.engines [--dsrs 40] [--lines 10000000] [--shape even]

Each engine loads all files into tables of its own on disk, and writes the top N % of everything and of one territory as
JSON. It does both in processes of its own. Each list is compared with that of dsrhub, place by place. The files and the
database are made as in tests.benchmarks.reports. dsrhub and the engines answer in turns, but there is always other load
on the machine: compare the ratios. A ratio is the figure of dsrhub divided by that of the engine.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from decimal import Decimal, localcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

# Before models: it sets Django up.
from tests.benchmarks.measuring import (  # isort: skip
    MEBIBYTE,
    SHAPES,
    TIMES,
    add_shape,
    parser_of,
    peak_memory,
    report_files,
    say,
    seconds_of,
    server_memory,
    server_version,
)

from django.db import connection

from catalogue.lines.lookups import RECENCY
from catalogue.models import DSR
from dsrhub.database.statements import rows_of
from tests.benchmarks.engine_answers import answer_of_dsrhub, answer_of_engine, differences
from tests.benchmarks.engine_process import CORES, ENGINES
from tests.benchmarks.report_imports import in_own_process
from tests.benchmarks.report_questions import CLIENT, asked, asked_uncached

TERRITORY = "ES"


class Question(NamedTuple):
    percentile: int
    territory: str | None

    @property
    def name(self) -> str:
        return f"top {self.percentile} % of {self.territory or 'everything'}"

    @property
    def address(self) -> str:
        territory = f"territory={self.territory}" if self.territory else ""
        return f"/resources/percentile/{self.percentile}?{territory}"

    @property
    def rounds(self) -> int:
        return 3 if self.percentile > 50 else TIMES


QUESTIONS = [Question(percentile, territory) for territory in (TERRITORY, None) for percentile in (10, 50, 90, 100)]

# Runs a step of engine_process, by its name, with its arguments.
Run = Callable[..., dict[str, Any]]


def main() -> None:
    missing = [package for package in ENGINES if find_spec(package) is None]
    if missing:
        sys.exit(f"Not installed: {', '.join(missing)}. Run: pip install -r tests/benchmarks/requirements.txt")
    parser = parser_of(__doc__, dsrs=20, lines=100_000)
    add_shape(parser)
    options = parser.parse_args()
    files = report_files(options.dsrs, options.lines // options.dsrs, SHAPES[options.shape])
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        packed = sum(path.stat().st_size for path in files) / MEBIBYTE
        say(
            f"{server_version()}, {CORES} cores, {options.dsrs} DSRs, {options.lines:,} lines, {options.shape}, "
            f"{packed:,.0f} MiB packed"
        )
        with tempfile.TemporaryDirectory() as folder:
            measure_loading(files, Path(folder))
            measure_answers(Path(folder))
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


# --- Loading ---------------------------------------------------------------------------------------------------


def measure_loading(files: list[Path], folder: Path) -> None:
    before = database_size()
    with server_memory() as peak:
        imported = in_own_process(files, CORES, with_resources=True)
    disk = database_size() - before
    say(
        f"dsrhub: import with the catalogue {imported.seconds:.1f} s, {disk:,.0f} MiB on disk; peak memory of the "
        f"client {imported.mebibytes:,.0f} MiB, of a server process {peak[0]:,.0f} MiB without shared buffers"
    )
    for engine in ENGINES:
        database = folder / engine
        database.mkdir()
        with engine_process(engine, database) as run:
            loaded = run("load", dsrs=dsrs_described(files))
        size = sum(path.stat().st_size for path in database.rglob("*") if path.is_file()) / MEBIBYTE
        say(
            f"{loaded['result']}: loaded in {loaded['seconds']:.1f} s, ratio "
            f"{imported.seconds / loaded['seconds']:.1f}; {size:,.0f} MiB on disk, ratio {disk / size:.1f}; "
            f"peak memory {loaded['mebibytes']:,.0f} MiB"
        )


def database_size() -> float:
    ((size,),) = rows_of("SELECT pg_database_size(current_database())")
    return float(size) / MEBIBYTE


def dsrs_described(files: list[Path]) -> list[dict[str, Any]]:
    """What the engines are told of each DSR. Its `recency` grows from the earliest to the latest DSR."""
    paths = {path.name: str(path) for path in files}
    rows = rows_of(
        f"SELECT id, dsp, territory_id, row_number() OVER (ORDER BY {RECENCY}), path, exchange_rate FROM catalogue_dsr"
    )
    return [
        {
            "number": number,
            "dsp": dsp,
            "territory": territory,
            "recency": recency,
            "path": paths[name],
            "euros": euros_of_one(rate),
        }
        for number, dsp, territory, recency, name, rate in rows
    ]


def euros_of_one(rate: Decimal) -> str:
    """The euros for one unit of a currency, with 40 decimals."""
    with localcontext(prec=60):
        return f"{1 / rate:.40f}"


@contextmanager
def engine_process(engine: str, database: Path) -> Iterator[Run]:
    command = [sys.executable, "-m", "tests.benchmarks.engine_process", engine, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        given, printed = process.stdin, process.stdout
        assert given is not None
        assert printed is not None

        def run(step: str, **arguments: Any) -> dict[str, Any]:
            given.write(json.dumps([step, arguments]) + "\n")
            given.flush()
            done: dict[str, Any] = json.loads(printed.readline())
            return done

        yield run


# --- Answers ---------------------------------------------------------------------------------------------------


def measure_answers(folder: Path) -> None:
    with ExitStack() as stack:
        runs = {engine: stack.enter_context(engine_process(engine, folder / engine)) for engine in ENGINES}
        for engine, run in runs.items():
            say(f"{engine}: {totals_compared(run('totals')['result'])}")
        with server_memory() as peak:
            for question in QUESTIONS:
                measure_in_turns(question, runs, folder)
        memory = ", ".join(f"{engine} {run('totals')['mebibytes']:,.0f} MiB" for engine, run in runs.items())
        say(
            f"peak memory of asking: {memory}; dsrhub, the client {peak_memory():,.0f} MiB (it joins each answer), "
            f"a server process {peak[0]:,.0f} MiB without shared buffers"
        )


def measure_in_turns(question: Question, runs: dict[str, Run], folder: Path) -> None:
    """dsrhub without a cached ranking, then with it, then the others, so that other load affects all of them."""
    targets = {engine: folder / f"{engine}.json" for engine in runs}

    def seconds() -> list[float]:
        built, sent, _ = asked_uncached(question.address)
        cached = seconds_of(partial(asked, question.address))
        answers = [
            run("answer", **question._asdict(), target=str(targets[engine]))["seconds"] for engine, run in runs.items()
        ]
        return [built, sent, cached, *answers]

    rounds = [seconds() for _ in range(question.rounds + 1)]
    built, sent, cached, *others = (median(figures) for figures in zip(*rounds[1:], strict=True))
    say(f"{question.name}: dsrhub, first byte {built:.3f} s, everything {sent:.3f} s, cached {cached:.3f} s")
    for engine, other in zip(runs, others, strict=True):
        say(
            f"  {engine} {other:.3f} s, ratios {built / other:.2f}, {sent / other:.2f} and {cached / other:.3f}; "
            f"{compared(question, targets[engine])}"
        )


# --- The same answers? -----------------------------------------------------------------------------------------


def totals_compared(totals: list[list[str]]) -> str:
    """Compare lines, usages and revenue of each DSR. Raises ValueError if lines or usages differ."""
    found = {int(dsr): (int(lines), int(usages), Decimal(revenue)) for dsr, lines, usages, revenue in totals}
    expected = {dsr.pk: (dsr.line_count, int(dsr.total_usages), dsr.total_revenue) for dsr in DSR.objects.all()}
    if {dsr: row[:2] for dsr, row in found.items()} != {dsr: row[:2] for dsr, row in expected.items()}:
        raise ValueError(f"Lines or usages differ: {found}, not {expected}")
    with localcontext(prec=100):
        gaps = [abs(found[dsr][2] - expected[dsr][2]) for dsr in expected]
    return (
        f"the same lines and usages; the revenue of {sum(gap > 0 for gap in gaps)} of {len(gaps)} DSRs is rounded, "
        f"by {max(gaps):.0e} at most"
    )


def compared(question: Question, target: Path) -> str:
    dsps = dict(DSR.objects.values_list("pk", "dsp"))
    with closing(CLIENT.get(f"{question.address}&exact=true")) as response, localcontext(prec=100):
        pieces = response.streaming_content if response.streaming else [response.content]
        return str(differences(answer_of_dsrhub(pieces, dsps), answer_of_engine(target)))


if __name__ == "__main__":
    main()
