"""Which requests the view accepts, from which users, and how it answers them."""

import json

import pytest
from django.test import Client

from tests import recipes

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.graphql_schema.door")]

JSON = {"content_type": "application/json"}


def post(client, query, headers=None, **body):
    return client.post("/graphql", {"query": query, **body}, headers=headers, **JSON)


def codes(answer):
    return [error["extensions"]["code"] for error in answer.json()["errors"]]


# --- Requests --------------------------------------------------------------------------------------------------


def test_a_query_is_answered(client):
    answer = post(client, "{ node { number } }")
    assert (answer.status_code, answer.json()) == (200, {"data": {"node": {"number": 1}}})
    assert answer["Content-Type"] == "application/json"
    assert "no-store" in answer["Cache-Control"]


def test_the_media_type_of_graphql_is_used_if_the_client_accepts_it(client):
    answer = post(client, "{ user }", {"Accept": "application/graphql-response+json, application/json;q=0.9"})
    assert answer["Content-Type"] == "application/graphql-response+json"


def test_the_named_operation_is_executed_with_its_variables(client):
    query = "query A { user } query B($texts: [String]) { length(texts: $texts) }"
    answer = post(client, query, operationName="B", variables={"texts": ["x", "y"]})
    assert answer.json() == {"data": {"length": 2}}


@pytest.mark.parametrize("name", [None, "C", ""])
def test_several_operations_without_a_valid_name_are_refused(client, name):
    answer = post(client, "query A { user } query B { user }", operationName=name)
    assert (answer.status_code, codes(answer)) == (400, ["graphql_operation"])


def test_a_subscription_is_refused(client):
    answer = post(client, "subscription { user }")
    assert (answer.status_code, codes(answer)) == (400, ["graphql_operation"])


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "null",
        '"{ user }"',
        "{}",
        '{"query": null}',
        '{"query": " "}',
        '{"query": ["{ user }"]}',
        '{"query": "{ user }", "variables": []}',
        '{"query": "{ user }", "variables": "{}"}',
        '{"query": "{ user }", "operationName": 1}',
        '{"query": "{ user }", "variables": {"x": NaN}}',
        '{"query": "{ user }", "variables": ' + "[" * 30_000 + "]" * 30_000 + "}",
        b'{"query": "\xff"}',
        '{"query": "{ user }"}'.encode("utf-16"),
    ],
)
def test_an_invalid_body_is_refused(client, body):
    answer = client.generic("POST", "/graphql", body, **JSON)
    assert (answer.status_code, codes(answer)) == (400, ["bad_request"])


def test_a_batch_of_operations_is_refused(client):
    answer = client.post("/graphql", [{"query": "{ user }"}, {"query": "{ user }"}], **JSON)
    assert (answer.status_code, codes(answer)) == (400, ["bad_request"])
    assert "Batches of operations are not supported" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_content_types_of_forms_are_refused(client, content_type):
    answer = client.generic("POST", "/graphql", '{"query": "{ user }"}', content_type=content_type)
    assert (answer.status_code, codes(answer)) == (415, ["unsupported_media_type"])


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(client, method):
    answer = client.generic(method, "/graphql", '{"query": "{ user }"}', **JSON)
    assert (answer.status_code, codes(answer)) == (405, ["method_not_allowed"])


# --- Users -----------------------------------------------------------------------------------------------------


@pytest.fixture
def csrf_client():
    """A client whose CSRF tokens are checked like those of a browser."""
    return Client(enforce_csrf_checks=True)


def test_anonymous_users_may_read(csrf_client):
    assert post(csrf_client, "{ user }").json() == {"data": {"user": ""}}


def test_a_session_needs_the_csrf_token_of_the_page(csrf_client, admin_user):
    csrf_client.force_login(admin_user)
    answer = post(csrf_client, "{ user }")
    assert (answer.status_code, codes(answer)) == (403, ["permission_denied"])
    assert answer.json()["errors"][0]["message"].startswith("CSRF Failed")

    page = csrf_client.get("/graphql", headers={"Accept": "text/html"})
    token = page.content.decode().split('data-csrf-token="')[1].split('"')[0]
    assert post(csrf_client, "{ user }", {"X-CSRFToken": token}).json() == {"data": {"user": "admin"}}
    assert post(csrf_client, "{ user }", {"X-CSRFToken": "x" * len(token)}).status_code == 403


def test_an_api_token_needs_no_csrf_token(csrf_client, admin_user):
    csrf_client.force_login(admin_user)
    authorization = {"Authorization": f"Token {recipes.token.make(user=admin_user).key}"}
    assert post(csrf_client, "{ user }", authorization).json() == {"data": {"user": "admin"}}


def test_a_wrong_token_is_refused(client):
    answer = post(client, "{ user }", {"Authorization": "Token nonsense"})
    assert (answer.status_code, codes(answer)) == (401, ["authentication_failed"])
    assert answer["WWW-Authenticate"] == "Token"


def test_a_private_installation_is_closed_to_anonymous_users(client, admin_user, settings):
    settings.DSRHUB_PRIVATE = True
    answer = post(client, "{ __typename }")
    assert (answer.status_code, codes(answer)) == (401, ["not_authenticated"])
    client.force_login(admin_user)
    assert post(client, "{ user }").json() == {"data": {"user": "admin"}}


# --- Errors ----------------------------------------------------------------------------------------------------


def test_a_syntax_error_has_its_location(client):
    answer = post(client, "{ user")
    assert answer.status_code == 400
    assert answer.json() == {
        "errors": [
            {
                "message": "Syntax Error: Expected Name, found <EOF>.",
                "locations": [{"line": 1, "column": 7}],
                "extensions": {"code": "graphql_syntax"},
            }
        ]
    }


def test_a_validation_error_has_its_location(client):
    answer = post(client, "{ node { size } user(x: 1) }")
    assert (answer.status_code, codes(answer)) == (400, ["graphql_validation"] * 2)
    assert [error["locations"] for error in answer.json()["errors"]] == [
        [{"line": 1, "column": 10}],
        [{"line": 1, "column": 22}],
    ]


def test_fields_that_contradict_each_other_are_not_valid(client):
    answer = post(client, "{ page { first } page(first: 5) { first } }")
    assert (answer.status_code, codes(answer)) == (400, ["graphql_validation"])


def test_a_wrong_variable_is_named(client):
    answer = post(client, "query ($n: Int) { length(first: $n) }", variables={"n": "many"})
    assert (answer.status_code, codes(answer)) == (400, ["graphql_variables"])
    assert "$n" in answer.json()["errors"][0]["message"]
    assert "data" not in answer.json()


def test_a_dsrhub_error_has_its_code_its_data_and_its_path(client):
    answer = post(client, "{ it: broken user }")
    assert answer.status_code == 200
    assert answer.json() == {
        "data": {"it": None, "user": ""},
        "errors": [
            {
                "message": "It is broken.",
                "locations": [{"line": 1, "column": 3}],
                "path": ["it"],
                "extensions": {"code": "broken", "day": "2020-01-31"},
            }
        ],
    }


@pytest.mark.parametrize(("field", "data"), [("fault", {"fault": None}), ("faultRequired", None)])
def test_an_internal_error_shows_only_an_id_that_is_in_the_log(client, caplog, field, data):
    answer = post(client, f"{{ {field} }}")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, answer.json()["data"]) == (200, data)
    assert (error["message"], error["path"], error["extensions"]["code"]) == (
        "Internal error.",
        [field],
        "internal_error",
    )
    assert "secret" not in answer.content.decode()
    (record,) = (record for record in caplog.records if record.name == "graphql_schema.errors")
    assert error["extensions"]["id"] in record.getMessage()
    assert "a secret of the inside" in record.exc_text


def test_an_internal_error_of_the_view_is_masked_too(client, caplog, monkeypatch):
    def fail(*arguments):
        raise KeyError("a secret of the inside")

    monkeypatch.setattr("graphql_schema.view.check_document", fail)
    answer = post(client, "{ user }")
    assert (answer.status_code, codes(answer)) == (500, ["internal_error"])
    assert "secret" not in answer.content.decode()
    assert answer.json()["errors"][0]["extensions"]["id"] in caplog.text


@pytest.mark.parametrize("text", ["\0", "\ud800", "\U0001f3b5", "x" * 60_000])
def test_any_text_is_answered(client, text):
    body = json.dumps({"query": "query ($texts: [String]) { length(texts: $texts) }", "variables": {"texts": [text]}})
    assert client.generic("POST", "/graphql", body, **JSON).json() == {"data": {"length": 1}}
    answer = client.generic("POST", "/graphql", json.dumps({"query": f"{{ {text} }}"}), **JSON)
    assert answer.status_code == 400
