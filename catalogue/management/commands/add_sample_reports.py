from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from catalogue.exceptions import InvalidReportName, ReportRefused
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, OperatorRate, RejectedDelivery, SupersededDSR, Template
from catalogue.rates.services import operator_rate_set
from catalogue.report_templates.services import template_import
from catalogue.report_templates.shipped import shipped_documents
from catalogue.reports.samples.demo import STATEMENT_TEMPLATE, DemoDelivery, demo_deliveries, file_to_drop, files_to_try
from catalogue.resources.services import catalogue_refresh
from dsrhub.commands import DsrhubCommand
from dsrhub.exceptions import DsrhubError

# The rate of a bank, in place of the European Central Bank's.
CURRENCY, FIRST_DAY, LAST_DAY, RATE = "NOK", date(2020, 2, 1), date(2020, 2, 29), Decimal("10.2")
NOTE = "Sample: the rate at which our bank bought the kroner."


class Command(DsrhubCommand):
    help = (
        "Import sample reports beside those in data/, for a trial: a message about several territories, a file of "
        "columns, a corrected report, and some that are refused. What was imported before is left as it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, metavar="FOLDER", help="where to write reports that you may import")
        parser.add_argument("--drop-folder", type=Path, metavar="FOLDER", help="a drop folder in which one arrives")

    def handle(self, *, folder: Path, drop_folder: Path | None, **options: Any) -> None:
        with TemporaryDirectory() as written:
            new = _new(list(demo_deliveries(Path(written))))
            _template_add()
            imported = sum(self._is_imported(delivery) for delivery in new)
        if new:
            _rate_set()
            catalogue_refresh()
            if drop_folder is not None:
                file_to_drop(drop_folder)
        files_to_try(folder)
        self.stdout.write(f"{imported} reports imported, {len(new) - imported} refused.")

    def _is_imported(self, delivery: DemoDelivery) -> bool:
        try:
            dsr_import(
                path=delivery.path,
                name=delivery.path.name,
                replace=delivery.is_correction,
                and_catalogue=False,
            )
        except (ReportRefused, InvalidReportName):  # kept with its problems, as it is meant to be
            return False
        except DsrhubError as error:
            self.stderr.write(error.message)
            return False
        return True


def _new(deliveries: Sequence[DemoDelivery]) -> list[DemoDelivery]:
    """Those of whose names none came before, whatever became of it."""
    names = {one.path.name for one in deliveries}
    known = set(RejectedDelivery.objects.filter(name__in=names).values_list("name", flat=True))
    for model in (DSR, SupersededDSR):
        known.update(model.objects.filter(path__in=names).values_list("path", flat=True))
    return [one for one in deliveries if one.path.name not in known]


def _template_add() -> None:
    """Add the template that reads the statement, if somebody deleted it."""
    if not Template.objects.filter(name=STATEMENT_TEMPLATE).exists():
        template_import(document=next(one for one in shipped_documents() if one["name"] == STATEMENT_TEMPLATE))


def _rate_set() -> None:
    if not OperatorRate.objects.filter(currency=CURRENCY, period_start=FIRST_DAY, period_end=LAST_DAY).exists():
        operator_rate_set(currency=CURRENCY, period_start=FIRST_DAY, period_end=LAST_DAY, rate=RATE, note=NOTE)
