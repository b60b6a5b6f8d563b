import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from dsrhub.exceptions import DsrhubError
from subscriptions.exceptions import RecordProblem
from subscriptions.records.services import usage_file_import

# The problems of one file must not hide the results of the others.
SHOWN_PROBLEMS = 20


class Command(BaseCommand):
    help = (
        "Add raw usage records from files: all records of a file, or none. An invalid file does not stop the others. "
        "Columns: subscription_id, usage_date (with a time zone), price, kilobytes_used or seconds_used, and optional "
        "external_id."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths",
            nargs="+",
            type=Path,
            metavar="FILE",
            help="separated by tabs or commas; may be compressed with gzip",
        )
        parser.add_argument("--backfill", action="store_true", help="also add to days whose raw records were purged")

    def handle(self, *args: Any, **options: Any) -> None:
        paths: list[Path] = options["paths"]
        for path in paths:
            if not path.is_file():
                raise CommandError(f"{path}: {'a folder, not a file' if path.is_dir() else 'no such file'}.")
        refused = 0
        bar: Any  # tqdm is generic in its items, and this bar has none
        total = sum(path.stat().st_size for path in paths)
        with tqdm(total=total, unit="B", unit_scale=True, disable=not sys.stderr.isatty()) as bar:
            for path in paths:
                bar.set_description(path.name)
                started = time.monotonic()
                try:
                    done = usage_file_import(path=path, backfill=options["backfill"], progress=bar.update)
                except (DsrhubError, OSError) as error:
                    refused += 1
                    outcome = _refusal(error)
                else:
                    seconds = time.monotonic() - started
                    outcome = f"{done.added:,} added, {done.repeated:,} were there already, {seconds:.2f} s"
                with bar.external_write_mode(file=sys.stderr):
                    self.stdout.write(f"{path.name}: {outcome}")
        if refused:
            raise CommandError(f"{refused} of {len(paths)} files refused.")


def _refusal(error: DsrhubError | OSError) -> str:
    if isinstance(error, OSError):
        return f"refused: {error.strerror or error}"
    problems: list[RecordProblem] = error.extra.get("problems", [])
    lines = [f"  line {problem.line}, {problem.field}: {problem.code}: {problem.value!r}" for problem in problems]
    if "position" in error.extra:
        lines = [f"  line {error.extra['position'] + 1}"]
    rest = error.extra.get("error_count", len(lines)) - len(lines[:SHOWN_PROBLEMS])
    return "\n".join(
        [f"refused: {error.message}", *lines[:SHOWN_PROBLEMS], *([f"  and {rest:,} more"] if rest > 0 else [])]
    )
