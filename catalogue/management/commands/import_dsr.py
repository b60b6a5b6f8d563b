import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg2
from django.core.management.base import CommandError
from django.db import Error
from tqdm import tqdm

from catalogue.dsrs.declared import MEASURES, DeclaredTotals
from catalogue.exceptions import NoReportFound
from catalogue.imports.finding import FoundReports, LeftOut, reports_find
from catalogue.imports.loading.choices import Choices
from catalogue.imports.many import deliveries_plan, dsrs_import, repeated_keys
from catalogue.imports.printed import counted, first_line, result_text
from catalogue.report_templates.selectors import latest_version
from catalogue.reports.contexts import SalesContext
from catalogue.resources.services import catalogue_refresh
from dsrhub.commands import DsrhubCommand, decimal_number, whole_number
from dsrhub.files.disk import FoundFile
from dsrhub.texts.wording import printable

SHOWN_PATHS = 20
LONGEST_PATH = 4096


class Command(DsrhubCommand):
    # The checks would load REST and GraphQL with their schemas, which an import does not need.
    requires_system_checks = []
    help = "Import DSRs, each file completely or not at all. A bad file does not stop the others."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths",
            nargs="+",
            type=Path,
            metavar="PATH",
            help="a report, or a folder of reports",
        )
        parser.add_argument(
            "--replace", action="store_true", help="replace an earlier DSR that has the same key and different content"
        )
        parser.add_argument(
            "--drop-missing",
            action="store_true",
            help="with --replace: also delete the DSRs of replaced messages whose contexts the new message lacks",
        )
        for name, kind in (("lines", whole_number), ("usages", whole_number), ("revenue", decimal_number)):
            parser.add_argument(
                f"--declared-{name}",
                type=kind,
                metavar="N",
                help=f"the {name} that the service declares of a single delivery, which is refused if it has others",
            )
        parser.add_argument(
            "--template",
            metavar="NAME",
            help="let this template read the files, whichever would recognise them",
        )
        parser.add_argument("--dry-run", action="store_true", help="do the complete import, but keep nothing")
        parser.add_argument(
            "--jobs",
            type=whole_number,
            choices=range(1, 17),
            default=3,
            metavar="N",
            help="number of files to import at a time (default: 3): one is checked while others are loaded and indexed",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["drop_missing"] and not options["replace"]:
            raise CommandError("--drop-missing needs --replace.")
        declared = DeclaredTotals(**{name: options[f"declared_{name}"] for name in MEASURES})
        name = options["template"]
        with _connected():
            template = None if name is None else latest_version(name)
        choices = Choices(
            **{choice: options[choice] for choice in ("replace", "drop_missing", "dry_run")},
            declared=declared,
            template=template,
        )
        try:
            with _connected():
                found = reports_find(options["paths"], is_template_chosen=template is not None)
        except NoReportFound as error:
            self._print_left_out(error.extra["left_out"])
            raise CommandError(error.message) from None
        self._print_left_out(found.left_out)
        with _connected():
            files, planned, refused = found.files, deliveries_plan(found.files, template), 0
        if not declared.is_empty and (len(planned) != 1 or any(path.is_dir() for path in options["paths"])):
            raise CommandError("Totals are declared of one delivery: name its file, or the files of one message.")
        self._print_repeated(repeated_keys(planned), replace=options["replace"])
        with tqdm(
            total=sum(map(_size, files)),
            unit="B",
            unit_scale=True,
            disable=not sys.stderr.isatty(),
        ) as bar:
            jobs = min(options["jobs"], len(planned))
            results = dsrs_import(planned, jobs=jobs, choices=choices, progress=bar.update)
            for one, result in zip(planned, results, strict=True):
                refused += len(one.delivery.files) if result.error is not None else 0
                self._print(bar, result_text(result, len(one.delivery.files)), is_error=result.error is not None)
            if not options["dry_run"]:
                # One refresh for all files is faster, as many of them report the same resources.
                bar.set_description("registering resources")
                self._catalogue_refresh()
        done = f"{counted(len(files), 'file')} {'checked' if options['dry_run'] else 'imported'}"
        if refused:
            done = f"{refused} of {counted(len(files), 'file')} refused"
        outcome = f"{', '.join([done, *_left_out_counts(found)])}."
        if refused or found.unread_folders:
            raise CommandError(outcome)
        self.stdout.write(outcome)

    def _print_left_out(self, left_out: list[LeftOut]) -> None:
        for one in left_out[:SHOWN_PATHS]:
            self.stderr.write(f"skipped: {printable(str(one.path), LONGEST_PATH)}: {one.reason}.")
        if len(left_out) > SHOWN_PATHS:
            self.stderr.write(f"and {len(left_out) - SHOWN_PATHS:,} more skipped")

    def _print_repeated(self, repeated: dict[tuple[Path, ...], list[SalesContext]], *, replace: bool) -> None:
        outcome = "each replaces the one before it" if replace else "none replaces another, as --replace is not given"
        for paths, contexts in islice(repeated.items(), SHOWN_PATHS):
            names = _listed([printable(str(path), LONGEST_PATH) for path in paths])
            keys = _listed([f"({context})" for context in contexts])
            self.stderr.write(f"same key: {names}: {keys}. They are imported in this order, and {outcome}.")
        if len(repeated) > SHOWN_PATHS:
            self.stderr.write(f"and {len(repeated) - SHOWN_PATHS:,} more groups of files with the same key")

    @staticmethod
    def _catalogue_refresh() -> None:
        try:
            catalogue_refresh()
        except (Error, psycopg2.Error) as error:
            raise CommandError(
                f"Not all resources are registered. Run refresh_catalogue to continue: {first_line(error)}"
            ) from None

    def _print(self, bar: Any, text: str, *, is_error: bool) -> None:
        """Print a text without breaking the progress bar."""
        with bar.external_write_mode(file=sys.stderr):
            if is_error:
                self.stderr.write(text)
            else:
                self.stdout.write(text)


def _left_out_counts(found: FoundReports) -> list[str]:
    """How many paths of each kind are left out, for the kinds that there are."""
    counts = (
        (len(found.skipped_files), "file", "skipped"),
        (len(found.linked_folders), "linked folder", "skipped"),
        (len(found.unread_folders), "folder", "not read"),
    )
    return [f"{counted(count, word)} {verb}" for count, word, verb in counts if count]


def _size(file: FoundFile) -> int:
    try:
        return file.size()
    except OSError:
        return 0  # The import of this file tells what is wrong.


def _listed(texts: list[str]) -> str:
    """The first texts, and the number of further ones."""
    more = [f"and {len(texts) - SHOWN_PATHS:,} more"] if len(texts) > SHOWN_PATHS else []
    return ", ".join([*texts[:SHOWN_PATHS], *more])


@contextmanager
def _connected() -> Iterator[None]:
    """Say on one line that the database was lost before anything was imported."""
    try:
        yield
    except (Error, psycopg2.Error) as error:  # Some statements raise errors of the driver.
        raise CommandError(f"Nothing was imported: {first_line(error)}") from error
