"""The import page: what it says before an upload, the answer to its script, and the way to a missing rate and back."""

import re
from decimal import Decimal
from html import unescape

import pytest

from catalogue.models import DSR, ImportJob, OperatorRate
from tests.catalogue import recipes
from tests.catalogue.admin.imports.test_import import IMPORT, confirm, page_messages, report, states, upload
from tests.catalogue.helpers import ENDINGS, NO_JANUARY, import_report, line, staff_with
from tests.catalogue.recipes import dsr as dsr_recipe

pytestmark = pytest.mark.django_db(transaction=True)
KOSOVO = "Spotify_SpotifyDuo_XK_ALL_20200101-20200131.tsv"
SCRIPT = {"headers": {"accept": "application/json"}}


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """The upload folder."""
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"


# --- Before the upload -----------------------------------------------------------------------------------------


def test_the_limits_are_told_before_the_upload(admin_client, settings):
    settings.DSRHUB_UPLOAD_LIMIT_BYTES = 5 * 1024**2
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 7
    page = admin_client.get(IMPORT).content.decode()
    assert "At most 7 files, together at most 5.0\xa0MB." in page
    assert 'data-most-files="7" data-most-bytes="5242880"' in page


def test_the_page_names_the_dsr_that_is_about_to_be_replaced(admin_client):
    dsr = dsr_recipe.make()
    page = admin_client.get(f"{IMPORT}?replace={dsr.pk}").content.decode()
    assert f"You are about to replace DSR {dsr.pk}: {NO_JANUARY}" in page
    assert '<span class="day">2020-01-01 –</span>' in page


@pytest.mark.parametrize("number", ["0", "abc", "9" * 30, "<b>"])
def test_a_dsr_that_is_not_there_is_no_hint(admin_client, number):
    page = admin_client.get(IMPORT, {"replace": number}).content.decode()
    assert "There is no DSR " in page
    assert "<b>" not in page


# --- The answer to the script ----------------------------------------------------------------------------------


def test_the_script_gets_the_address_of_the_upload(admin_client):
    sent = {"import_file": [report(NO_JANUARY, line("a"))], "format": "0", "resource": "0"}
    answer = admin_client.post(IMPORT, sent, **SCRIPT)
    job = ImportJob.objects.get()
    assert (answer.status_code, answer.json()) == (200, {"address": f"{IMPORT}{job.upload}/"})
    assert admin_client.get(answer.json()["address"]).status_code == 200


def test_the_script_gets_the_errors_of_the_form(admin_client):
    answer = admin_client.post(IMPORT, {"import_file": report("a.pdf"), "format": "0", "resource": "0"}, **SCRIPT)
    errors = [f"a.pdf does not end in {ENDINGS}."]
    assert (answer.status_code, answer.json()) == (200, {"errors": errors})


# --- Both deliveries side by side ------------------------------------------------------------------------------


def test_the_earlier_delivery_and_the_file_stand_side_by_side(admin_client, tmp_path):
    old = import_report(tmp_path, NO_JANUARY, line("a", usages="3", revenue="20"), line("b", usages="4", revenue="0.5"))
    DSR.objects.update(exchange_rate=Decimal(10))
    page = upload(admin_client, report(NO_JANUARY, line("a", usages="9", revenue="10.5")))
    (card,) = page.context["cards"]
    rows = {row["name"]: row["cells"] for row in card["compared"]}
    assert rows["lines"] == ["2", "1", "-1"]
    assert rows["usages"] == ["7", "9", "+2"]
    assert rows["revenue"] == ["20.50 NOK", "10.50 NOK", "-10.00 NOK"]
    # 20.5 / 10, and 10.5 / 9.9384227...
    assert rows["revenue in EUR"][0] == "2.05 EUR"
    assert ">1.06 EUR<" in rows["revenue in EUR"][1]
    assert rows["imported at"][1:] == ["not yet", ""]
    assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}", rows["imported at"][0])
    assert f"Replace DSR {old.pk}, an earlier delivery" in page.content.decode()


def test_the_difference_of_two_deliveries_has_all_digits(admin_client, tmp_path):
    import_report(tmp_path, NO_JANUARY, line("a", revenue="0.5"))
    page = upload(admin_client, report(NO_JANUARY, line("a", revenue="123456789012345678901234567890.75")))
    rows = {row["name"]: row["cells"] for row in page.context["cards"][0]["compared"]}
    assert rows["revenue"][2] == "+123,456,789,012,345,678,901,234,567,890.25 NOK"


def test_a_preview_of_an_earlier_release_has_blank_cells(admin_client, tmp_path):
    import_report(tmp_path, NO_JANUARY, line("a", revenue="20"))
    page = upload(admin_client, report(NO_JANUARY, line("a", revenue="10")))
    job = ImportJob.objects.get()
    for name in ("currency", "total_usages", "rate"):
        del job.preview["earlier"][name]
    for name in ("code_counts", "missing_rates"):
        del job.preview[name]
    job.save()
    (card,) = admin_client.get(f"{IMPORT}{page.context['upload']}/").context["cards"]
    rows = {row["name"]: row["cells"] for row in card["compared"]}
    assert rows["usages"] == ["", "0", ""]
    assert rows["revenue"] == ["20.00 NOK", "10.00 NOK", "-10.00 NOK"]


def test_errors_are_explained_and_their_first_code_is_not_repeated_above(admin_client):
    page = upload(admin_client, report(NO_JANUARY, line("a", revenue="much")))
    assert "The cell must have a number, and has something else." in page.content.decode()
    assert "nothing is loaded" in page.context["cards"][0]["job"].message
    assert "nothing is loaded" not in page.content.decode()


def test_a_first_delivery_has_nothing_beside_it(admin_client):
    (card,) = upload(admin_client, report(NO_JANUARY, line("a"))).context["cards"]
    assert card["compared"] == []


# --- A missing rate --------------------------------------------------------------------------------------------


def test_a_missing_rate_leads_to_its_form_and_back_to_the_checked_file(admin_client):
    page = upload(admin_client, report(KOSOVO, line("a", revenue="1")))
    ((text, address),) = page.context["cards"][0]["rate_links"]
    assert text == "Enter the rate of ALL from 2020-01-01 to 2020-01-31"
    assert f'<a href="{address}">' in unescape(page.content.decode())
    form = admin_client.get(address).content.decode()
    assert '<option value="ALL" selected>ALL – ' in form
    assert 'value="2020-01-01"' in form
    sent = {"currency": "ALL", "period_start": "2020-01-01", "period_end": "2020-01-31", "rate": "121.5", "note": ""}
    back = admin_client.post(address, sent, follow=True)
    assert back.redirect_chain == [(f"{IMPORT}{page.context['upload']}/", 302)]
    assert states(back) == [(KOSOVO, "checked")]
    assert back.context["cards"][0]["rate"] == "121.500000"
    assert states(confirm(admin_client, back)) == [(KOSOVO, "done")]


def test_only_files_that_lack_the_rate_are_checked_again(admin_client):
    bad = NO_JANUARY.replace("Duo", "Free")
    page = upload(admin_client, report(KOSOVO, line("a")), report(bad, line("b", usages="many")))
    changed = ImportJob.objects.get(name=bad).changed_at
    ((_text, address),) = page.context["cards"][0]["rate_links"]
    sent = {"currency": "ALL", "period_start": "2020-01-01", "period_end": "2020-01-31", "rate": "121.5", "note": ""}
    assert states(admin_client.post(address, sent, follow=True)) == [(KOSOVO, "checked"), (bad, "refused")]
    assert ImportJob.objects.get(name=bad).changed_at == changed


@pytest.mark.parametrize("upload_id", ["", "none", "//example.com", "https://example.com"])
def test_an_upload_that_is_none_leads_nowhere(admin_client, upload_id):
    sent = {"currency": "ALL", "period_start": "2020-01-01", "period_end": "2020-01-31", "rate": "121.5", "note": ""}
    answer = admin_client.post(f"/admin/catalogue/operatorrate/add/?upload={upload_id}", sent)
    assert answer["Location"] == "/admin/catalogue/operatorrate/"
    assert OperatorRate.objects.count() == 1


def test_users_who_may_not_enter_rates_are_told_so(client):
    client.force_login(staff_with("import_dsr"))
    page = upload(client, report(KOSOVO, line("a"))).content.decode()
    assert "You don't have permission to enter exchange rates" in unescape(page)
    assert "/operatorrate/add/" not in page


def test_users_who_may_not_import_save_the_rate_and_check_nothing(admin_client, client):
    page = upload(admin_client, report(KOSOVO, line("a")))
    client.force_login(staff_with("add_operatorrate"))
    sent = {"currency": "ALL", "period_start": "2020-01-01", "period_end": "2020-01-31", "rate": "121.5", "note": ""}
    answer = client.post(page.context["cards"][0]["rate_links"][0][1], sent)
    assert answer["Location"] != f"{IMPORT}{page.context['upload']}/"
    assert ImportJob.objects.get().state == "refused"


# --- The list of imports ---------------------------------------------------------------------------------------


def test_the_list_links_to_the_dsr(admin_client):
    recipes.import_job.make(state="done", dsr_number=7, stored_name="")
    page = admin_client.get("/admin/catalogue/importjob/")
    assert '<a href="/admin/catalogue/dsr/7/change/">DSR 7</a>' in page.content.decode()
    assert page_messages(page) == []
