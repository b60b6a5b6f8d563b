"""Run the import command in this process: `import_process DATABASE JOBS WITH_RESOURCES PATH...` prints JSON."""

import io
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.db import connection

from catalogue.lines.staging import StagedLines
from catalogue.lines.storage import LineLoad
from catalogue.management.commands import import_dsr

STEPS = {"copy": "check and copy", "totals": "totals", "repeats": "dsp_id index", "store": "other indexes, attach"}
# Of messages.
STAGED_STEPS = {
    "copy": "check and copy",
    "totals": "totals",
    "repeated_transactions": "transaction ids",
    "store": "indexes, attach",
}


def main(database: str, jobs: str, with_resources: str, *files: str) -> None:
    connection.settings_dict["NAME"] = database
    phases: dict[str, float] = defaultdict(float)

    def timed(phase: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return step(*args, **kwargs)
            finally:
                phases[phase] += time.perf_counter() - started

        return run

    steps = {name: timed(phase, getattr(LineLoad, name)) for name, phase in STEPS.items()}
    staged_steps = {name: timed(phase, getattr(StagedLines, name)) for name, phase in STAGED_STEPS.items()}
    register = timed("resources", import_dsr.catalogue_refresh) if with_resources == "True" else lambda: None
    at_start = peak_memory()
    with (
        patch.multiple(LineLoad, **steps),
        patch.multiple(StagedLines, **staged_steps),
        patch.object(import_dsr, "catalogue_refresh", register),
    ):
        started = time.perf_counter()
        command = import_dsr.Command(stdout=io.StringIO())
        command.run_from_argv(["manage.py", "import_dsr", "--jobs", jobs, *files])
        seconds = time.perf_counter() - started
    figures = {"seconds": seconds, "phases": phases, "mebibytes_at_start": at_start, "mebibytes": peak_memory()}
    sys.stdout.write(json.dumps(figures))


def peak_memory() -> float:
    """The peak memory of this process in MiB. The value of `getrusage` would include that of the parent process."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
