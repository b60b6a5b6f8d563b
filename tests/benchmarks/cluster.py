"""Measure dsrhub on a cluster, or on one server: run it on both, and compare.

    DATABASE_URL=postgres://user@coordinator/name python -m tests.benchmarks.cluster [--dsrs 20] [--lines 400000]

It creates its own database, with databases of the same name on the nodes, and removes them at the end. The answers are
hashed, so that two runs can be compared: they must be equal.
"""

# Before models: it sets Django up.
from tests.benchmarks.measuring import (  # isort: skip
    TIMES,
    median_seconds,
    parser_of,
    report_files,
    say,
    seconds_of,
    server_version,
)

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil
from django.db import connection, transaction

from catalogue.dsrs.selectors import dsr_lines
from catalogue.dsrs.services import dsr_delete
from catalogue.dsrs.versions.superseding import versions_drop
from catalogue.imports.services import dsr_import
from catalogue.lines.scope import ALL, Scope, scope_state
from catalogue.models import DSR, Resource, SupersededDSR
from catalogue.ranking.artists.sums import Credit, artists_rank
from catalogue.ranking.building.ways import ranking_build
from catalogue.ranking.cached.resources import next_number
from catalogue.resources.found import ResourceKey, ResourceSearch
from catalogue.resources.reported import resource_sums
from catalogue.resources.selectors import resource_list
from catalogue.resources.services import catalogue_refresh
from dsrhub.database.statements import rows_of
from tests import cluster

POSTMASTER = r"SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1)::integer"
SPAIN = Scope(territory="ES")
PERCENTILES = (10, 25, 50, 90, 100)


def main() -> None:
    options = parser_of(__doc__, dsrs=20, lines=400_000).parse_args()
    files = report_files(options.dsrs, options.lines // options.dsrs)
    of = cluster.nodes()
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        if of:
            cluster.database_spread(of)
        say(f"{server_version()}, {len(of)} nodes, {options.dsrs} DSRs, {options.lines:,} lines")
        measure(files)
    finally:
        if of:
            cluster.databases_drop(of)
        connection.creation.destroy_test_db(name, verbosity=0)


def measure(files: list[Path]) -> None:
    step("import", partial(imported, files))
    step("registering the recordings", catalogue_refresh)
    for scope, named in ((SPAIN, "one territory"), (ALL, "everything")):
        for percentile in PERCENTILES:
            step(f"top {percentile} % of {named}", partial(ranking, percentile, scope))
    step("artists of everything", artists)
    keys = [ResourceKey(*key) for key in Resource.objects.order_by("dsp_id")[:50].values_list("dsp", "dsp_id")]
    step("sums of 50 recordings", lambda: resource_sums(resources=keys, scope=ALL))
    step("a page of recordings in one territory", lambda: listed(ResourceSearch(scope=SPAIN)))
    step("a search for words", lambda: listed(ResourceSearch(words="love")))
    dsr = DSR.objects.order_by("id")[0]
    step("a page of 100 lines", lambda: [str(line.revenue) for line in dsr_lines(dsr=dsr, after=500, limit=100)])
    step("deleting a DSR and its recordings", partial(deleted, dsr))


def step(name: str, run: Callable[[], Any]) -> None:
    """Steps that change something are run once. The times of cores are those of one run, on the average."""
    is_question = name.split(maxsplit=1)[0] not in ("import", "registering", "deleting")
    answer = run() if is_question else None
    times, before = (TIMES + 1 if is_question else 1), cpu_times()
    seconds = median_seconds(run) if is_question else seconds_of(run)
    shares = ", ".join(
        f"{part} {(now - was) * 1000 / times:,.0f}"
        for (part, now), was in zip(cpu_times().items(), before.values(), strict=True)
    )
    found = sha256(repr(answer).encode()).hexdigest()[:12] if is_question else ""
    say(f"{name:<42}{seconds * 1000:>11,.1f} ms; ms of cores: {shares}  {found}")


def cpu_times() -> dict[str, float]:
    """The seconds that this process, the coordinator and each node have taken of cores, if all are on this machine."""
    found = {"client": sum(os.times()[:2]), "coordinator": cpu_seconds(rows_of(POSTMASTER)[0][0])}
    for node in cluster.nodes():
        with cluster.session("postgres", node) as cursor:
            cursor.execute(POSTMASTER)
            found[f"node {node[1]}"] = cpu_seconds(cursor.fetchone()[0])
    return found


def cpu_seconds(postmaster: int) -> float:
    """What a server has taken, with its processes that have ended."""
    try:
        process = psutil.Process(postmaster)
        total = sum(process.cpu_times()[:4])
        for child in process.children():
            with suppress(psutil.NoSuchProcess):
                total += sum(child.cpu_times()[:2])
    except psutil.NoSuchProcess:
        return float("nan")
    return total


def imported(files: list[Path]) -> None:
    for path in files:
        dsr_import(path=path, name=path.name, and_catalogue=False)


def ranking(percentile: int, scope: Scope) -> Any:
    """The rows of a ranking that is built and not kept."""
    with transaction.atomic():
        _, dsrs = scope_state(scope)
        built = ranking_build(number := next_number(), dsrs, percentile)
        columns = "dsp, dsp_id, title, artists, isrc, usages, trim_scale(revenue)::text"
        hashed = f"SELECT md5(string_agg(({columns})::text, '' ORDER BY rank)) FROM {built.table}"
        # A ranking may have rows behind the share.
        rows = rows_of(f"{hashed} WHERE ranking = %(ranking)s AND rank <= %(end)s", ranking=number, end=built.ends[-1])
        transaction.set_rollback(True)
    return built.ends[-1], rows


def artists() -> Any:
    with transaction.atomic():
        _, dsrs = scope_state(ALL)
        totals = artists_rank(1_000_000, dsrs, Credit.FULL)
        transaction.set_rollback(True)
    return totals


def listed(search: ResourceSearch) -> Any:
    return [(one.dsp, one.dsp_id) for one in resource_list(search=search, after=None, limit=100)]


def deleted(dsr: DSR) -> None:
    dsr_delete(dsr_number=dsr.pk)
    versions_drop(list(SupersededDSR.objects.values_list("pk", flat=True)), reason="deleted")
    catalogue_refresh()


if __name__ == "__main__":
    main()
