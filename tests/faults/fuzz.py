"""Fuzz every way into dsrhub with deliveries: none may end in an internal error, or be loaded in part.

    python -m tests.faults.fuzz [--cases 20000] [--seed N] [--only parser ...] [--kind messages]

The program creates its own database, on the embedded server or on that of DATABASE_URL, and removes it at the end. The
first failure ends the run and shows the smallest delivery with this failure. The same seed gives the same deliveries.
"""

import argparse
import logging
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from random import SystemRandom

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

import hypothesis
from django.db import connection
from django.test import override_settings
from django.test.utils import setup_test_environment
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from tests.faults.deliveries import Delivery, deliveries
from tests.faults.doors import DOORS, SETTINGS, Door
from tests.faults.messages import messages

# How many of ten cases go through each door. The parser is the fastest.
SHARES = {"parser": 5, "command": 2, "REST": 2, "admin": 1}
KINDS = {"all": st.one_of(deliveries(), deliveries(), messages()), "reports": deliveries(), "messages": messages()}
# The number of cases of one run of Hypothesis, which remembers all cases that it has tried.
BATCH = 250
# How much the memory of the process may grow after a first batch through each door, in MiB.
MEMORY_LIMIT = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**9))
    parser.add_argument("--only", nargs="*", choices=DOORS, default=DOORS, help="only these doors, with their shares")
    parser.add_argument("--kind", choices=KINDS, default="all", help="only reports of TSV, or only messages of DDEX")
    options = parser.parse_args()
    say(f"seed {options.seed}")
    # Refusals are expected, so they need no log.
    logging.disable(logging.WARNING)
    setup_test_environment()
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            override_settings(**SETTINGS, DSRHUB_UPLOAD_DIR=Path(folder, "up")),
        ):
            run(Path(folder), options.cases, options.seed, options.only, KINDS[options.kind])
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def run(folder: Path, cases: int, seed: int, only: Iterable[str], kind: st.SearchStrategy[Delivery]) -> None:
    doors = {name: DOORS[name](folder) for name in only}
    for door in doors.values():
        batch(door, min(BATCH, cases // 10), seed, kind)
    memory = peak_memory()
    for name, door in doors.items():
        started, wanted = time.monotonic(), cases * SHARES[name] // 10
        while door.cases < wanted:
            batch(door, min(BATCH, wanted - door.cases), seed + door.cases, kind)
        statuses = ", ".join(
            f"{status} {count:,}" for status, count in sorted(door.statuses.items(), key=lambda one: -one[1])
        )
        say(f"{name}: {door.cases:,} cases in {time.monotonic() - started:,.0f} s: {statuses}")
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


def peak_memory() -> float:
    """In MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
