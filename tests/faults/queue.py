"""Queued imports, for the faults of workers. Django must be set up before this module is imported."""

import shutil
import time
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connections

from catalogue.imports.queue.jobs import import_job_add, import_job_confirm
from catalogue.imports.queue.selectors import WORKER, jobs_in_work
from catalogue.imports.queue.worker import queue_drain
from catalogue.models import ImportJob
from tests.faults.server import PAUSE
from tests.recipes import superuser


class Queue:
    """Reports that were uploaded, checked and confirmed, so that workers replace earlier DSRs by them."""

    def __init__(self, paths: list[Path]) -> None:
        user = User.objects.filter(username="a").first() or superuser.make(username="a")
        settings.DSRHUB_UPLOAD_DIR.mkdir(parents=True, exist_ok=True)
        added = []
        for path in paths:
            stored = shutil.copy(path, settings.DSRHUB_UPLOAD_DIR / uuid4().hex)
            added.append(import_job_add(upload="u", path=stored, name=path.name, user=user).pk)
        self.jobs = ImportJob.objects.filter(pk__in=added)
        queue_drain()
        for job in self.jobs:
            import_job_confirm(job=job, replace=True, user=user)
        connections.close_all()

    def done(self) -> int:
        return self.jobs.filter(state="done").count()

    def wait_for_worker(self) -> None:
        while not jobs_in_work() - {WORKER} and not self.done():
            time.sleep(PAUSE / 5)

    def finish(self) -> None:
        """Run the jobs that are left, after the last worker's session has ended. Each job ran exactly once."""
        while jobs_in_work():
            time.sleep(PAUSE)
        left = len(self.jobs) - self.done()
        assert queue_drain() == left
        loaded = [str(number) for number in self.jobs.all().values_list("dsr_number", flat=True)]
        assert self.done() == len(set(loaded)) == LogEntry.objects.filter(object_id__in=loaded).count() == len(loaded)
        connections.close_all()
