import logging
import os
import signal
import time
from argparse import ArgumentParser
from typing import Any

import psycopg2
from django.db import Error, connection

from catalogue.imports.worker import queue_drain, uploads_clear, worker_lives
from catalogue.ranking.services import wanted_rankings_build
from catalogue.resources.services import catalogue_refresh
from dsrhub.commands import DsrhubCommand

logger = logging.getLogger(__name__)

# Seconds between two looks at the queue, and between two times of clearing up.
PAUSE, CLEARING_PAUSE = 1, 10


class Command(DsrhubCommand):
    help = "Check and load what the admin has queued, and keep the catalogue of resources up to date. Run any number."

    is_stopping = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="do what waits, and end")
        parser.add_argument("--parent", type=int, metavar="PID", help="end when this parent process has ended")

    def handle(self, *args: Any, **options: Any) -> None:
        self.parent: int | None = options["parent"]
        if options["once"]:
            self._work()
            return
        # What is being done is left to another worker, and the process ends in order.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(self, "is_stopping", True))
        self.stdout.write("Waiting for work.")
        while self._is_alive():
            try:
                with worker_lives():
                    self._serve()
            except (Error, psycopg2.Error) as error:  # COPY's errors are the driver's
                logger.warning("the database is out of reach: %s", error)
                connection.close()
                time.sleep(PAUSE)

    def _is_alive(self) -> bool:
        return not self.is_stopping and self.parent in (None, os.getppid())

    def _serve(self) -> None:
        cleared_at = float("-inf")
        while self._is_alive():
            done = queue_drain(is_alive=self._is_alive)
            wanted_rankings_build()
            if done or time.monotonic() - cleared_at > CLEARING_PAUSE:
                self._clear()
                cleared_at = time.monotonic()
            time.sleep(PAUSE)

    def _work(self) -> None:
        queue_drain(is_alive=self._is_alive)
        wanted_rankings_build()
        self._clear()

    def _clear(self) -> None:
        catalogue_refresh()
        uploads_clear()
