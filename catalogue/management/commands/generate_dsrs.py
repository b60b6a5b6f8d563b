import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from catalogue.reports.samples import MOST_DSRS, sample_list, samples_write
from dsrhub.commands import whole_number


class Command(BaseCommand):
    help = (
        "Write sample DSRs with invented recordings to a folder. The defaults make the samples in data/. "
        "Larger numbers make files for measurements. The same options always make the same files."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="the target folder; files with the same names are replaced")
        parser.add_argument(
            "--dsrs", type=whole_number, default=8, help=f"number of files (default: 8, at most {MOST_DSRS})"
        )
        parser.add_argument(
            "--lines", type=whole_number, default=700, help="number of lines in each file (default: 700)"
        )
        parser.add_argument(
            "--seed", type=whole_number, default=1, help="another number makes other recordings (default: 1)"
        )

    def handle(self, *, folder: Path, dsrs: int, lines: int, seed: int, **options: Any) -> None:
        started = time.monotonic()
        if lines < 1:
            raise CommandError("--lines must be at least 1.")
        try:
            samples = sample_list(dsrs)
            folder.mkdir(parents=True, exist_ok=True)
            # With disable=None, the bar is shown only on a terminal.
            for _ in tqdm(samples_write(folder, samples, seed=seed, lines=lines), total=dsrs, unit="DSR", disable=None):
                pass
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        seconds = time.monotonic() - started
        self.stdout.write(f"{dsrs:,} DSRs, {dsrs * lines:,} lines in {folder}, {seconds:.1f} s")
