"""`/dsrs/` and `/dsrs/{id}`: the contract with existing clients, and deletion."""

from itertools import cycle

import pytest
from django.test import Client
from rest_framework.renderers import JSONRenderer

from catalogue.api.contract import DSRSerializer
from catalogue.exceptions import ReportRefused
from catalogue.models import DSR
from tests import recipes as user_recipes
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line, query_count, user_with

pytestmark = pytest.mark.django_db


@pytest.fixture
def dsr(tmp_path):
    return import_report(tmp_path, ES_JANUARY, line("a", revenue="1"))


@pytest.fixture
def failed(tmp_path):
    with pytest.raises(ReportRefused) as refused:
        import_report(tmp_path, NO_JANUARY, line("a", revenue="much"))
    return DSR.objects.get(pk=refused.value.extra["dsr"])


def es_january(number):
    return {
        "id": number,
        "path": "Spotify_SpotifyFamilyPlan_ES_EUR_20200101-20200131.tsv",
        "period_start": "2020-01-01T00:00:00Z",
        "period_end": "2020-01-31T00:00:00Z",
        "status": "ingested",
        "territory": {"name": "Spain", "code_2": "ES"},
        "currency": {"name": "Euro", "code": "EUR"},
    }


def no_january(number):
    return {
        "id": number,
        "path": "Spotify_SpotifyDuo_NO_NOK_20200101-20200131.tsv",
        "period_start": "2020-01-01T00:00:00Z",
        "period_end": "2020-01-31T00:00:00Z",
        "status": "failed",
        "territory": {"name": "Norway", "code_2": "NO"},
        "currency": {"name": "Norwegian Krone", "code": "NOK"},
    }


# --- Reading ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/dsrs/", "/dsrs"])
def test_the_list_is_an_array_of_all_dsrs_including_failed_ones(client, dsr, failed, path):
    response = client.get(path)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response.json() == [es_january(dsr.pk), no_january(failed.pk)]


@pytest.mark.usefixtures("dsr", "failed")
def test_the_list_and_the_single_dsr_have_the_same_fields(client):
    shown = client.get("/dsrs/").json()
    assert shown == [client.get(f"/dsrs/{one['id']}").json() for one in shown]
    assert len(shown) == 2


@pytest.mark.parametrize("path", ['quote " and \\', "<b>&amp;</b>", "é ß 音 😀", "line\u2028and paragraph\u2029"])
def test_the_list_is_what_rest_framework_renders_byte_for_byte(client, path):
    dsr = recipes.dsr.make(path=path)
    rendered = JSONRenderer().render(DSRSerializer([dsr], many=True).data)
    assert client.get("/dsrs/").content == client.get("/dsrs/?limit=1").content == rendered


def test_without_dsrs_the_list_is_an_empty_array(client):
    assert client.get("/dsrs/").content == b"[]"


@pytest.mark.parametrize("path", ["/dsrs/{}", "/dsrs/{}/"])
def test_a_single_dsr_is_an_object(client, dsr, failed, path):
    response = client.get(path.format(dsr.pk))
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response.json() == es_january(dsr.pk)
    assert client.get(path.format(failed.pk)).json() == no_january(failed.pk)


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "999999999",
        "2147483648",
        "9223372036854775808",
        "9" * 5000,
        "-1",
        "abc",
        "1.0",
        "1e0",
        "٣",
        " ",
        "%00",
        "²",
    ],
)
def test_an_unknown_or_invalid_id_is_not_found(client, dsr, number):
    for path in (f"/dsrs/{number}", f"/dsrs/{number}/", f"/dsrs/{number}/lines", f"/dsrs/{number}/problems"):
        response = client.get(path)
        assert (path, response.status_code) == (path, 404)
        assert response["Content-Type"] == "application/json"
        assert response.content == b'{"detail":"Not found."}'


def test_an_unknown_route_has_the_same_answer(client):
    response = client.get("/dsrs/1/titles")
    assert response.status_code == 404
    assert response.json() == {"detail": "Not found."}


@pytest.mark.parametrize("query", ["page=2", "format=xml", "page=2&page=3", "=", "%00=%00", "LIMIT=1"])
def test_unknown_parameters_are_ignored(client, dsr, query):
    assert client.get(f"/dsrs/?{query}").json() == [es_january(dsr.pk)]
    assert client.get(f"/dsrs/{dsr.pk}?{query}").json() == es_january(dsr.pk)


@pytest.mark.parametrize("accept", ["application/json", "*/*", "text/html", "application/xml;q=0.9", "none", ""])
def test_the_answer_is_json_for_every_accept_header(client, dsr, accept):
    for path in ("/dsrs/", f"/dsrs/{dsr.pk}", "/resources/percentile/50"):
        response = client.get(path, headers={"accept": accept})
        assert (response.status_code, response["Content-Type"]) == (200, "application/json")


def test_the_number_of_queries_is_the_same_for_1_and_for_100_dsrs(client):
    recipes.dsr.make()
    for_one = query_count(client, "/dsrs/"), query_count(client, "/dsrs/?limit=100")
    recipes.dsr.make(
        offer=(f"{number}" for number in range(99)),
        territory_id=cycle(["NO", "ES", "FR"]),
        currency_id=cycle(["NOK", "EUR"]),
        _quantity=99,
        _bulk_create=True,
    )
    assert len(client.get("/dsrs/").json()) == 100
    assert (query_count(client, "/dsrs/"), query_count(client, "/dsrs/?limit=100")) == for_one == (1, 1)


# --- Methods ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/dsrs/", "/dsrs/{}", "/dsrs/{}/lines", "/dsrs/{}/problems"])
def test_head_answers_as_get_without_the_body(client, dsr, path):
    response = client.head(path.format(dsr.pk))
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response.content == b""


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/dsrs/", {"GET", "POST", "HEAD", "OPTIONS"}),
        ("/dsrs", {"GET", "POST", "HEAD", "OPTIONS"}),
        ("/dsrs/{}", {"GET", "DELETE", "HEAD", "OPTIONS"}),
        ("/dsrs/{}/lines", {"GET", "HEAD", "OPTIONS"}),
        ("/dsrs/{}/problems", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_other_methods_are_not_allowed_for_anyone(client, dsr, path, allowed):
    path = path.format(dsr.pk)
    signed_in = Client()
    signed_in.force_login(user_with("add_dsr", "change_dsr", "delete_dsr"))
    for method in {"POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - allowed:
        for caller in (client, signed_in):
            response = caller.generic(method, path)
            assert (method, response.status_code) == (method, 405)
            assert set(response["Allow"].split(", ")) == allowed
            assert response.json() == {"detail": f'Method "{method}" not allowed.', "code": "method_not_allowed"}
    assert set(client.options(path)["Allow"].split(", ")) == allowed
    assert DSR.objects.count() == 1


# --- Deleting --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/dsrs/{}", "/dsrs/{}/"])
def test_a_dsr_is_deleted_with_the_permission(client, dsr, failed, path):
    client.force_login(user_with("delete_dsr"))
    response = client.delete(path.format(dsr.pk))
    assert (response.status_code, response.content) == (204, b"")
    assert [one["id"] for one in client.get("/dsrs/").json()] == [failed.pk]
    assert client.get("/resources/percentile/100").json() == []
    assert client.delete(path.format(failed.pk)).status_code == 204
    assert client.get("/dsrs/").json() == []


@pytest.mark.parametrize("number", ["0", "abc", "-1", "99999999999"])
def test_a_missing_dsr_cannot_be_deleted(client, dsr, number):
    client.force_login(user_with("delete_dsr"))
    response = client.delete(f"/dsrs/{number}")
    assert (response.status_code, response.json()) == (404, {"detail": "Not found."})
    assert DSR.objects.count() == 1


def test_anonymous_users_cannot_delete_and_get_the_authentication_scheme(client, dsr):
    response = client.delete(f"/dsrs/{dsr.pk}")
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Token"
    assert response.json()["code"] == "not_authenticated"
    assert client.delete("/dsrs/0").status_code == 401
    assert DSR.objects.count() == 1


def test_other_permissions_do_not_allow_deletion(client, dsr):
    client.force_login(user_with("add_dsr", "change_dsr", "view_dsr"))
    response = client.delete(f"/dsrs/{dsr.pk}")
    assert response.status_code == 403
    assert response.json()["code"] == "permission_denied"
    assert DSR.objects.count() == 1


def test_a_session_needs_its_csrf_token_to_delete(dsr):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user_with("delete_dsr"))
    refused = client.delete(f"/dsrs/{dsr.pk}")
    assert refused.status_code == 403
    assert refused.json()["detail"] == "CSRF Failed: CSRF cookie not set."
    assert DSR.objects.count() == 1
    client.get("/docs/?script=")
    csrf = client.cookies["csrftoken"].value
    assert client.delete(f"/dsrs/{dsr.pk}", headers={"X-CSRFToken": csrf}).status_code == 204


def test_a_token_needs_no_csrf_token(dsr):
    token = user_recipes.token.make(user=user_with("delete_dsr")).key
    client = Client(enforce_csrf_checks=True)
    assert client.delete(f"/dsrs/{dsr.pk}", headers={"Authorization": f"Token {token}"}).status_code == 204
