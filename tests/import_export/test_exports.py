"""Every export of every admin, with texts that try to be markup and formulas."""

import csv
import io
from decimal import Decimal

import pytest
from django.contrib import admin
from django.urls import reverse
from openpyxl import load_workbook

from dsrhub.import_export.button import StreamingExportMixin
from dsrhub.import_export.formats import CSV, EXPORT_FORMATS, XLSX
from tests import recipes
from tests.catalogue import recipes as catalogue_recipes
from tests.catalogue.helpers import add_lines, line
from tests.subscriptions.helpers import DATA, VOICE, add, event, subscribe

pytestmark = pytest.mark.django_db

MARKUP, FORMULA = "<r>Rock & Roll</r>", "=1+1"
DIGITS = "1.2345678901234567890123456789"
# The exports of all admins: the address of the button, and the number of the content.
EXPORTS = [
    pytest.param(model, number, id=f"{model._meta.label_lower}-{resource.__name__}")
    for model, model_admin in admin.site._registry.items()
    if isinstance(model_admin, StreamingExportMixin)
    for number, resource in enumerate(model_admin.resource_classes)
    if resource.__name__ != "LinesToImport"  # It is a TSV only.
]
# Tables without any text that comes from outside, and those without any amount.
WITHOUT_TEXTS = {"DailyUsage", "Subscriptions"}
WITHOUT_AMOUNTS = {"Subscriptions", "Problems", "Recordings", "AuditEntries"}


@pytest.fixture
def hostile_rows():
    dsr = catalogue_recipes.dsr.make(dsp=MARKUP, offer=FORMULA, exchange_rate=Decimal(1))
    add_lines(dsr, line(FORMULA, title=MARKUP, artists=MARKUP, revenue=DIGITS), line(MARKUP, title=FORMULA))
    catalogue_recipes.problem.make(dsr=dsr, column=MARKUP, value=FORMULA)
    for use_type in (MARKUP, FORMULA):
        catalogue_recipes.use_type_total.make(dsr=dsr, use_type=use_type, total_revenue=DIGITS)
    catalogue_recipes.resource.make(dsp_id=FORMULA, title=MARKUP)
    recipes.audit_entry.make(object_name=MARKUP, user_name=FORMULA, details={MARKUP: FORMULA})
    someone = subscribe()
    for usage_type in (DATA, VOICE):
        add(
            event(someone, price=DIGITS, external_id=MARKUP),
            event(someone, price="0", external_id=FORMULA),
            usage_type=usage_type,
        )


def export(client, model, number, file_format):
    days = {"start": "2026-01-01", "end": "2026-01-31"}
    form = {"resource": number, "format": EXPORT_FORMATS.index(file_format), "percentile": 100, **days}
    response = client.post(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_export"), form)
    assert response.streaming
    return b"".join(response.streaming_content)


def test_all_exports_are_tested():
    assert len(EXPORTS) == 13


@pytest.mark.parametrize(("model", "number"), EXPORTS)
def test_hostile_texts_are_texts_in_each_sheet_and_csv(admin_client, hostile_rows, model, number):
    name = admin.site.get_model_admin(model).resource_classes[number].__name__
    sheet = load_workbook(io.BytesIO(export(admin_client, model, number, XLSX))).active
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "n"}
    texts = {cell.value for cell in cells if cell.data_type == "s"}
    if name not in WITHOUT_TEXTS:
        assert {MARKUP, FORMULA} <= texts
    if name not in WITHOUT_AMOUNTS:
        assert any(DIGITS[:20] in text for text in texts)

    content = export(admin_client, model, number, CSV).decode()
    in_csv = {cell for cells in csv.reader(io.StringIO(content, newline="")) for cell in cells}
    assert not any(cell.startswith("=") for cell in in_csv)
    if name not in WITHOUT_TEXTS:
        assert {MARKUP, "'" + FORMULA} <= in_csv
