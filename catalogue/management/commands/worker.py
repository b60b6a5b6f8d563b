import logging
import os
import signal
import time
from argparse import ArgumentParser
from typing import Any

import psycopg2
from django.conf import settings
from django.db import Error, connection
from django.utils.module_loading import import_string

from catalogue.dsrs.statistics.missing import missing_reports_tell
from catalogue.dsrs.statistics.totals import totals_complete
from catalogue.dsrs.versions.differences import wanted_differences_find
from catalogue.dsrs.versions.superseding import versions_drop_surplus
from catalogue.folders.watching import Folders
from catalogue.imports.queue.worker import nothing_waits, queue_drain, uploads_clear, worker_lives
from catalogue.ranking.prepared import rankings_prepare
from catalogue.ranking.services import wanted_rankings_build
from catalogue.ranking.warming import WarmUp
from catalogue.resources.services import catalogue_refresh
from catalogue.resources.words import words_index_build
from dsrhub.commands import DsrhubCommand, whole_number
from dsrhub.webhooks.running import delivering, events_deliver

logger = logging.getLogger(__name__)

# Seconds between two polls of the queue, between two cleanups, and between two looks for missing reports.
PAUSE, CLEANUP_PAUSE, GAPS_PAUSE = 1, 10, 600


class Command(DsrhubCommand):
    help = (
        "Check and load uploads from the admin, import what is in drop folders, send events, and keep the catalogue up "
        "to date. Any number of workers may run."
    )

    is_stopping = False
    looked_for_gaps_at = float("-inf")

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
        with delivering():
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
        events_deliver(may_continue=self._is_alive)

    def _clean_up(self) -> None:
        versions_drop_surplus()
        catalogue_refresh()
        wanted_differences_find()
        totals_complete(is_alive=self._is_alive)
        words_index_build()
        uploads_clear()
        if time.monotonic() - self.looked_for_gaps_at > GAPS_PAUSE:
            missing_reports_tell()
            self.looked_for_gaps_at = time.monotonic()
        for step in settings.WORKER_STEPS:
            import_string(step)(may_continue=self._is_idle)
        rankings_prepare(may_continue=self._is_idle)

    def _is_idle(self) -> bool:
        return self._is_alive() and nothing_waits()
