"""The server's worker class with other time limits, for tests."""

from dsrhub.http import worker as http_worker
from tests.waiting import PATIENCE


class Hasty(http_worker.BufferingWorker):
    """Ends slow connections after a second."""

    def init_process(self):
        http_worker.ARRIVAL_SECONDS = http_worker.PAUSE_SECONDS = 1
        super().init_process()


class Patient(http_worker.BufferingWorker):
    """Does not end slow connections during a test."""

    def init_process(self):
        http_worker.ARRIVAL_SECONDS = http_worker.PAUSE_SECONDS = 10 * PATIENCE
        super().init_process()
