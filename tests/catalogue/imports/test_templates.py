"""A file that a template reads becomes a message of several DSRs, with the same guarantees as any other delivery."""

from decimal import Decimal

import pytest

from catalogue.imports.services import dsr_import
from catalogue.models import DSR, ReportMessage, UsageLine
from catalogue.report_templates.services import template_save
from tests.catalogue.report_templates.helpers import csv_file, sale
from tests.catalogue.reports.formats.templates.definitions import TONBANK

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tonbank():
    return template_save(name="Tonbank", definition=TONBANK)


def imported(path, **options):
    return dsr_import(path=path, name=path.name, **options)


def test_each_store_territory_currency_and_month_becomes_a_dsr(tmp_path, tonbank):
    path = csv_file(
        tmp_path,
        sale(quantity="10", net="1.25"),
        sale("Deezer", "FR", net="0.1"),
        sale(isrc="", upc="5012345678900", title="Two", quantity="2.0", net="0.000001"),
        sale(currency="USD", net="-3"),
        sale(month="2020-02"),
    )

    report = imported(path)

    found = {
        (dsr.dsp, dsr.territory_id, dsr.currency_id, str(dsr.period_end)): (dsr.total_usages, dsr.total_revenue)
        for dsr in DSR.objects.ingested()
    }
    assert found == {
        ("Spotify", "ES", "EUR", "2020-01-31"): (12, Decimal("1.250001")),
        ("Deezer", "FR", "EUR", "2020-01-31"): (1, Decimal("0.1")),
        ("Spotify", "ES", "USD", "2020-01-31"): (1, Decimal(-3)),
        ("Spotify", "ES", "EUR", "2020-02-29"): (1, Decimal("0.5")),
    }
    message = ReportMessage.objects.get()
    assert (message.sender_name, message.profile, message.profile_version) == ("Tonbank", "Tonbank", "1")
    spain = report.imported[0].dsr
    assert (message.template_version, message.message_id) == (tonbank, f"tonbank.csv {spain.sha256[:12]}")
    assert list(UsageLine.objects.of([spain]).values_list("line_number", "dsp_id", "title", "usages", "revenue")) == [
        (2, "ESABC2000001", "One", 10, Decimal("1.25")),
        (3, "5012345678900", "Two", 2, Decimal("0.000001")),
    ]
