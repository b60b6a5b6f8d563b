import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from catalogue.reports.samples.messages import MOST_MESSAGES, message_list
from catalogue.reports.samples.reports import MOST_DSRS, sample_list, samples_write
from catalogue.reports.samples.writing import messages_write
from dsrhub.commands import whole_number

# The defaults make the samples in data/.
DSRS = {"tsv": 8, "ddex": 2}
LINES = {"tsv": 700, "ddex": 300}


class Command(BaseCommand):
    help = (
        "Write sample DSRs with invented recordings to a folder. The defaults make the samples in data/. "
        "Larger numbers make files for measurements. The same options always make the same files."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="the target folder; files with the same names are replaced")
        parser.add_argument(
            "--format", choices=DSRS, default="tsv", help="a file for each DSR (tsv, the default), or messages (ddex)"
        )
        parser.add_argument(
            "--dsrs",
            type=whole_number,
            help=f"number of DSRs, at most {MOST_DSRS} (default: {DSRS['tsv']}); "
            f"in each message (default: {DSRS['ddex']})",
        )
        parser.add_argument(
            "--lines",
            type=whole_number,
            help=f"number of lines of a DSR (default: {LINES['tsv']}; ddex: on average, {LINES['ddex']})",
        )
        parser.add_argument(
            "--messages", type=whole_number, default=1, help=f"ddex: number of messages (1 to {MOST_MESSAGES})"
        )
        parser.add_argument("--files", type=whole_number, default=1, help="ddex: number of files of each message")
        parser.add_argument(
            "--seed", type=whole_number, default=1, help="another number makes other recordings (default: 1)"
        )

    def handle(self, *, folder: Path, format: str, seed: int, **options: Any) -> None:
        started = time.monotonic()
        dsrs = DSRS[format] if options["dsrs"] is None else options["dsrs"]
        lines = LINES[format] if options["lines"] is None else options["lines"]
        if lines < 1:
            raise CommandError("--lines must be at least 1.")
        written: Iterable[object]
        try:
            if format == "ddex":
                messages = message_list(options["messages"], dsrs=dsrs)
                total, word = len(messages), "message" if len(messages) == 1 else "messages"
                written = messages_write(folder, messages, seed=seed, lines=dsrs * lines, files=options["files"])
                done = f"{total:,} {word} of {dsrs:,} DSRs, {total * dsrs * lines:,} sales lines"
            else:
                samples, total = sample_list(dsrs), dsrs
                written = samples_write(folder, samples, seed=seed, lines=lines)
                done = f"{dsrs:,} DSRs, {dsrs * lines:,} lines"
            folder.mkdir(parents=True, exist_ok=True)
            # With disable=None, the bar is shown only on a terminal.
            for _ in tqdm(written, total=total, unit="DSR" if format == "tsv" else "message", disable=None):
                pass
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{done} in {folder}, {time.monotonic() - started:.1f} s")
