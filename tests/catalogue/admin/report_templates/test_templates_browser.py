"""A template is made in a browser of a file that nothing recognises, which it then imports.

The fixture `page` fails a test that logs an error to the console, such as a violation of the content security policy,
or sends a request to another host.
"""

from decimal import Decimal

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from catalogue.models import DSR, Template
from catalogue.report_templates.services import template_save
from tests.browser import WIDTHS, signed_in, widths
from tests.catalogue.reports.formats.templates.definitions import TONBANK

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TEXT = """Monat;Shop;Land;Währung;Titel;ISRC;Anzahl;Brutto;Auszahlung
2020-01;Spotify;Deutschland;EUR;Größe;DEABC2000001;10;9,99;1.234,50
2020-01;Spotify;Niemandsland;EUR;Größe;DEABC2000001;2;9,99;0,25
2020-02;Deezer;Deutschland;EUR;Größe;DEABC2000001;3;9,99;1,5
Summe;;;;;;15;29,97;1.236,25
"""
FILE = {"name": "tonhaus.csv", "mimeType": "text/csv", "buffer": TEXT.encode("cp1252")}


@pytest.fixture
def uploads(settings, tmp_path):
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"


@pytest.fixture
def admin(live_server, page, admin_user, uploads):
    return signed_in(page, f"{live_server.url}{reverse('admin:catalogue_dsr_import')}", "Import reports")


def test_a_file_that_nothing_recognises_is_imported_by_a_template_made_of_it(admin):
    admin.set_input_files("#id_import_file", FILE)
    admin.click("text=Upload and check")
    expect(admin.locator(".import-job > p > strong")).to_have_text("Refused")
    admin.click("text=Make a template from this file")
    # All is guessed but who sends it, and the column of the revenue, whose heading says little.
    expect(admin.locator(".template-sample thead th")).to_have_count(9)
    expect(admin.locator(".template-sample tbody tr")).to_have_count(4)
    expect(admin.locator("#column-2")).to_have_value("territory")
    expect(admin.locator("#id_file-encoding")).to_have_value("cp1252")
    expect(admin.locator("#id_numbers-decimal")).to_have_value(",")
    admin.fill("#id_name", "Tonhaus")
    admin.fill("#id_sender", "Tonhaus")
    admin.fill("#id_fields-offer-constant", "All")
    admin.focus("#column-8")
    admin.keyboard.type("Rev")
    admin.keyboard.press("Tab")
    expect(admin.locator("#id_fields-revenue-columns")).to_have_value("Auszahlung")
    # The script has the file checked.
    expect(admin.locator("#check-unmapped tbody tr")).to_contain_text(["Niemandsland"])
    expect(admin.locator("#check-unmapped tbody .number >> nth=1")).to_have_text("0.25 EUR")
    admin.fill("#map-to-0", "ZZ")
    admin.keyboard.press("Tab")
    expect(admin.locator("#id_fields-territory-values")).to_have_value("Niemandsland => ZZ")
    expect(admin.locator("#check-status")).to_have_text("The whole file can be imported")
    expect(admin.locator("#check-currencies tbody td")).to_have_text(["3", "3", "15", "1,236.25 EUR"])
    assert not Template.objects.filter(name="Tonhaus").exists()
    admin.click("text=Save")
    expect(admin.locator(".import-job > p > strong")).to_have_text("To be confirmed")
    expect(admin.locator(".facts.message")).to_contain_text("Tonhaus 1")
    admin.click("text=Confirm import")
    expect(admin.locator(".import-job > p > strong")).to_have_text("Done")
    found = {(dsr.dsp, dsr.territory_id, dsr.total_usages, dsr.total_revenue) for dsr in DSR.objects.ingested()}
    assert found == {
        ("Spotify", "DE", 10, Decimal("1234.50")),
        ("Spotify", "ZZ", 2, Decimal("0.25")),
        ("Deezer", "DE", 3, Decimal("1.5")),
    }


def test_without_scripts_a_button_checks_and_a_column_is_moved(browser, live_server, admin_user, uploads):
    context = browser.new_context(java_script_enabled=False)
    page = signed_in(context.new_page(), f"{live_server.url}/admin/catalogue/template/", "Templates")
    page.click("text=Make from a sample")
    page.set_input_files("#id_sample", FILE)
    page.click("input[value=Upload]")
    page.fill("#id_sender", "Tonhaus")
    page.fill("#id_fields-offer-constant", "All")
    page.select_option("#column-8", "revenue")
    page.click("input[name=_check]")
    expect(page.locator("#id_fields-revenue-columns")).to_have_value("Auszahlung")
    page.fill("#map-to-0", "ZZ")
    page.click("input[name=_check]")
    expect(page.locator("#check-result h3 >> nth=0")).to_have_text("The whole file can be imported")
    expect(page.locator("#check-lines")).to_have_text("3")
    context.close()


def test_the_pages_fit_large_and_small_screens(admin, live_server):
    template = template_save(name="Tonbank", definition=TONBANK).template_id
    for path in ("", f"{template}/change/", f"{template}/history/", f"{template}/clone/", "import/", "sample/"):
        admin.goto(f"{live_server.url}/admin/catalogue/template/{path}")
        assert widths(admin) == WIDTHS, path
    admin.set_input_files("#id_sample", FILE)
    admin.click("input[value=Upload]")
    expect(admin.locator(".template-sample")).to_be_visible()
    assert widths(admin) == WIDTHS
