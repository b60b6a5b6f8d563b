"""Declared totals in the admin: those of a file that is to be confirmed, and those beside a DSR."""

import html
import re
from decimal import Decimal

import pytest
from django.utils.html import strip_tags

from catalogue.imports.queue.worker import queue_drain
from catalogue.models import DSR, ImportJob
from tests.catalogue import recipes
from tests.catalogue.admin.imports.test_import import confirm, message, page_messages, report, states, upload
from tests.catalogue.admin.imports.test_import_preview import file as message_file
from tests.catalogue.helpers import ES_JANUARY, import_report, line, staff_with
from tests.catalogue.sample_message import MESSAGE

pytestmark = pytest.mark.django_db(transaction=True)
ES_FEBRUARY = "Spotify_SpotifyFamilyPlan_ES_EUR_20200201-20200229.tsv"
LINES = (line("a", usages="6", revenue="10.005"), line("b", usages="2", revenue="0.5"))


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """The upload folder."""
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"


# --- The preview -----------------------------------------------------------------------------------------------


def declared(page, **totals):
    """The fields of the only file of a page."""
    (card,) = page.context["cards"]
    return {f"declared-{card['job'].pk}-{name}": value for name, value in totals.items()}


def inputs(page):
    """The names and the values of the inputs of declared totals."""
    found = re.findall(r'<input type="text" name="declared-\d+-(\w+)"(?: value="(.*?)")?', page.content.decode())
    return dict(found)


def test_the_preview_shows_what_is_unlike_the_previous_report_before_warnings_of_lines(admin_client, tmp_path):
    january = import_report(tmp_path, ES_JANUARY, *LINES)
    lines = (line(f"a{number}", isrc="bad", usages="1", revenue="0.5") for number in range(150))
    page = upload(admin_client, report(ES_FEBRUARY, *lines))
    (card,) = page.context["cards"]
    values = [
        f"usages 150, previously 8 (DSR {january.pk}, {ES_JANUARY})",
        f"revenue 75.0, previously 10.505 (DSR {january.pk}, {ES_JANUARY})",
        f"revenue per usage 0.5, previously 1.313125 (DSR {january.pk}, {ES_JANUARY})",
    ]
    assert [one["value"] for one in card["preview"]["problems"][:4]] == [*values, "bad"]
    assert html.escape(values[0]) in page.content.decode()


def test_a_warning_of_a_context_names_the_context(admin_client, tmp_path):
    previous = recipes.dsr.make(
        dsp="Tonbank",
        offer="TonbankShop",
        society="SocietyX",
        territory_id="WW",
        currency_id="EUR",
        commercial_model="PayAsYouGoModel",
        use_type="PermanentDownload",
        period_start="2019-12-01",
        period_end="2019-12-31",
        path="december.tsv",
        total_usages=Decimal(70),
        total_revenue=Decimal("6.93"),
    )
    page = upload(admin_client, message_file(tmp_path))
    (card,) = page.context["cards"]
    unlike = [one["value"] for one in card["preview"]["problems"] if one["code"] == "unlike_previous_report"]
    context = "Tonbank TonbankShop SocietyX, WW, EUR, 2020-01-01 to 2020-01-31, PayAsYouGoModel, PermanentDownload"
    assert unlike == [
        f"{context}: usages 7, previously 70 (DSR {previous.pk}, december.tsv)",
        f"{context}: revenue per usage 0.99, previously 0.099 (DSR {previous.pk}, december.tsv)",
    ]


def test_a_file_with_the_declared_totals_is_imported(admin_client):
    page = upload(admin_client, report(ES_JANUARY, *LINES))
    assert inputs(page) == {"lines": "", "usages": "", "revenue": ""}
    page = confirm(admin_client, page, **declared(page, lines="2", usages=" 8 ", revenue="10.5050"))
    assert states(page) == [(ES_JANUARY, "done")]
    job = ImportJob.objects.get()
    assert (job.declared_lines, job.declared_usages, job.declared_revenue) == (2, 8, Decimal("10.505"))


def test_a_file_with_other_totals_is_not_confirmed_and_the_page_shows_them_again(admin_client):
    page = upload(admin_client, report(ES_JANUARY, *LINES))
    page = confirm(admin_client, page, **declared(page, lines="3", revenue="10.5"))
    assert page_messages(page) == [
        f"{ES_JANUARY}: lines: 3 declared, 2 found; revenue: 10.5 declared, 10.505 found. Nothing is imported."
    ]
    assert states(page) == [(ES_JANUARY, "checked")]
    assert inputs(page) == {"lines": "3", "usages": "", "revenue": "10.5"}
    # As long as they stand there, they count.
    again = confirm(admin_client, page, **declared(page, **inputs(page)))
    assert states(again) == [(ES_JANUARY, "checked")]
    assert states(confirm(admin_client, page)) == [(ES_JANUARY, "done")]


def test_the_page_keeps_them_if_the_replacement_is_not_chosen(admin_client, tmp_path):
    import_report(tmp_path, ES_JANUARY, line("c"))
    page = upload(admin_client, report(ES_JANUARY, *LINES))
    page = confirm(admin_client, page, **declared(page, lines="2"))
    assert page_messages(page) == [f"{ES_JANUARY}: an earlier delivery exists. Tick “Replace” to overwrite it."]
    assert inputs(page)["lines"] == "2"


@pytest.mark.parametrize(
    ("totals", "reason"),
    [
        ({"lines": "1.0"}, "Lines: Enter a whole number."),
        ({"usages": "-1"}, "Usages: Ensure this value is greater than or equal to 0."),
        ({"usages": "1" + 30 * "0"}, f"Usages: Ensure this value is less than or equal to {'9' * 30}."),
        ({"revenue": "1,000.50"}, "Revenue: Enter a number."),
        ({"revenue": "1e2"}, "Revenue: Enter a number."),
        ({"revenue": "9" * 31}, "Revenue: Ensure that there are no more than 30 digits before the decimal point."),
    ],
)
def test_what_no_total_can_be_is_refused(admin_client, totals, reason):
    page = upload(admin_client, report(ES_JANUARY, *LINES))
    page = confirm(admin_client, page, **declared(page, **totals))
    assert page_messages(page) == [f"{ES_JANUARY}: {reason}"]
    assert states(page) == [(ES_JANUARY, "checked")]


def test_declared_totals_of_a_message_are_those_of_all_its_contexts(admin_client, tmp_path):
    page = upload(admin_client, message_file(tmp_path))
    # Its contexts have three currencies.
    assert inputs(page) == {"lines": "", "usages": ""}
    refused = confirm(admin_client, page, **declared(page, lines="10", usages="1601"))
    assert page_messages(refused) == [f"{MESSAGE}: usages: 1601 declared, 1600 found. Nothing is imported."]
    refused = confirm(admin_client, page, **declared(page, revenue="1"))
    assert "several currencies" in page_messages(refused)[0]
    assert DSR.objects.count() == 0
    # By hand: 893 + 500 + 200 + 7 usages.
    assert states(confirm(admin_client, page, **declared(page, lines="10", usages="1600"))) == [(MESSAGE, "done")]


@pytest.mark.parametrize("totals", [{"lines": 3}, {"usages": 7}, {"revenue": Decimal("10.5")}])
def test_the_import_itself_compares_them_too(admin_client, settings, totals):
    """A worker of an earlier release may have stored a preview, or somebody may have changed the row."""
    page = upload(admin_client, report(ES_JANUARY, *LINES))
    settings.DSRHUB_IMPORT_AT_ONCE_BYTES = 0
    page = confirm(admin_client, page, **declared(page, lines="2"))
    assert states(page) == [(ES_JANUARY, "to_load")]
    ImportJob.objects.update(**{f"declared_{name}": value for name, value in totals.items()})
    queue_drain()
    page = admin_client.get(page.request["PATH_INFO"])
    assert states(page) == [(ES_JANUARY, "refused")]
    assert "The totals of the file are not those that were declared." in message(page)
    assert not DSR.objects.ingested().exists()


def test_a_preview_of_an_earlier_release_has_no_totals_to_compare(admin_client):
    page = upload(admin_client, report(ES_JANUARY, *LINES))
    job = ImportJob.objects.get()
    del job.preview["found"]
    ImportJob.objects.update(preview=job.preview)
    refused = confirm(admin_client, page, **declared(page, lines="2"))
    assert page_messages(refused) == [
        f"{ES_JANUARY} was checked by an earlier release, which kept no totals of it. Check it again."
    ]
    assert states(confirm(admin_client, page)) == [(ES_JANUARY, "done")]


# --- The page of a DSR -----------------------------------------------------------------------------------------


@pytest.fixture
def viewer(client):
    client.force_login(staff_with("view_dsr"))
    return client


def cells(page):
    (table,) = re.findall(r'<table class="groups" id="totals">(.*?)</table>', page.content.decode(), re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    return [[html.unescape(strip_tags(cell)) for cell in re.findall(r"<t[dh].*?</t[dh]>", row)] for row in rows]


def test_the_page_of_a_dsr_asks_for_declared_totals_by_a_get(viewer, tmp_path):
    dsr = import_report(tmp_path, ES_JANUARY, *LINES)
    content = viewer.get(f"/admin/catalogue/dsr/{dsr.pk}/change/").content.decode()
    (form,) = re.findall(r'<section class="part" id="compare-totals">(.*?)</section>', content, re.DOTALL)
    assert f'<form method="get" action="/admin/catalogue/dsr/{dsr.pk}/totals/"' in form
    assert re.findall('name="(.*?)"', form) == ["lines", "usages", "revenue"]
    assert "csrf" not in form

    failed = recipes.failed_dsr.make()
    assert "compare-totals" not in viewer.get(f"/admin/catalogue/dsr/{failed.pk}/change/").content.decode()


def test_declared_totals_stand_beside_those_that_are_found(viewer, tmp_path):
    dsr = import_report(tmp_path, ES_JANUARY, *LINES, line("c", usages="9000"))
    page = viewer.get(f"/admin/catalogue/dsr/{dsr.pk}/totals/", {"lines": "3", "usages": "9010", "revenue": ""})
    assert page.status_code == 200
    assert cells(page) == [
        ["", "Declared", "Found", "Difference", "Verdict"],
        ["Lines", "3", "3", "0", "matches"],
        ["Usages", "9,010", "9,008", "-2", "differs"],
    ]
    assert "The declared totals differ." in page.content.decode()
    page = viewer.get(f"/admin/catalogue/dsr/{dsr.pk}/totals/", {"revenue": "10.505"})
    assert "The declared totals match." in page.content.decode()


def test_an_empty_form_is_no_question(viewer, tmp_path):
    dsr = import_report(tmp_path, ES_JANUARY, *LINES)
    assert viewer.get(f"/admin/catalogue/dsr/{dsr.pk}/totals/").status_code == 200
    blank = viewer.get(f"/admin/catalogue/dsr/{dsr.pk}/totals/", {"lines": ""})
    assert blank.status_code == 400
    assert "Declare lines, usages or revenue." in blank.content.decode()
    wrong = viewer.get(f"/admin/catalogue/dsr/{dsr.pk}/totals/", {"lines": "x"})
    assert wrong.status_code == 400
    assert "Enter a whole number." in wrong.content.decode()


def test_a_failed_dsr_and_one_that_is_not_there(viewer):
    failed = recipes.failed_dsr.make()
    page = viewer.get(f"/admin/catalogue/dsr/{failed.pk}/totals/", {"lines": "0"})
    assert page.status_code == 400
    assert f"The import of DSR {failed.pk} failed." in page.content.decode()
    assert viewer.get(f"/admin/catalogue/dsr/{failed.pk + 1}/totals/").status_code == 404
