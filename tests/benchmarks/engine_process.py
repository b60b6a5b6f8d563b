"""Run DuckDB or ClickHouse in this process: `engine_process duckdb|chdb FOLDER`.

Each line of standard input is a step, the name of a method of `Engine` and its arguments as JSON: `["totals", {}]`. For
each of them, a line is printed: `{"result": ..., "seconds": ..., "mebibytes": ...}` with the peak memory up to then.

Both load the files of DSRs into a table on disk, and write an answer as JSON, one resource on each line. They do not
calculate rates: each DSR comes with the euros for one unit of its currency.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Protocol

COLUMNS = ("dsp_id", "title", "artists", "isrc", "usages", "revenue")
CORES = os.cpu_count() or 1


class Engine(Protocol):
    """An engine with its database in a folder.

    `load` is the last step of a process, and returns the version of the engine. `answer` writes a list to a file; the
    territory None is everything. `totals` returns the number, lines, usages and revenue of each DSR.
    """

    def __init__(self, folder: Path) -> None: ...
    def load(self, dsrs: list[dict[str, Any]]) -> str: ...
    def answer(self, percentile: int, territory: str | None, target: str) -> None: ...
    def totals(self) -> list[list[str]]: ...


# --- DuckDB ----------------------------------------------------------------------------------------------------

# A DECIMAL has 38 digits, and `/` makes a DOUBLE of it. So revenue has 20 decimals and EUR have 24, and revenue is
# multiplied by the euros of one unit: whole units and the rest apart, as no product has more than 38 digits either.
# Casts of such numbers are slow, so the two forms of the euros are stored.
DUCKDB_TABLES = """
CREATE TABLE dsr (
    number INTEGER, dsp VARCHAR, territory VARCHAR, recency INTEGER, path VARCHAR,
    euros DECIMAL(26, 24), short_euros DECIMAL(16, 14)
);
CREATE TABLE line (
    dsr INTEGER, dsp_id VARCHAR, title VARCHAR, artists VARCHAR, isrc VARCHAR, usages BIGINT, revenue DECIMAL(38, 20)
);
"""
DUCKDB_LOAD = """
INSERT INTO line
SELECT number, dsp_id, title, artists, isrc, usages::BIGINT, revenue::DECIMAL(38, 20)
FROM read_csv($paths, columns = $columns, header = true, delim = '\t', quote = '', escape = '', filename = true)
JOIN dsr ON path = filename
"""
DUCKDB_ANSWER = """
COPY (
    WITH summed AS (
        SELECT dsp, dsp_id, sum(usages) AS usages, list(dsr) AS dsrs, sum(trunc(revenue)::DECIMAL(14, 0) * euros)
            + sum((revenue - trunc(revenue))::DECIMAL(20, 20) * short_euros)::DECIMAL(38, 24) AS revenue
        FROM line JOIN dsr ON number = dsr WHERE {scope} GROUP BY dsp, dsp_id HAVING count(revenue) > 0
    ), ranked AS (
        SELECT *, sum(revenue) OVER ranking AS running, row_number() OVER ranking AS rank, sum(revenue) OVER () AS total
        FROM summed WINDOW ranking AS (ORDER BY revenue DESC, dsp_id, dsp ROWS UNBOUNDED PRECEDING)
    ), listed AS (
        SELECT * FROM ranked WHERE (running - revenue) * 100 < total * {percentile}
    ), described AS (
        SELECT dsp, dsp_id, arg_max(title, recency) AS title, arg_max(artists, recency) AS artists,
            arg_max(isrc, recency) AS isrc
        FROM line JOIN dsr ON number = dsr SEMI JOIN listed USING (dsp, dsp_id) GROUP BY dsp, dsp_id
    )
    SELECT dsp, dsp_id, title, artists, isrc, usages::BIGINT AS usages, revenue::VARCHAR AS revenue,
        list_sort(dsrs) AS dsrs
    FROM listed JOIN described USING (dsp, dsp_id) ORDER BY rank
) TO '{target}' (FORMAT json)
"""


class DuckDB:
    def __init__(self, folder: Path) -> None:
        import duckdb  # noqa: PLC0415 - only one of the engines is in this process

        self.connection = duckdb.connect(folder / "lines.duckdb", config={"threads": CORES})
        self.version = f"DuckDB {duckdb.__version__}"

    def load(self, dsrs: list[dict[str, Any]]) -> str:
        run = self.connection.execute
        # As its documentation recommends for large files.
        run("SET preserve_insertion_order = false")
        run(DUCKDB_TABLES)
        self.connection.executemany(
            "INSERT INTO dsr VALUES ($number, $dsp, $territory, $recency, $path, $euros, $euros)", dsrs
        )
        # Usages are text at first, as some are written as 5.0.
        columns = dict.fromkeys(COLUMNS, "VARCHAR")
        run(DUCKDB_LOAD, {"paths": [dsr["path"] for dsr in dsrs], "columns": columns})
        run("CHECKPOINT")
        self.connection.close()
        return self.version

    def answer(self, percentile: int, territory: str | None, target: str) -> None:
        scope = f"territory = '{territory}'" if territory else "true"
        self.connection.execute(DUCKDB_ANSWER.format(scope=scope, percentile=percentile, target=target))

    def totals(self) -> list[list[str]]:
        self.connection.execute("SELECT dsr, count(*), sum(usages), sum(revenue) FROM line GROUP BY dsr")
        return [[f"{value}" for value in row] for row in self.connection.fetchall()]


# --- ClickHouse ------------------------------------------------------------------------------------------------

# A Decimal has up to 76 digits: revenue has 20 decimals, the euros of one unit have 40, and so EUR have 60.
CLICKHOUSE_TABLES = (
    "CREATE DATABASE benchmark",
    """
    CREATE TABLE benchmark.dsr (
        number UInt32, dsp String, territory String, recency UInt32, path String, euros Decimal(76, 40)
    ) ENGINE = MergeTree ORDER BY number
    """,
    """
    CREATE TABLE benchmark.line (
        dsr UInt32, dsp_id String, title String, artists String, isrc String,
        usages Nullable(Int64), revenue Nullable(Decimal(38, 20))
    ) ENGINE = MergeTree ORDER BY dsr
    """,
)
# A String has no NULL here, as the documentation recommends. toDecimal reads exponents and, for usages, 5.0.
CLICKHOUSE_LOAD = """
INSERT INTO benchmark.line
SELECT number, dsp_id, title, artists, isrc, toInt64(toDecimal64(nullIf(usages, ''), 1)),
    toDecimal128(nullIf(trim(TRAILING '\r' FROM revenue), ''), 20)
FROM file('{files}', TSVRaw, '{columns}') AS file JOIN benchmark.dsr AS dsr ON path = file._path
SETTINGS input_format_tsv_skip_first_lines = 1, input_format_tsv_crlf_end_of_line = 1
"""
CLICKHOUSE_LISTED = """
CREATE TEMPORARY TABLE listed ENGINE = Memory AS
SELECT * FROM (
    SELECT *, sum(revenue) OVER ranking AS running, row_number() OVER ranking AS rank, sum(revenue) OVER () AS total
    FROM (
        SELECT dsp, dsp_id, sum(line.usages) AS usages, groupArray(dsr) AS dsrs,
            sum(toDecimal256(line.revenue, 20) * euros) AS revenue
        FROM benchmark.line AS line JOIN benchmark.dsr AS dsr ON number = dsr
        WHERE {scope} GROUP BY dsp, dsp_id HAVING count(line.revenue) > 0
    ) WINDOW ranking AS (ORDER BY revenue DESC, dsp_id, dsp ROWS UNBOUNDED PRECEDING)
) WHERE (running - revenue) * 100 < total * {percentile}
"""
CLICKHOUSE_ANSWER = """
SELECT dsp, dsp_id, title, artists, isrc, usages, toString(revenue) AS revenue, arraySort(dsrs) AS dsrs
FROM listed JOIN (
    SELECT dsp, dsp_id, argMaxIf(title, recency, title != '') AS title,
        argMaxIf(artists, recency, artists != '') AS artists, argMaxIf(isrc, recency, isrc != '') AS isrc
    FROM benchmark.line JOIN benchmark.dsr ON number = dsr
    WHERE (dsp, dsp_id) IN (SELECT dsp, dsp_id FROM listed) GROUP BY dsp, dsp_id
) AS described USING (dsp, dsp_id)
ORDER BY rank
INTO OUTFILE '{target}' TRUNCATE FORMAT JSONEachRow
SETTINGS output_format_json_quote_64bit_integers = 0
"""


class ClickHouse:
    def __init__(self, folder: Path) -> None:
        import chdb.session  # noqa: PLC0415

        self.session = chdb.session.Session(str(folder))
        self.session.query(f"SET max_threads = {CORES}")
        self.version = f"ClickHouse {self.read('SELECT version()')[0][0]} (chdb {chdb.__version__})"

    def read(self, statement: str) -> list[list[str]]:
        return [line.split("\t") for line in str(self.session.query(statement, "TSV")).splitlines()]

    def load(self, dsrs: list[dict[str, Any]]) -> str:
        for table in CLICKHOUSE_TABLES:
            self.session.query(table)
        rows = "\n".join(json.dumps(dsr) for dsr in dsrs)
        self.session.query(f"INSERT INTO benchmark.dsr FORMAT JSONEachRow {rows}")
        paths = [Path(dsr["path"]) for dsr in dsrs]
        files = f"{paths[0].parent}/{{{','.join(path.name for path in paths)}}}"
        columns = ", ".join(f"{name} String" for name in COLUMNS)
        self.session.query(CLICKHOUSE_LOAD.format(files=files, columns=columns))
        self.session.close()
        return self.version

    def answer(self, percentile: int, territory: str | None, target: str) -> None:
        scope = f"dsr IN (SELECT number FROM benchmark.dsr WHERE territory = '{territory}')" if territory else "true"
        self.session.query("DROP TABLE IF EXISTS listed")
        self.session.query(CLICKHOUSE_LISTED.format(scope=scope, percentile=percentile))
        self.session.query(CLICKHOUSE_ANSWER.format(target=target))

    def totals(self) -> list[list[str]]:
        return self.read("SELECT dsr, count(), sum(usages), sum(revenue) FROM benchmark.line GROUP BY dsr")


# --- The steps -------------------------------------------------------------------------------------------------

ENGINES: dict[str, type[Engine]] = {"duckdb": DuckDB, "chdb": ClickHouse}


def main(name: str, folder: str) -> None:
    engine = ENGINES[name](Path(folder))
    for line in sys.stdin:
        step, arguments = json.loads(line)
        started = time.perf_counter()
        result = getattr(engine, step)(**arguments)
        done = {"result": result, "seconds": time.perf_counter() - started, "mebibytes": peak_memory()}
        sys.stdout.write(json.dumps(done) + "\n")
        sys.stdout.flush()


def peak_memory() -> float:
    """The peak memory of this process in MiB. The value of `getrusage` would include that of the parent process."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
