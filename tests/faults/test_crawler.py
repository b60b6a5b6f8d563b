"""A small run of the crawler of the admin with the same requests each time: see `tests/faults/crawler.py`."""

import pytest

from tests.catalogue import recipes as catalogue
from tests.faults.crawler import Form, Request, crawl

# What the long run found, as it was sent.
FOUND = [
    Request("GET", "/admin/catalogue/ratechange/", ((b"_facets", b"True"), (b"dsr", b"1"))),
    Request("GET", "/admin/catalogue/territory/a%00b/change/"),
    Request("POST", "/admin/subscriptions/datausagerecord/add/", ((b"subscription", b"x"),)),
    Request("POST", "/admin/subscriptions/datausagerecord/add/", ((b"subscription", b"9" * 30),)),
    Request("POST", "/admin/catalogue/operatorrate/add/", ((b"note", b"a\0b"), (b"currency", b"NOK"))),
]
# Ids that look like numbers: Python takes the first for a digit, and refuses to read the second.
NO_IDS = ["%C2%B2", "9" * 5000]
WITH_OWN_PAGES = ["catalogue/dsr", "catalogue/reportmessage", "catalogue/partyalias", "catalogue/supersededdsr"]
FOUND += [
    Request("GET", f"/admin/{model}/{number}/change/")
    for model in [*WITH_OWN_PAGES, "dsrhub/apikey"]
    for number in NO_IDS
]
FOUND += [Request("POST", "/admin/catalogue/operatorrate/1/change/", ((b"_to_field", b""),))]


@pytest.mark.django_db(transaction=True)
def test_no_field_of_the_admin_leads_to_an_internal_error(tmp_path, settings):
    settings.DSRHUB_UPLOAD_DIR = tmp_path
    superuser, viewer = crawl(15, seed=1, pages=40)
    assert (superuser.failures, viewer.failures) == ([], [])
    for request in FOUND:
        superuser.ask(request)
    assert superuser.failures == []
    # Most pages have a form to search, to sign out, or to change something.
    assert len(superuser.forms) > 20
    assert superuser.statuses[200] > 30


def test_each_field_of_a_form_is_changed_alone():
    form = Form("POST", "/", [(b"a", b"1"), (b"b", b"2")])
    sent = [dict(request.fields) for request in form.hostile()]
    assert {b"a": b"\0", b"b": b"2"} in sent
    assert {b"b": b"2"} in sent


LISTS = {
    "catalogue/dsr": ["period_start", "period_end", "imported_at"],
    "catalogue/ecbrate": ["day"],
    "catalogue/importjob": ["uploaded_at", "changed_at"],
    "catalogue/ratechange": ["changed_at"],
    "catalogue/operatorrate": ["period_start", "entered_at"],
    "subscriptions/datausagerecord": ["day", "usage_date"],
    "subscriptions/sealedday": ["day", "sealed_at"],
    "auth/user": ["date_joined", "last_login"],
    "dsrhub/auditentry": ["at"],
}
# No C integer holds the larger ones.
PARTS = ["0", "-1", "13", "32", "", "1_0", "2147483648", "9223372036854775808"]
YEARS = ["0", "-1", "10000", "99999", "9" * 5000, "0001-01-01", "9999-12-31"]


@pytest.mark.django_db
def test_a_year_that_exists_is_a_filter(admin_client):
    catalogue.dsr.make()
    day = {"period_start__year": "2020", "period_start__month": "1", "period_start__day": "1"}
    for query in (day, {"period_start": "2020-01-01"}):
        (found,) = admin_client.get("/admin/catalogue/dsr/", query).context["cl"].result_list
        assert found.period_start.year == 2020


@pytest.mark.django_db
@pytest.mark.parametrize("path", LISTS)
def test_no_day_in_the_query_of_a_list_leads_to_an_internal_error(admin_client, path):
    catalogue.dsr.make()
    admin_client.raise_request_exception = False
    queries = [
        {f"{name}{lookup}": year} for name in LISTS[path] for lookup in ("__year", "__gte", "") for year in YEARS
    ]
    queries += [{f"{name}__year": "9999", f"{name}__month": month} for name in LISTS[path] for month in ("12", "13")]
    for part in PARTS:
        for name in LISTS[path]:
            queries += [{f"{name}__year": "2020", f"{name}__month": part}]
            queries += [{f"{name}__year": "2020", f"{name}__month": "1", f"{name}__day": part}]
    asked = [(query, admin_client.get(f"/admin/{path}/", query).status_code) for query in queries]
    assert [(query, status) for query, status in asked if status >= 500] == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("model", "field", "status"),
    [
        ("dsrhub.apitoken", "user", 200),
        ("auth.group", "user", 403),
        ("auth.user", "username", 403),
        ("auth.x", "x", 403),
    ],
)
def test_only_fields_of_forms_are_completed(admin_client, model, field, status):
    admin_client.raise_request_exception = False
    app_label, model_name = model.split(".")
    query = {"app_label": app_label, "model_name": model_name, "field_name": field, "term": "a"}
    assert admin_client.get("/admin/autocomplete/", query).status_code == status
