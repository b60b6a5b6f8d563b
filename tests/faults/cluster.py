"""Faults of the nodes of a cluster: each answer is right or an error, every DSR is complete or absent.

    python -m tests.faults.cluster --programs /usr/lib/postgresql/16/bin [--times 30] [--seed N] [--only killed ...]
        [--in-one-step]

The folder has the programs of a PostgreSQL with the extension citus. The program starts a coordinator and two nodes in
a temporary folder. With --in-one-step, imports do as on one server: then DSRs are seen with a part of their lines, and
the first one ends the run.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import psycopg2
from django.db import DatabaseError, connections

from tests.faults.nodes import Cluster, Node
from tests.faults.program import Fault, parser_of, trial_of, try_each
from tests.faults.run import PROJECT, Trial, assert_idle, watching
from tests.faults.server import PATIENCE, PAUSE
from tests.faults.state import assert_catalogued, ingested, used
from tests.printing import say

NEWEST = "SELECT id, partition, line_count FROM catalogue_dsr WHERE status = 'ingested' ORDER BY id DESC LIMIT 1"
COUNT = "SELECT count(*) FROM catalogue_usageline WHERE partition = %s AND dsr_id = %s"
PREPARED = "SELECT count(*) FROM pg_prepared_xacts"
IMPORTERS = """
SELECT pid FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND state = 'active' AND query ~* '^commit'
"""
# manage.py, of which the lines of an import come in the transaction of their DSRs.
ONE_STEP = """
import sys, django
django.setup()
from contextlib import nullcontext
from django.core.management import execute_from_command_line
from catalogue.imports import services
from catalogue.lines.arriving import IN_TRANSACTION
services.lines_arriving = lambda **_: nullcontext(IN_TRANSACTION)
execute_from_command_line(["manage.py", *sys.argv[1:]])
"""


class ClusterServer:
    """The coordinator, as `Trial` knows a server."""

    def __init__(self, programs: Path) -> None:
        self.cluster = Cluster(programs)
        self.url = self.cluster.coordinator.url

    def start(self) -> None:
        """It runs already."""

    def remove(self) -> None:
        self.cluster.remove()


class ClusterTrial(Trial):
    in_one_step = False

    def popen(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        if not self.in_one_step:
            return super().popen(*arguments, **environment)
        return subprocess.Popen(
            [sys.executable, "-c", ONE_STEP, *arguments],
            cwd=PROJECT,
            env=self.environment | environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def prepare(self) -> None:
        super().prepare()
        self.manage("distribute")

    @property
    def cluster(self) -> Cluster:
        return self.server.cluster

    def assert_whole(self) -> None:
        assert_idle(self.server.url)
        deadline = time.monotonic() + PATIENCE
        # What nodes have prepared and not committed is completed by the cluster.
        while any(count(node, PREPARED) for node in self.cluster.nodes):
            assert time.monotonic() < deadline, "transactions stay prepared"
            time.sleep(PAUSE)
        # Lines of failed imports are dropped by then.
        self.manage("refresh_catalogue")
        found = ingested(self.server.url, self.editions)
        news = sum(edition == self.new for edition in found.values())
        self.count[f"{news} of {len(self.names)} replaced"] += 1
        assert_catalogued(self.server.url, found)
        self.import_all(self.new)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Ask for the rankings of single DSRs, and count the lines of the newest one, all the time."""
        over = threading.Event()
        readers = [threading.Thread(target=read, args=(over,)) for read in (self._read, self._count)]
        for reader in readers:
            reader.start()
        try:
            yield
        finally:
            over.set()
            for reader in readers:
                reader.join(PATIENCE)
        wrong = {name: count for name, count in self.count.items() if name.startswith("wrong")}
        assert not wrong, dict(self.count)

    def _read(self, over: threading.Event) -> None:
        random = Random(0)  # noqa: S311 - what is asked for
        while not over.is_set():
            self.count[self._answer(random.choice(self.names))] += 1
        connections.close_all()

    def _count(self, over: threading.Event) -> None:
        with watching(self.server.url) as cursor:
            while not over.is_set():
                self.count[self._counted(cursor)] += 1

    def _counted(self, cursor: Any) -> str:
        try:
            cursor.execute(NEWEST)
            ((number, partition, expected),) = cursor.fetchall()
            cursor.execute(COUNT, [partition, number])
            found = cursor.fetchone()[0]
            cursor.execute("SELECT count(*) FROM catalogue_dsr WHERE id = %s", [number])
            is_there = cursor.fetchone() == (1,)
        except psycopg2.Error:
            return "counts: errors"
        if found == expected:
            return "counts: right"
        return "wrong counts" if is_there else "counts: after the DSR was replaced"

    def _answer(self, name: str) -> str:
        # Imported late, as models need a Django that is set up.
        models, selectors, scope, exceptions = (
            import_module(module)
            for module in (
                "catalogue.models",
                "catalogue.ranking.selectors",
                "catalogue.lines.scope",
                "dsrhub.exceptions",
            )
        )
        try:
            dsr = models.DSR.objects.ingested().filter(path=name).first()
            if dsr is None:
                return "answers of a moment without the DSR"
            of_dsr = scope.Scope(dsrs=(dsr.pk,))
            with selectors.resource_ranking(percentile=100, scope=of_dsr) as ranking:
                rows = ranking.rows(limit=ranking.count)
            answer = frozenset((row.dsp_id, row.usages or 0) for row in rows)
            if answer in (used(edition / name) for edition in self.editions):
                return "right answers"
            is_gone = not models.DSR.objects.ingested().filter(pk=dsr.pk).exists()
            return "answers after the DSR was replaced" if is_gone and not answer else "wrong answers"
        except exceptions.NodeOutOfReach:
            return "errors: node_out_of_reach"
        except DatabaseError as error:
            connections.close_all()
            return f"errors: {type(error).__name__} {str(error).splitlines()[0][:60]}"

    def restart(self, node: Node) -> None:
        node.start()
        # Connections of this process that the node has ended.
        connections.close_all()


def count(node: Node, statement: str) -> int:
    with psycopg2.connect(node.url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        ((found,),) = cursor.fetchall()
    connection.close()
    return int(found)


# --- The faults ------------------------------------------------------------------------------------------------


def read(trial: ClusterTrial) -> None:
    """Questions during an import, without a fault."""
    with trial.reading(), trial.importing() as process:
        trial.ended(process)


def killed(trial: ClusterTrial) -> None:
    """A node killed at a random moment of an import, and during questions."""
    node = trial.random.choice(trial.cluster.nodes)
    with trial.reading(), trial.importing() as process:
        trial.wait()
        node.kill()
        time.sleep(trial.random.uniform(0, 1))
        trial.restart(node)
        trial.ended(process)


def committing(trial: ClusterTrial) -> None:
    """A node killed between its PREPARE and its COMMIT."""
    node = trial.random.choice(trial.cluster.nodes)
    with trial.reading(), ExitStack() as stack:
        on_node, on_coordinator = (stack.enter_context(watching(one)) for one in (node.url, trial.server.url))
        process = stack.enter_context(trial.importing())
        # Each import of six reports prepares about as often.
        skipped = trial.random.randrange(12)
        while process.poll() is None and not _held(on_node, on_coordinator, node, skipped):
            skipped = max(skipped - 1, 0)
        trial.count["transactions held while they committed"] += process.poll() is None
        if process.poll() is None:
            time.sleep(trial.random.uniform(0, 2))
            trial.restart(node)
        trial.ended(process)


def _held(on_node: Any, on_coordinator: Any, node: Node, skipped: int) -> bool:
    """Kill the node while an importer commits on the coordinator, unless this is to be skipped."""
    on_node.execute(PREPARED)
    if on_node.fetchone() == (0,):
        return False
    on_coordinator.execute(IMPORTERS)
    pids = [pid for (pid,) in on_coordinator.fetchall()]
    if not pids or skipped:
        return False
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    on_node.execute(PREPARED)
    is_held = on_node.fetchone() != (0,)
    if is_held:
        node.kill()
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    return is_held


FAULTS: list[Fault] = [read, killed, committing]


def main() -> None:
    parser = parser_of(__doc__, FAULTS, times=30)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--in-one-step", action="store_true")
    options = parser.parse_args()
    # Answers are to come from lines.
    os.environ["DSRHUB_KEPT_RANKING_ROWS"] = "0"
    # What is replaced is dropped.
    os.environ["DSRHUB_SUPERSEDED_DAYS"] = "0"
    with trial_of(ClusterTrial, ClusterServer(options.programs), options.seed) as trial:
        trial.in_one_step = options.in_one_step
        try_each(trial, FAULTS, options.only, lambda _: options.times)
    say("All checks passed.")


if __name__ == "__main__":
    main()
