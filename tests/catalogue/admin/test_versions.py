"""The pages of earlier versions, and what the pages of DSRs and of imports say about them."""

import re

import pytest

from catalogue.admin import versions
from catalogue.dsrs.services import dsr_delete
from catalogue.exceptions import DifferenceNotReady
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, SupersededDSR
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, import_report, line, shown, staff_with, write_report
from tests.catalogue.imports.test_messages import import_message, message_of
from tests.confirming import confirm_action

pytestmark = pytest.mark.django_db

VERSIONS = "/admin/catalogue/supersededdsr/"


@pytest.fixture
def old(tmp_path):
    return import_report(tmp_path, ES_JANUARY, line("a", "Aurora", usages="2", revenue="1.5"), line("w", "Went"))


@pytest.fixture
def new(old, tmp_path):
    path = write_report(tmp_path, ES_JANUARY, line("a", "Aurora", usages="3", revenue="1234.25"))
    return dsr_import(path=path, name=ES_JANUARY, replace=True).dsr


def text(response):
    """The text of a page, without its markup."""
    return " ".join(re.sub("<[^>]*>", " ", response.content.decode()).split())


def page_messages(response):
    return [str(message) for message in response.context["messages"]]


def test_the_list_has_what_replaced_a_version_and_the_disk_that_all_take(admin_client, old, new):
    deleted = recipes.dsr.make(dsp="Deezer")
    dsr_delete(dsr_number=deleted.pk)
    response = admin_client.get(VERSIONS)
    assert shown(response, "path") == [deleted.path, ES_JANUARY]
    assert shown(response, "replacement") == ["nothing: deleted", f"DSR {new.pk}"]
    # About 300 bytes for each of two lines, and a few for what belongs to the versions.
    (size,) = re.findall(r"(\d+) bytes of at most 20.0 GB on disk", text(response).replace("\xa0", " "))
    assert 600 < int(size) < 1000


def test_the_page_of_a_dsr_lists_its_versions_with_what_changed_since(admin_client, old, new):
    page = admin_client.get(f"/admin/catalogue/dsr/{new.pk}/change/")
    (table,) = re.findall('<table id="versions">(.*?)</table>', page.content.decode(), re.DOTALL)
    assert f"{VERSIONS}{old.pk}/change/" in table
    assert re.findall('<td class="number">([+-].*?)</td>', table) == ["-1", "+1", "+1,232.75"]
    assert (
        '<table id="versions">'
        not in admin_client.get(f"/admin/catalogue/dsr/{recipes.failed_dsr.make().pk}/change/").content.decode()
    )


def test_the_page_of_a_version_compares_it_with_the_present_dsr(admin_client, old, new):
    page = text(admin_client.get(f"{VERSIONS}{old.pk}/change/"))
    assert f"Compared with the present DSR: DSR {new.pk}" in page
    assert "lines 2 1 -1 usages 2 3 1 revenue 1.50 EUR 1,234.25 EUR 1,232.75 EUR" in page
    assert "Recordings that only the present DSR has: 0 Recordings that only the earlier version has: 1" in page
    assert "Went w 0 0 0.00 EUR 0.00 EUR 0.00 EUR Recordings with other sums: 1" in page


def test_a_page_says_when_a_comparison_takes_long_and_when_there_is_none(admin_client, old, new, monkeypatch):
    def not_ready(version):
        raise DifferenceNotReady("The recordings are being compared.")

    monkeypatch.setattr(versions, "recordings_difference", not_ready)
    assert "The recordings are being compared." in text(admin_client.get(f"{VERSIONS}{old.pk}/change/"))
    dsr_delete(dsr_number=new.pk)
    assert "No DSR stands in its place." in text(admin_client.get(f"{VERSIONS}{old.pk}/change/"))


def reverted(client, number):
    """Confirm the page that reverts to a version."""
    address = f"{VERSIONS}{number}/revert/"
    page = client.get(address).content.decode()
    (seen,) = re.findall('name="shown" value="(.*?)"', page)
    return client.post(address, {"shown": seen}, follow=True)


def test_one_confirmed_step_reverts(client, old, new):
    client.force_login(staff_with("view_dsr", "change_dsr"))
    assert "Revert to this version" in text(client.get(f"{VERSIONS}{old.pk}/change/"))
    page = text(client.get(f"{VERSIONS}{old.pk}/revert/"))
    assert f"DSR {old.pk} {ES_JANUARY} 2 1.50 EUR reported 1.50 DSR {new.pk} 1 1,234.25 EUR reported 1,234.25" in page

    response = reverted(client, old.pk)

    assert page_messages(response) == ["1 DSR has returned."]
    assert response.redirect_chain == [(f"/admin/catalogue/dsr/{old.pk}/change/", 302)]
    assert DSR.objects.get() == old


def test_nothing_returns_that_was_not_shown(admin_client, old, new):
    response = admin_client.post(f"{VERSIONS}{old.pk}/revert/", {"shown": "other"}, follow=True)
    assert page_messages(response) == [
        "Nothing has changed. Something has changed since you opened the page. Review it again."
    ]
    assert DSR.objects.get() == new
    response = admin_client.post(f"{VERSIONS}{new.pk}/revert/", {"shown": "other"}, follow=True)
    assert page_messages(response) == [f"Nothing has changed. There is no earlier version {new.pk}."]
    assert admin_client.get(f"{VERSIONS}{new.pk}/revert/").status_code == 404


def test_the_page_names_the_dsrs_of_a_message_that_go_without_a_successor(admin_client, tmp_path):
    first = import_message(tmp_path, message_of("GB", "SE"))
    second = import_message(tmp_path, message_of("GB", "SE", "FR", usages="3"), replace=True)
    number = first.imported[0].dsr.pk
    page = text(admin_client.get(f"{VERSIONS}{number}/revert/"))
    assert f"Nothing returns in place of these DSRs: DSR {second.imported[2].dsr.pk}: " in page
    assert page_messages(reverted(admin_client, number)) == ["2 DSRs have returned."]
    assert sorted(DSR.objects.values_list("territory", flat=True)) == ["GB", "SE"]


def test_without_the_permission_nobody_is_offered_the_way_back(client, old, new):
    client.force_login(staff_with("view_dsr"))
    assert "Revert to this version" not in text(client.get(f"{VERSIONS}{old.pk}/change/"))
    assert client.post(f"{VERSIONS}{old.pk}/revert/").status_code == 403


def test_versions_are_deleted_in_the_list(admin_client, old, new):
    form = {"action": "delete_selected", "_selected_action": old.pk}
    page = text(admin_client.post(VERSIONS, form))
    assert "Earlier versions: 1" in page
    assert "Lines: 2" in page
    confirm_action(admin_client, VERSIONS, {**form, "post": "yes"})
    assert not SupersededDSR.objects.exists()


def test_the_preview_of_a_delivery_offers_to_revert(admin_client, old, new, tmp_path, settings):
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"
    again = write_report(tmp_path, ES_JANUARY, line("a", "Aurora", usages="2", revenue="1.5"), line("w", "Went"))
    with again.open("rb") as file:
        response = admin_client.post("/admin/catalogue/dsr/import/", {"import_file": file, "format": "0"}, follow=True)
    page = text(response)
    assert f"Revert to the earlier version that has just this content: DSR {old.pk}" in page
    assert "An earlier version of the report has exactly this content." in page
