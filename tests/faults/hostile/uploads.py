"""Files that templates read, by `POST /dsrs/`: what is stored equals the file, and a refused file stores no line."""

from decimal import Decimal
from random import Random
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Sum
from django.test import Client

from catalogue.models import DSR, Template, UsageLine
from catalogue.report_templates.services import template_save
from tests.faults.hostile.columns import Dialect, Sums, file_of, read_text, read_workbook, sums_of
from tests.faults.hostile.rest import assert_explained
from tests.faults.hostile.trial import Requests


class ColumnUploads(Requests):
    share = 2

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        Template.objects.update(is_active=False)

    def try_with(self, random: Random, case: list[object]) -> str:
        made = file_of(random)
        case += [made.dialect[1:], made.dialect.definition["file"], made.rows, made.content[:3000]]
        with self.undone():
            template_save(name="Fuzz", definition=made.dialect.definition)
            before = set(DSR.objects.values_list("pk", flat=True)), UsageLine.objects.count()
            form = {"file": SimpleUploadedFile(made.name, made.data), "replace": random.choice(["true", "false"])}
            response = self.client.post("/dsrs/", form)
            assert response.status_code in (200, 201, 400, 409, 413), response.content[:500]
            new = DSR.objects.ingested().exclude(pk__in=before[0])
            if response.status_code != 201:
                assert_explained(_without_findings(response.json()))
                assert not made.expected, f"a valid file is refused: {response.content[:500]!r}"
                assert not new
                assert UsageLine.objects.count() == before[1]
            else:
                _assert_same(new, made.expected or sums_of(_read(made.dialect, made.content)))
        return str(response.status_code)


def _read(dialect: Dialect, content: bytes) -> list[list[str]]:
    return read_workbook(dialect, content) if dialect.is_workbook else read_text(dialect, content)


def _assert_same(dsrs: Any, expected: Sums) -> None:
    found = {
        (dsr.dsp, dsr.territory_id, dsr.currency_id, f"{dsr.period_start:%Y-%m}"): (
            *(dsr.line_count, int(dsr.total_usages), dsr.total_revenue),
        )
        for dsr in dsrs
    }
    assert found == expected
    for dsr in dsrs:
        stored = UsageLine.objects.filter(dsr=dsr).aggregate(usages=Sum("usages"), revenue=Sum("revenue"))
        assert (stored["usages"] or 0, stored["revenue"] or Decimal(0)) == (dsr.total_usages, dsr.total_revenue)


def _without_findings(answer: dict[str, Any]) -> dict[str, Any]:
    """A refusal without the lists of problems that belong to it."""
    return {name: part for name, part in answer.items() if name in ("detail", "code")} or answer
