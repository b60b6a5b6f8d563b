"""The progress of a step of a job, which also ends the step in time."""

import time
from collections.abc import Callable

from django.db import connection

from catalogue.models import ImportJob

# Seconds between two notes of how far a job is.
NOTE_PAUSE = 0.5


class Interrupted(Exception):
    """A step is left to another worker: nothing of it has happened."""


class StepProgress:
    """Called with the number of bytes that were read since the last call. Raises Interrupted where time is over."""

    def is_over(self) -> bool:
        raise NotImplementedError

    def __call__(self, byte_count: int) -> None:
        if self.is_over():
            raise Interrupted


class Deadline(StepProgress):
    """The progress of a step in a request, which must not take longer than some seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def is_over(self) -> bool:
        return time.monotonic() >= self._end


class WorkerProgress(StepProgress):
    """The progress of a step in a worker, which goes on while `is_alive` says so.

    It is noted on a connection of its own: others see nothing of the import's own transaction before its end.
    """

    def __init__(self, job: ImportJob, is_alive: Callable[[], bool]) -> None:
        self._job, self._is_alive = job, is_alive
        self._connection = connection.copy()
        self._byte_count = 0
        self._noted_at = time.monotonic()

    def is_over(self) -> bool:
        return not self._is_alive()

    def __call__(self, byte_count: int) -> None:
        super().__call__(byte_count)
        self._byte_count += byte_count
        if time.monotonic() - self._noted_at < NOTE_PAUSE:
            return
        self._noted_at = time.monotonic()
        with self._connection.cursor() as cursor:
            cursor.execute(
                "UPDATE catalogue_importjob SET bytes_done = %s WHERE id = %s", [self._byte_count, self._job.pk]
            )

    def close(self) -> None:
        self._connection.close()
