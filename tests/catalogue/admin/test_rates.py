"""Operator rates in the admin: add, change and delete. Their DSRs get the new rate at once."""

from datetime import date
from decimal import Decimal

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.db import transaction

from catalogue.models import DSR, OperatorRate, RateChange
from catalogue.rates.services import operator_rate_set
from tests.catalogue import recipes
from tests.catalogue.helpers import NO_JANUARY, shown, staff_with
from tests.confirming import confirm_deletion, hidden_fields, save, save_confirmed, shown_on
from tests.waiting import PATIENCE, wait_for_lock_waiter

pytestmark = pytest.mark.django_db

RATES = "/admin/catalogue/operatorrate/"
JANUARY = {"period_start": date(2020, 1, 1), "period_end": date(2020, 1, 31)}
ECB_MEAN = Decimal("9.9384227272727272727272727272727272727273")


def form(**fields):
    entered = {"currency": "NOK", "period_start": "2020-01-01", "period_end": "2020-01-31", "rate": "10.5", "note": ""}
    return entered | fields


def page_messages(response):
    return [str(message) for message in response.context["messages"]]


def stored():
    return list(OperatorRate.objects.values_list("currency", "period_start", "period_end", "rate", "note"))


def logged():
    return list(LogEntry.objects.order_by("pk").values_list("user__username", "action_flag"))


@pytest.fixture
def dsr():
    return recipes.dsr.make()


@pytest.fixture
def rate(dsr):
    operator_rate_set(currency="NOK", **JANUARY, rate=Decimal("10.5"), note="by hand")
    return OperatorRate.objects.get()


# --- Adding ----------------------------------------------------------------------------------------------------


def test_a_new_rate_re_rates_its_dsrs(admin_client, dsr):
    other = recipes.dsr.make(offer="February", period_start=date(2020, 2, 1), period_end=date(2020, 2, 29))
    response = save_confirmed(admin_client, f"{RATES}add/", form(note="central bank"), follow=True)
    assert "1 DSR has a new rate." in page_messages(response)
    assert stored() == [("NOK", date(2020, 1, 1), date(2020, 1, 31), Decimal("10.5"), "central bank")]
    assert OperatorRate.objects.get().entered_by.username == "admin"
    dsr.refresh_from_db()
    assert (dsr.exchange_rate, dsr.rate_method, dsr.rate_source) == (Decimal("10.5"), "operator", "central bank")
    other.refresh_from_db()
    assert other.exchange_rate == ECB_MEAN
    change = RateChange.objects.get()
    assert (change.old_rate, change.new_rate, change.changed_by.username) == (ECB_MEAN, Decimal("10.5"), "admin")
    assert logged() == [("admin", ADDITION)]
    assert LogEntry.objects.get().object_id == str(OperatorRate.objects.get().pk)


def test_every_digit_of_a_rate_is_kept(admin_client):
    digits = "0." + "0123456789" * 4
    admin_client.post(f"{RATES}add/", form(rate=digits))
    assert stored()[0][3] == Decimal(digits)
    assert shown(admin_client.get(RATES), "rate") == [digits]


@pytest.mark.parametrize(
    ("fields", "name", "answer"),
    [
        ({"currency": "EUR"}, "currency", "The rate of the euro is 1."),
        ({"rate": "0"}, "rate", "0 is not a rate: it must be greater than zero."),
        ({"rate": "-1"}, "rate", "-1 is not a rate: it is negative."),
        ({"rate": "1" + 30 * "0"}, "rate", "it has more than 30 digits before the decimal point."),
        ({"rate": "0." + 40 * "0" + "1"}, "rate", "it has more than 40 digits after the decimal point."),
        ({"rate": "1e999999"}, "rate", "Enter a number."),
        ({"rate": "1_0"}, "rate", "Enter a number."),
        ({"rate": "NaN"}, "rate", "Enter a number."),
        ({"rate": "ten"}, "rate", "Enter a number."),
        ({"rate": ""}, "rate", "This field is required."),
        ({"period_end": "2019-12-31"}, "period_end", "The period ends on 2019-12-31, before it starts."),
        ({"period_start": "2020-02-30"}, "period_start", "Enter a valid date."),
        ({"currency": "XYZ"}, "currency", "Select a valid choice."),
        ({"note": 201 * "x"}, "note", "Ensure this value has at most 200 characters"),
    ],
)
def test_an_invalid_rate_is_refused_with_its_field(admin_client, dsr, fields, name, answer):
    response = admin_client.post(f"{RATES}add/", form(**fields))
    assert response.status_code == 200
    errors = response.context["adminform"].form.errors
    assert list(errors) == [name]
    assert len(errors[name]) == 1
    assert answer in errors[name][0]
    assert stored() == []
    dsr.refresh_from_db()
    assert dsr.exchange_rate == ECB_MEAN
    assert logged() == []


def test_a_second_rate_for_the_same_currency_and_period_is_refused(admin_client, rate):
    response = admin_client.post(f"{RATES}add/", form(rate="11"))
    assert response.context["adminform"].form.non_field_errors() == [
        "Operator rate with this Currency, Period start and Period end already exists."
    ]
    assert response.context["adminform"].form.errors["rate"] == ["The stored rate is 10.5. Open it to change it to 11."]
    assert stored()[0][3] == Decimal("10.5")
    same = admin_client.post(f"{RATES}add/", form(rate="10.50")).context["adminform"].form
    assert list(same.errors) == ["__all__"]


# --- Changing --------------------------------------------------------------------------------------------------


def test_a_changed_rate_re_rates_its_dsrs_and_reports_their_number(admin_client, dsr, rate):
    operator_rate_set(currency="NOK", **JANUARY, rate=Decimal("10.5"), note="by hand")
    recipes.dsr.make(offer="Second", exchange_rate=Decimal("10.5"), rate_method="operator", rate_source="by hand")
    before = RateChange.objects.count()
    path = f"{RATES}{rate.pk}/change/"
    response = save_confirmed(admin_client, path, {"rate": "11", "note": "better"}, follow=True)
    assert "2 DSRs have a new rate." in page_messages(response)
    assert stored() == [("NOK", date(2020, 1, 1), date(2020, 1, 31), Decimal("11"), "better")]
    assert set(DSR.objects.values_list("exchange_rate", "rate_source")) == {(Decimal("11"), "better")}
    assert RateChange.objects.count() == before + 2
    assert logged() == [("admin", CHANGE)]


OUTDATED = "Something has changed since you opened the page. Review it again."


def test_a_rate_that_another_user_has_changed_is_neither_overwritten_nor_deleted(admin_client, dsr, rate):
    page, deletion = f"{RATES}{rate.pk}/change/", f"{RATES}{rate.pk}/delete/"
    shown, of_deletion = shown_on(admin_client.get(page)), shown_on(admin_client.get(deletion))
    response = save_confirmed(admin_client, page, {"rate": "11", "note": "first"}, follow=True)
    assert "The rate was 10.5 and is now 11." in page_messages(response)
    second = admin_client.post(page, {"rate": "12", "note": "second"} | shown, follow=True)
    assert page_messages(second) == [f"Nothing was saved. {OUTDATED}"]
    deleted = admin_client.post(deletion, {"post": "yes"} | of_deletion, follow=True)
    assert page_messages(deleted) == [f"Nothing was deleted. {OUTDATED}"]
    assert stored()[0][3:] == (Decimal("11"), "first")
    dsr.refresh_from_db()
    assert dsr.exchange_rate == Decimal(11)


@pytest.mark.django_db(transaction=True)
def test_of_two_users_who_add_one_rate_at_once_the_second_is_told(admin_client, in_thread):
    with transaction.atomic():
        operator_rate_set(currency="NOK", **JANUARY, rate=Decimal("10.5"), note="first")
        second = in_thread(admin_client.post, f"{RATES}add/", form(rate="11"))
        wait_for_lock_waiter("advisory")
    assert second.result(PATIENCE).context["adminform"].form.non_field_errors() == [
        "Operator rate with this Currency, Period start and Period end already exists."
    ]
    assert stored()[0][3:] == (Decimal("10.5"), "first")


@pytest.mark.parametrize("wrong", ["0", "-1", "x", "0." + 40 * "0" + "1"])
def test_a_rate_cannot_be_changed_to_an_invalid_one(admin_client, dsr, rate, wrong):
    response = save(admin_client, f"{RATES}{rate.pk}/change/", {"rate": wrong, "note": ""})
    assert list(response.context["adminform"].form.errors) == ["rate"]
    assert stored()[0][3:] == (Decimal("10.5"), "by hand")
    dsr.refresh_from_db()
    assert dsr.exchange_rate == Decimal("10.5")


def test_currency_and_period_of_a_rate_cannot_be_changed(admin_client, rate):
    sent = form(currency="SEK", period_start="2019-01-01", rate="12")
    save_confirmed(admin_client, f"{RATES}{rate.pk}/change/", sent)
    assert stored() == [("NOK", date(2020, 1, 1), date(2020, 1, 31), Decimal("12"), "")]


# --- What a change concerns ------------------------------------------------------------------------------------


def test_before_a_rate_is_saved_the_page_shows_its_dsrs_with_old_and_new_revenue(admin_client, dsr):
    DSR.objects.update(total_revenue=Decimal(99), exchange_rate=Decimal(9))
    recipes.dsr.make(offer="Second", total_revenue=Decimal("2.7"), exchange_rate=Decimal(9))
    recipes.dsr.make(offer="February", period_start=date(2020, 2, 1), period_end=date(2020, 2, 29))
    page = admin_client.post(f"{RATES}add/", form(rate="10"))
    assert stored() == []
    impact = page.context["impact"]
    assert [row["cells"] for row in impact["rows"]] == [
        ["99.00 NOK", "9.000000", "11.00", "9.90", "-1.10"],
        ["2.70 NOK", "9.000000", "0.30", "0.27", "-0.03"],
    ]
    assert impact["totals"] == ["11.30", "10.17", "-1.13"]
    assert (">2</a>" in impact["count"], impact["more"], impact["is_whole"], impact["periods"]) == (True, "", True, [])
    dsr.refresh_from_db()
    assert dsr.exchange_rate == Decimal(9)
    response = admin_client.post(f"{RATES}add/", hidden_fields(page), follow=True)
    assert "2 DSRs have a new rate." in page_messages(response)


def test_what_is_saved_is_only_what_was_shown(admin_client, dsr):
    page = admin_client.post(f"{RATES}add/", form())
    recipes.dsr.make(offer="Second")
    again = admin_client.post(f"{RATES}add/", hidden_fields(page))
    assert page_messages(again) == ["The DSRs concerned have changed since. Review them again."]
    assert stored() == []
    assert admin_client.post(f"{RATES}add/", hidden_fields(again)).status_code == 302
    assert stored()[0][3] == Decimal("10.5")


def test_a_period_that_no_dsr_has_is_told_with_those_that_they_have(admin_client, dsr):
    recipes.dsr.make(offer="Short", period_end=date(2020, 1, 28))
    page = admin_client.post(f"{RATES}add/", form(period_end="2020-01-28"))
    assert page.context["impact"]["is_whole"] is False
    assert page.context["impact"]["periods"] == ["2020-01-01 – 2020-01-31"]


def test_a_rate_without_dsrs_is_saved_at_once(admin_client, dsr):
    assert admin_client.post(f"{RATES}add/", form(currency="SEK")).status_code == 302
    assert stored()[0][0] == "SEK"


def test_the_deletion_shows_the_dsrs_and_deletes_only_if_they_are_the_same(admin_client, dsr, rate):
    path = f"{RATES}{rate.pk}/delete/"
    page = admin_client.get(path)
    assert len(page.context["impact"]["rows"]) == 1
    recipes.dsr.make(offer="Second", exchange_rate=Decimal("10.5"), rate_method="operator", rate_source="by hand")
    response = admin_client.post(path, {"post": "yes"} | shown_on(page), follow=True)
    assert page_messages(response) == [f"Nothing was deleted. {OUTDATED}"]
    assert OperatorRate.objects.count() == 1


# --- Choosing a currency ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("term", ["norw", "NOK", "NORWEGIAN KRONE"])
def test_a_currency_is_found_by_its_code_and_by_its_name(client, term):
    client.force_login(staff_with("add_operatorrate"))
    results = client.get(f"{RATES}currencies/", {"term": term}).json()["results"]
    assert results == [{"id": "NOK", "text": "NOK – Norwegian Krone"}]


def test_the_form_begins_with_the_values_of_its_address(admin_client):
    page = admin_client.get(f"{RATES}add/?currency=NOK&period_start=2020-01-01&period_end=2020-01-31")
    assert '<option value="NOK" selected>NOK – Norwegian Krone</option>' in page.content.decode()
    series = page.context["series"]
    # A week around January 2020, with the days of publication alone.
    assert [str(series["days"][place]["day"]) for place in (0, -1)] == ["2019-12-27", "2020-02-07"]
    assert sum(one["belongs"] == "yes" for one in series["days"]) == 22
    assert 'title="9.9384227272727272727272727272727272727273"' in series["mean"]
    assert [one.name for one in series["chart"].series] == ["Rate of the ECB", "Rate of the ECB for the period"]


@pytest.mark.parametrize(
    "query", ["currency=<b>&period_start=x", "currency=EUR&period_start=2020-01-01&period_end=2020-01-31", "upload=-"]
)
def test_odd_values_of_the_address_do_no_harm(admin_client, query):
    page = admin_client.get(f"{RATES}add/?{query}")
    assert (page.status_code, page.context["series"]) == (200, None)


# --- Deleting --------------------------------------------------------------------------------------------------


def test_deleting_a_rate_gives_its_dsrs_the_ecb_mean(admin_client, dsr, rate):
    response = confirm_deletion(admin_client, f"{RATES}{rate.pk}/delete/", follow=True)
    assert "1 DSR has a new rate." in page_messages(response)
    assert stored() == []
    dsr.refresh_from_db()
    assert (dsr.exchange_rate, dsr.rate_method) == (ECB_MEAN, "ecb_mean")
    assert logged() == [("admin", DELETION)]


def test_a_rate_that_dsrs_need_cannot_be_deleted(admin_client):
    operator_rate_set(currency="AED", **JANUARY, rate=Decimal("4.1"))
    recipes.dsr.make(currency_id="AED", exchange_rate=Decimal("4.1"), rate_method="operator")
    rate = OperatorRate.objects.get()
    response = confirm_deletion(admin_client, f"{RATES}{rate.pk}/delete/", follow=True)
    assert response.redirect_chain == [(RATES, 302)]
    assert len(page_messages(response)) == 1
    assert page_messages(response)[0].startswith("Nothing was deleted. The ECB publishes no rate of AED.")
    assert OperatorRate.objects.get() == rate
    assert DSR.objects.get().exchange_rate == Decimal("4.1")
    assert logged() == []


def test_rates_cannot_be_deleted_in_bulk(admin_client, rate):
    response = admin_client.post(
        RATES, {"action": "delete_selected", "_selected_action": [rate.pk], "post": "yes"}, follow=True
    )
    assert response.status_code == 200
    assert OperatorRate.objects.count() == 1


# --- Links -----------------------------------------------------------------------------------------------------


def test_a_rate_links_to_its_dsrs(admin_client, dsr, rate):
    recipes.dsr.make(offer="February", period_start=date(2020, 2, 1), period_end=date(2020, 2, 29))
    recipes.dsr.make(offer="Sweden", currency_id="SEK")
    page = admin_client.get(RATES).content.decode()
    query = "currency__code__exact=NOK&amp;period_start=2020-01-01&amp;period_end=2020-01-31"
    assert f'href="/admin/catalogue/dsr/?{query}"' in page
    response = admin_client.get(f"/admin/catalogue/dsr/?{query.replace('&amp;', '&')}")
    assert [found.pk for found in response.context["cl"].result_list] == [dsr.pk]
    assert shown(response, "path") == [NO_JANUARY]


# --- Permissions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("permissions", [(), ("view_operatorrate",), ("view_dsr", "change_dsr", "delete_dsr")])
def test_users_without_the_permissions_cannot_write_rates(client, rate, permissions):
    client.force_login(staff_with(*permissions))
    assert client.post(f"{RATES}add/", form(currency="SEK")).status_code == 403
    assert client.post(f"{RATES}{rate.pk}/change/", {"rate": "11", "note": ""}).status_code == 403
    assert client.post(f"{RATES}{rate.pk}/delete/", {"post": "yes"}).status_code == 403
    assert stored() == [("NOK", date(2020, 1, 1), date(2020, 1, 31), Decimal("10.5"), "by hand")]


@pytest.mark.parametrize(
    ("permission", "path", "sent", "expected"),
    [
        ("add_operatorrate", "add/", form(currency="SEK"), 2),
        ("change_operatorrate", "{}/change/", {"rate": "10.5", "note": "by hand"}, 1),
        ("delete_operatorrate", "{}/delete/", {"post": "yes"}, 0),
    ],
)
def test_each_permission_allows_its_own_action(client, rate, permission, path, sent, expected):
    client.force_login(staff_with(permission))
    assert save(client, RATES + path.format(rate.pk), sent).status_code == 302
    assert OperatorRate.objects.count() == expected
    assert len(logged()) == 1
