"""Fuzz every way into dsrhub with deliveries: none may end in an internal error, or be loaded in part.

    python -m tests.faults.fuzz [--cases 20000] [--seed N] [--only parser ...] [--kind messages]

A part of the cases are reports and messages, which go through four doors. The others are files and definitions of
templates, records of usage, operations of GraphQL and requests of REST (`tests/faults/hostile/`).

The program creates its own database, on the embedded server or on that of DATABASE_URL, and removes it at the end. The
first failed delivery ends the run, which shows the smallest delivery with this failure. Other cases that fail are shown
at the end. The same seed gives the same cases.
"""

import argparse
import logging
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import SystemRandom

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

import hypothesis
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import setup_test_environment
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from tests.faults.crawler import fill
from tests.faults.deliveries import Delivery, deliveries
from tests.faults.doors import DOORS, SETTINGS, Door
from tests.faults.hostile.columns import ColumnFiles, Definitions
from tests.faults.hostile.graphql import GraphqlRequests
from tests.faults.hostile.records import RecordRequests
from tests.faults.hostile.rest import RestRequests
from tests.faults.hostile.trial import Requests, Trial
from tests.faults.hostile.uploads import ColumnUploads
from tests.faults.messages import messages
from tests.printing import say
from tests.recipes import superuser

# How many of 40 cases go through each door. The parser is the fastest.
SHARES = {"parser": 7, "command": 2, "REST": 2, "admin": 1}
TRIALS: dict[str, type[Trial]] = {
    "columns": ColumnFiles,
    "definitions": Definitions,
    "column uploads": ColumnUploads,
    "records": RecordRequests,
    "graphql": GraphqlRequests,
    "rest": RestRequests,
}
ALL_SHARES = SHARES | {name: trial.share for name, trial in TRIALS.items()}
KINDS = {"all": st.one_of(deliveries(), deliveries(), messages()), "reports": deliveries(), "messages": messages()}
# The number of cases of one run of Hypothesis, which remembers all cases that it has tried.
BATCH = 250
# How much the memory of the process may grow after a first batch through each door, in MiB.
MEMORY_LIMIT = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**9))
    parser.add_argument(
        "--only", nargs="*", choices=ALL_SHARES, default=ALL_SHARES, help="only these, with their shares"
    )
    parser.add_argument(
        "--kind", choices=KINDS, default="all", help="of deliveries: only reports of TSV, or only messages of DDEX"
    )
    options = parser.parse_args()
    doors = [name for name in options.only if name in DOORS]
    trials = [name for name in options.only if name in TRIALS]
    say(f"seed {options.seed}")
    # Refusals are expected, so they need no log.
    logging.disable(logging.WARNING)
    setup_test_environment()
    # Runs beside each other have databases of their own.
    connection.settings_dict["TEST"]["NAME"] = f"dsrhub_fuzz_{options.seed}"
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            override_settings(**SETTINGS, DSRHUB_UPLOAD_DIR=Path(folder, "up")),
        ):
            if doors:
                run(Path(folder), options.cases, options.seed, doors, KINDS[options.kind])
            failures = try_all(Path(folder), options.cases, options.seed, trials)
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)
    for failure in failures:
        say(failure)
    sys.exit(bool(failures))


def try_all(folder: Path, cases: int, seed: int, names: Iterable[str]) -> list[str]:
    """Try what is no delivery, and return the failures."""
    fill()
    client = Client(raise_request_exception=False)
    client.force_login(superuser.make(username="hostile"))
    failures = []
    for name in names:
        started, kind = time.monotonic(), TRIALS[name]
        trial = kind(client if issubclass(kind, Requests) else folder)  # type: ignore[call-arg, arg-type]
        trial.run(cases * trial.share // sum(ALL_SHARES.values()), seed)
        report(name, trial.cases, started, trial.statuses)
        failures += trial.failures
    return failures


def run(folder: Path, cases: int, seed: int, only: Iterable[str], kind: st.SearchStrategy[Delivery]) -> None:
    doors = {name: DOORS[name](folder) for name in only}
    for door in doors.values():
        batch(door, min(BATCH, cases // 10), seed, kind)
    memory = peak_memory()
    for name, door in doors.items():
        started, wanted = time.monotonic(), cases * SHARES[name] // sum(ALL_SHARES.values())
        while door.cases < wanted:
            batch(door, min(BATCH, wanted - door.cases), seed + door.cases, kind)
        report(name, door.cases, started, door.statuses)
    grown = peak_memory() - memory
    say(f"{sum(door.cases for door in doors.values()):,} cases, memory grew by {grown:.0f} MiB to {peak_memory():.0f}")
    if grown > MEMORY_LIMIT:
        sys.exit(f"Memory grew by more than {MEMORY_LIMIT} MiB.")


def batch(door: Door, cases: int, seed: int, kind: st.SearchStrategy[Delivery]) -> None:
    """Try a door with this number of deliveries."""

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(kind)
    def try_door(one):
        door.try_with(one)

    try_door()


def report(name: str, cases: int, started: float, statuses: Mapping[str, int]) -> None:
    counts = ", ".join(f"{status} {count:,}" for status, count in sorted(statuses.items(), key=lambda one: -one[1]))
    say(f"{name}: {cases:,} cases in {time.monotonic() - started:,.0f} s: {counts}")


def peak_memory() -> float:
    """In MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
