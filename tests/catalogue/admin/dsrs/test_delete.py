"""Deleting DSRs in the admin: permissions, the confirmation page, and that every deletion goes through the service."""

import re

import pytest
from django.contrib.admin.models import DELETION, LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from catalogue.dsrs import services
from catalogue.exceptions import DSRNotFound
from catalogue.models import DSR, UsageLine
from catalogue.resources.services import catalogue_refresh
from tests.catalogue import recipes
from tests.catalogue.helpers import (
    ES_JANUARY,
    NO_JANUARY,
    import_report,
    line,
    staff_with,
)
from tests.confirming import confirm_action, confirm_deletion, shown_on

pytestmark = pytest.mark.django_db

DSRS = "/admin/catalogue/dsr/"
VERSIONS = "/admin/catalogue/supersededdsr/"
NEW = "Spotify_New_NO_NOK_20200101-20200131.tsv"


def deletion_of(dsr):
    return f"{DSRS}{dsr.pk}/delete/"


def action(*dsrs, **confirmed):
    return {"action": "delete_selected", "_selected_action": [dsr.pk for dsr in dsrs], **confirmed}


def summary(response):
    """Return the summary on the confirmation page."""
    counts, _ = response.content.decode().split("<h2>Objects</h2>")
    return [strip_tags(line) for line in re.findall("<li>(.*)</li>", counts.split("<h2>Summary</h2>")[1])]


def page_messages(response):
    return [str(message) for message in response.context["messages"]]


def deletions():
    return list(
        LogEntry.objects.filter(action_flag=DELETION).order_by("pk").values_list("user__username", "object_repr")
    )


@pytest.fixture(scope="module", autouse=True)
def dsr(module_db, tmp_path_factory):
    lines = (line("a", revenue="1000"), line("a", revenue="234.50"), line("b", isrc="NO1"))
    return import_report(tmp_path_factory.mktemp("dsr"), NO_JANUARY, *lines)


@pytest.fixture(scope="module", autouse=True)
def other(dsr, tmp_path_factory):
    lines = [line("c", revenue="0.0000000000000000000000000000001")]
    return import_report(tmp_path_factory.mktemp("other"), ES_JANUARY, *lines)


# --- The confirmation ------------------------------------------------------------------------------------------


def test_the_confirmation_shows_what_will_be_deleted(admin_client, dsr):
    response = admin_client.get(deletion_of(dsr))
    assert summary(response) == [
        "DSRs: 1",
        "Lines: 3",
        "Recordings that no other DSR reports: 2",
        "Revenue in NOK: 1,234.50",
        "Problems: 2",
        "Rate changes: 0",
    ]
    assert f"{NO_JANUARY}: 3 lines, 1,234.50 NOK (reported)" in response.content.decode()
    assert DSR.objects.count() == 2


def test_the_confirmation_of_the_action_shows_sums_by_currency(admin_client, dsr, other):
    big = recipes.dsr.make(
        offer="Big", territory_id="ES", currency_id="EUR", line_count=1_000_000, total_revenue=10**29
    )
    failed = recipes.failed_dsr.make(path="failed.tsv", currency_id="USD", error_count=1)
    recipes.problem.make(dsr=failed)
    response = admin_client.post(DSRS, action(dsr, other, big, failed))
    assert summary(response) == [
        "DSRs: 4",
        "Lines: 1,000,004",
        "Recordings that no other DSR reports: 3",
        "Revenue in EUR: 100,000,000,000,000,000,000,000,000,000.00",
        "Revenue in NOK: 1,234.50",
        "Revenue of all in EUR: 10,061,958,798,108,168,801,250,244,241.06",
        "Problems: 3",
        "Rate changes: 0",
    ]
    # All digits, at rates to 40 decimals, on hover and for the clipboard.
    exact = "10,061,958,798,108,168,801,250,244,241.0561763733315738450573652170832902165446"
    assert f'data-full="{exact}"' in response.content.decode()
    assert "failed.tsv: failed" in response.content.decode()
    assert DSR.objects.count() == 4


def test_a_count_that_takes_too_long_is_left_out_and_the_dsr_can_still_be_deleted(
    admin_client, dsr, other, monkeypatch
):
    def count_slowly(_dsrs):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(600)")

    monkeypatch.setattr("catalogue.admin.dsrs.admin.COUNT_SECONDS", 0)
    monkeypatch.setattr("catalogue.admin.dsrs.admin.own_resource_count", count_slowly)
    for response in (admin_client.get(deletion_of(dsr)), admin_client.post(DSRS, action(dsr))):
        assert "Recordings that no other DSR reports: not counted: that takes more than 0 seconds" in summary(response)
        assert "Revenue in NOK: 1,234.50" in summary(response)
    # The confirmed request counts nothing, as it shows no page.
    assert confirm_deletion(admin_client, deletion_of(dsr)).status_code == 302
    assert DSR.objects.get() == other
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_the_confirmation_runs_the_same_queries_for_1_and_1000_lines_and_loads_no_line(admin_client, other, tmp_path):
    lines = (line(f"id{number}", isrc="bad", revenue="1") for number in range(1000))
    long = import_report(tmp_path, NEW, *lines)
    statements = []
    for dsr in (other, long):
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(deletion_of(dsr)).status_code == 200
            assert admin_client.post(DSRS, action(dsr)).status_code == 200
        statements.append([query["sql"] for query in captured])
    for_1, for_1000 = statements
    assert len(for_1) == len(for_1000)
    assert all("SELECT count(*) FROM own" in sql for sql in for_1000 if "catalogue_usageline" in sql)


# --- The deletion ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("without_versions")
def test_the_action_deletes_the_selected_dsrs_and_no_other(admin_client, dsr, other):
    kept = recipes.dsr.make(offer="Kept")
    response = confirm_action(admin_client, DSRS, action(dsr, other, post="yes"), follow=True)
    assert page_messages(response) == ["Successfully deleted 2 DSRs."]
    assert list(DSR.objects.all()) == [kept]
    catalogue_refresh()
    assert not UsageLine.objects.exists()
    assert sorted(deletions()) == [("admin", NO_JANUARY), ("admin", ES_JANUARY)]


@pytest.mark.parametrize("choice", ["each of them", "all of the list"])
def test_more_dsrs_than_the_limit_of_form_fields_can_be_deleted(admin_client, choice, settings, monkeypatch):
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 25
    monkeypatch.setattr("catalogue.admin.dsrs.admin.DSRS_IN_A_CONFIRMATION", 25)
    recipes.make_many(recipes.failed_dsr, 28, path=(f"{number}.tsv" for number in range(28)))
    across = {"select_across": "1"} if choice == "all of the list" else {}
    shown = list(DSR.objects.all())[: 10 if across else 22]
    response = admin_client.post(DSRS, action(*shown, index="0", **across))
    # The page names 25 of the 30.
    assert ("and 5 more" in response.content.decode()) == bool(across)
    fields = dict(re.findall('<input type="hidden" name="(.+?)" value="(.*?)">', response.content.decode()))
    response = admin_client.post(DSRS, fields, follow=True)
    assert page_messages(response)[0] == f"Successfully deleted {30 if across else 22} DSRs."
    assert DSR.objects.count() == (0 if across else 8)
    assert len(deletions()) == (30 if across else 22)


def test_the_page_and_the_action_call_the_same_service(admin_client, dsr, other, monkeypatch):
    called = []
    monkeypatch.setattr(services, "dsr_delete", lambda *, dsr_number: called.append(dsr_number))
    confirm_deletion(admin_client, deletion_of(dsr))
    confirm_action(admin_client, DSRS, action(dsr, other, post="yes"))
    assert called == [dsr.pk, other.pk, dsr.pk]
    assert DSR.objects.count() == 2


# --- What was confirmed is what is deleted -----------------------------------------------------------------------

OUTDATED = "Nothing was deleted. Something has changed since you opened the page. Review it again."


def add_line(dsr):
    DSR.objects.filter(pk=dsr.pk).update(line_count=4)


def change_rate(dsr):
    DSR.objects.filter(pk=dsr.pk).update(exchange_rate="9.5")


@pytest.mark.parametrize("changed", [add_line, change_rate])
def test_a_dsr_that_changed_after_the_confirmation_page_is_not_deleted(admin_client, dsr, other, changed):
    path, selected = deletion_of(dsr), action(dsr, other)
    page, of_action = shown_on(admin_client.get(path)), shown_on(admin_client.post(DSRS, selected))
    changed(dsr)
    for response in (
        admin_client.post(path, {"post": "yes"} | page, follow=True),
        admin_client.post(DSRS, selected | {"post": "yes"} | of_action, follow=True),
    ):
        assert page_messages(response) == [OUTDATED]
    assert set(DSR.objects.all()) == {dsr, other}
    assert deletions() == []


@pytest.mark.parametrize("shown", [{}, {"shown": ""}, {"shown": "0" * 64}])
def test_a_deletion_without_its_confirmation_page_is_refused(admin_client, dsr, other, shown):
    for path, form in ((deletion_of(dsr), {}), (DSRS, action(dsr))):
        response = admin_client.post(path, form | {"post": "yes"} | shown, follow=True)
        assert page_messages(response) == [OUTDATED]
    assert set(DSR.objects.all()) == {dsr, other}


def test_a_dsr_that_comes_in_after_the_confirmation_of_all_is_not_deleted(admin_client, dsr, other, tmp_path):
    everything = action(dsr, select_across="1")
    shown = shown_on(admin_client.post(DSRS, everything))
    new = import_report(tmp_path, NEW, line("c"))
    response = admin_client.post(DSRS, everything | {"post": "yes"} | shown, follow=True)
    assert page_messages(response) == [OUTDATED]
    # The form of the page sends the ids that it lists.
    admin_client.post(DSRS, action(dsr, other, post="yes") | shown)
    assert DSR.objects.get() == new


def test_a_dsr_that_became_searchable_meanwhile_is_as_it_was_shown(admin_client, dsr, other):
    shown = shown_on(admin_client.get(deletion_of(dsr)))
    dsr.refresh_from_db()
    DSR.objects.filter(pk=dsr.pk).update(is_catalogued=not dsr.is_catalogued)
    admin_client.post(deletion_of(dsr), {"post": "yes"} | shown)
    assert DSR.objects.get() == other


# --- Permissions -----------------------------------------------------------------------------------------------


def test_anonymous_users_are_redirected_to_the_sign_in(client, dsr):
    response = confirm_deletion(client, deletion_of(dsr))
    assert response["Location"] == f"/admin/login/?next={deletion_of(dsr)}"
    assert DSR.objects.count() == 2


@pytest.mark.parametrize("permissions", [(), ("view_dsr",), ("view_dsr", "add_dsr", "change_dsr")])
def test_users_without_the_permission_can_neither_delete_nor_see_the_confirmation(client, dsr, permissions):
    client.force_login(staff_with(*permissions))
    assert client.get(deletion_of(dsr)).status_code == 403
    assert confirm_deletion(client, deletion_of(dsr)).status_code == 403
    confirm_action(client, DSRS, action(dsr, post="yes"))
    assert DSR.objects.count() == 2
    assert not LogEntry.objects.exists()


def test_users_who_may_only_view_see_no_delete_button(client, dsr):
    client.force_login(staff_with("view_dsr"))
    assert "delete_selected" not in client.get(DSRS).content.decode()
    assert deletion_of(dsr) not in client.get(f"{DSRS}{dsr.pk}/change/").content.decode()


def test_the_message_leads_to_the_way_back(admin_client, dsr):
    response = confirm_deletion(admin_client, deletion_of(dsr), follow=True)
    address = f"/admin/catalogue/supersededdsr/{dsr.pk}/revert/"
    assert f'<a href="{address}">Take the DSR back</a>' in page_messages(response)
    assert admin_client.get(address).status_code == 200


def test_the_message_of_the_action_leads_to_the_way_back_of_all_that_are_kept(admin_client, dsr, other):
    failed = recipes.failed_dsr.make(path="failed.tsv")
    response = confirm_action(admin_client, DSRS, action(dsr, other, failed, post="yes"), follow=True)
    numbers = sorted((dsr.pk, other.pk))
    address = f"{VERSIONS}?id__in={numbers[0]}%2C{numbers[1]}"
    assert page_messages(response) == [
        "Successfully deleted 3 DSRs.",
        f'<a href="{address}">Take DSRs back</a>',
    ]
    assert sorted(one.pk for one in admin_client.get(address).context["cl"].result_list) == numbers


def test_the_message_of_the_action_on_one_or_many_dsrs(admin_client, dsr, other, tmp_path, monkeypatch):
    response = confirm_action(admin_client, DSRS, action(dsr, post="yes"), follow=True)
    assert page_messages(response)[1] == f'<a href="{VERSIONS}{dsr.pk}/revert/">Take the DSR back</a>'
    # The list of all begins with the latest.
    monkeypatch.setattr("catalogue.admin.dsrs.admin.DSRS_IN_A_CONFIRMATION", 1)
    third = import_report(tmp_path, NEW, line("c"))
    response = confirm_action(admin_client, DSRS, action(other, third, post="yes"), follow=True)
    assert page_messages(response)[1] == f'<a href="{VERSIONS}">Take DSRs back</a>'
    shown = [one.pk for one in admin_client.get(VERSIONS).context["cl"].result_list]
    assert (set(shown[:2]), shown[2:]) == ({other.pk, third.pk}, [dsr.pk])


def test_users_who_may_view_and_delete_can_use_the_page_and_the_action(client, dsr, other):
    client.force_login(staff_with("view_dsr", "delete_dsr"))
    assert "delete_selected" in client.get(DSRS).content.decode()
    assert deletion_of(dsr) in client.get(f"{DSRS}{dsr.pk}/change/").content.decode()
    response = confirm_deletion(client, deletion_of(dsr), follow=True)
    # Taking a DSR back needs another permission.
    assert page_messages(response) == [f"The DSR “{NO_JANUARY}” was deleted successfully."]
    confirm_action(client, DSRS, action(other, post="yes"))
    assert not DSR.objects.exists()
    assert deletions() == [("ada", NO_JANUARY), ("ada", ES_JANUARY)]


def test_a_request_without_a_csrf_token_deletes_nothing(dsr, admin_user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert confirm_deletion(client, deletion_of(dsr)).status_code == 403
    assert DSR.objects.count() == 2


# --- Concurrent deletions --------------------------------------------------------------------------------------


def test_a_dsr_that_is_already_deleted_is_reported(admin_client, dsr):
    services.dsr_delete(dsr_number=dsr.pk)
    for response in (
        admin_client.get(deletion_of(dsr), follow=True),
        admin_client.post(deletion_of(dsr), {"post": "yes"}, follow=True),
        admin_client.get(f"{DSRS}{dsr.pk}/change/", follow=True),
    ):
        assert response.status_code == 200
        assert page_messages(response) == [f"DSR with ID “{dsr.pk}” doesn’t exist. Perhaps it was deleted?"]
    assert confirm_action(admin_client, DSRS, action(dsr, post="yes"), follow=True).status_code == 200
    assert deletions() == []


def test_a_concurrent_deletion_is_reported_and_nothing_is_logged_or_partly_deleted(
    admin_client, dsr, other, monkeypatch
):
    delete = services.dsr_delete

    def delete_too_late(*, dsr_number):
        if dsr_number == dsr.pk:
            raise DSRNotFound(f"There is no DSR {dsr_number}.")
        delete(dsr_number=dsr_number)

    monkeypatch.setattr(services, "dsr_delete", delete_too_late)
    for response in (
        confirm_deletion(admin_client, deletion_of(dsr), follow=True),
        confirm_action(admin_client, DSRS, action(other, dsr, post="yes"), follow=True),
    ):
        assert response.redirect_chain == [(DSRS, 302)]
        assert page_messages(response) == [f"Nothing was deleted. There is no DSR {dsr.pk}."]
    assert set(DSR.objects.all()) == {dsr, other}
    assert UsageLine.objects.count() == 4
    assert deletions() == []
