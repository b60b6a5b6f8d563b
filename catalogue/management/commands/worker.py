import logging
import os
import signal
import time
from argparse import ArgumentParser
from typing import Any

import psycopg2
from django.db import Error, connection

from catalogue.dsrs.differences import wanted_differences_find
from catalogue.dsrs.superseding import versions_drop_surplus
from catalogue.dsrs.totals import totals_complete
from catalogue.folders.watching import Folders
from catalogue.imports.worker import nothing_waits, queue_drain, uploads_clear, worker_lives
from catalogue.ranking.prepared import rankings_prepare
from catalogue.ranking.services import wanted_rankings_build
from catalogue.ranking.warming import WarmUp
from catalogue.resources.services import catalogue_refresh
from catalogue.resources.words import words_index_build
from dsrhub.commands import DsrhubCommand, whole_number

logger = logging.getLogger(__name__)

# Seconds between two polls of the queue, and between two cleanups.
PAUSE, CLEANUP_PAUSE = 1, 10


class Command(DsrhubCommand):
    help = (
        "Check and load uploads from the admin, import what is in drop folders, and refresh the catalogue. Any number "
        "of workers may run."
    )

    is_stopping = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="do the waiting work, then exit")
        parser.add_argument("--parent", type=whole_number, metavar="PID", help="exit when this parent process exits")

    def handle(self, *args: Any, **options: Any) -> None:
        self.parent: int | None = options["parent"]
        if options["once"]:
            self._run_once()
            return
        # The current job stops and another worker takes it over. The process exits cleanly.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(self, "is_stopping", True))
        self.warm_up = WarmUp()
        self.stdout.write("Waiting for work.")
        while self._is_alive():
            try:
                with worker_lives():
                    self._serve()
            except (Error, psycopg2.Error) as error:  # COPY raises errors of the driver.
                logger.warning("the database is unreachable: %s", error)
                connection.close()
                time.sleep(PAUSE)

    def _is_alive(self) -> bool:
        return not self.is_stopping and self.parent in (None, os.getppid())

    def _serve(self) -> None:
        folders, cleaned_up_at = Folders(), float("-inf")
        while self._is_alive():
            done = queue_drain(is_alive=self._is_alive)
            wanted_rankings_build()
            done += folders.look(is_alive=self._is_alive, may_continue=self._is_idle)
            if done or time.monotonic() - cleaned_up_at > CLEANUP_PAUSE:
                self._clean_up()
                cleaned_up_at = time.monotonic()
            self.warm_up.go_on(is_idle=self._is_idle)
            time.sleep(PAUSE)

    def _run_once(self) -> None:
        queue_drain(is_alive=self._is_alive)
        wanted_rankings_build()
        Folders().look(is_alive=self._is_alive, may_continue=self._is_alive)
        self._clean_up()

    def _clean_up(self) -> None:
        versions_drop_surplus()
        catalogue_refresh()
        wanted_differences_find()
        totals_complete(is_alive=self._is_alive)
        words_index_build()
        uploads_clear()
        rankings_prepare(may_continue=self._is_idle)

    def _is_idle(self) -> bool:
        return self._is_alive() and nothing_waits()
