"""Signing in over REST, and closed reads."""

import re

import pytest
from django.test import Client

from dsrhub.models import ApiToken
from tests import recipes

pytestmark = pytest.mark.django_db

READS = ["/dsrs/", "/dsrs", "/dsrs/1", "/dsrs/abc", "/dsrs/1/lines", "/dsrs/1/problems", "/resources/percentile/50"]


@pytest.fixture
def ada():
    return recipes.user.make(username="ada")


def token_header(user):
    return {"Authorization": f"Token {recipes.token.make(user=user).key}"}


# --- The token -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/token/", "/token"])
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", '{"username": "ada", "password": "lovelace"}'),
        ("application/x-www-form-urlencoded", "username=ada&password=lovelace"),
    ],
)
def test_a_name_and_a_password_give_a_token_that_signs_in(client, ada, settings, path, content_type, body):
    response = client.post(path, body, content_type=content_type)
    assert response.status_code == 200
    assert response.json().keys() == {"token"}
    assert re.fullmatch("[0-9a-f]{40}", response.json()["token"])
    assert ApiToken.objects.get().user == ada
    settings.DSRHUB_PRIVATE = True
    headers = {"Authorization": f"Token {response.json()['token']}"}
    assert client.get("/dsrs/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "sent", [{"username": "ada", "password": "wrong"}, {"username": "bob", "password": "lovelace"}]
)
def test_a_wrong_name_and_a_wrong_password_have_the_same_answer(client, ada, sent):
    response = client.post("/token/", sent)
    assert response.status_code == 400
    message = "Unable to log in with provided credentials."
    assert response.json() == {"non_field_errors": [{"message": message, "code": "authorization"}]}


def test_inactive_users_get_no_token_and_their_old_token_is_refused(client, ada):
    headers = token_header(ada)
    ada.is_active = False
    ada.save()
    assert client.post("/token/", {"username": "ada", "password": "lovelace"}).status_code == 400
    response = client.get("/dsrs/", headers=headers)
    assert response.status_code == 401
    assert response.json() == {"detail": "User inactive or deleted.", "code": "authentication_failed"}


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        ({}, {"username", "password"}),
        ({"username": "ada"}, {"password"}),
        ({"username": "", "password": "lovelace"}, {"username"}),
        ({"username": "a\0", "password": "lovelace"}, {"username"}),
        ({"username": ["ada"], "password": {"a": 1}}, {"username", "password"}),
        ([1], {"non_field_errors"}),
    ],
)
def test_missing_and_invalid_fields_are_named(client, sent, names):
    response = client.post("/token/", sent, content_type="application/json")
    assert response.status_code == 400
    assert response.json().keys() == names


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("application/json", "{", 400, "parse_error"),
        ("application/json", "\xff", 400, "parse_error"),
        ("text/plain", "ada", 415, "unsupported_media_type"),
        ("application/json", " " * 65537, 413, "too_large"),
        ("application/x-www-form-urlencoded", "a" * 65537, 413, "too_large"),
    ],
)
def test_an_invalid_body_is_refused(client, content_type, body, status, code):
    response = client.post("/token/", body.encode("latin-1"), content_type=content_type)
    assert response.status_code == status
    assert response.json()["code"] == code


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_only_post_is_allowed(client, method):
    response = client.generic(method, "/token/")
    assert response.status_code == 405
    assert response["Allow"] == "POST, OPTIONS"


def test_a_wrong_token_is_refused_even_if_reads_are_open(client):
    response = client.get("/dsrs/", headers={"Authorization": "Token 0123456789"})
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Token"
    assert response.json() == {"detail": "Invalid token.", "code": "authentication_failed"}


@pytest.mark.parametrize("scheme", ["Token", "Bearer", "token", "bearer", "BEARER"])
def test_bearer_works_like_token_in_any_case(client, ada, settings, scheme):
    settings.DSRHUB_PRIVATE = True
    header = f"{scheme}  {recipes.token.make(user=ada).key} "
    assert client.get("/dsrs/", headers={"Authorization": header}).status_code == 200
    asked = {"query": "{ __typename }"}
    response = client.post("/graphql", asked, headers={"Authorization": header}, content_type="application/json")
    assert response.json() == {"data": {"__typename": "Query"}}


READ, WRITE = ("GET", "/dsrs/"), ("DELETE", "/dsrs/1")
GRAPHQL_READ = ("POST", "/graphql", '{"query": "{ __typename }"}')
GRAPHQL_WRITE = ("POST", "/graphql", '{"query": "mutation { deleteDsr(id: 1) { id } }"}')


def asked_with(client, header, method, path, body=""):
    """The status, and of GraphQL the code of the error if it is not in the status."""
    headers = {"Authorization": header}
    response = client.generic(method, path, body, content_type="application/json", headers=headers)
    if response.status_code == 200 and path == "/graphql":
        return response, [error["extensions"]["code"] for error in response.json().get("errors", [])]
    return response, response.status_code


@pytest.mark.parametrize("request_parts", [READ, WRITE, GRAPHQL_READ, GRAPHQL_WRITE], ids=lambda parts: parts[1])
@pytest.mark.parametrize("scheme", ["Token", "Bearer", "bearer"])
@pytest.mark.parametrize("key", ["", " ", "0123456789", "{key} {key}", '"{key}"', "{key},", "key={key}", "\xff"])
def test_a_wrong_token_of_either_scheme_is_never_anonymous(client, ada, request_parts, scheme, key):
    header = f"{scheme} {key.format(key=recipes.token.make(user=ada).key)}"
    response, status = asked_with(client, header, *request_parts)
    assert status == 401
    assert response["WWW-Authenticate"] == scheme.title()


@pytest.mark.parametrize(
    "header", ["Basic YWRhOmxvdmVsYWNl", "Basic", "Digest username=ada", "Negotiate YII=", "Tokens 0123", "", "x"]
)
def test_a_scheme_of_others_is_passed_over_where_anybody_may_read(client, ada, header):
    assert [asked_with(client, header, *parts)[1] for parts in (READ, GRAPHQL_READ)] == [200, []]
    response, status = asked_with(client, header, *WRITE)
    assert (status, response["WWW-Authenticate"]) == (401, "Token")
    assert asked_with(client, header, *GRAPHQL_WRITE)[1] == ["not_authenticated"]


def test_a_scheme_of_others_leaves_a_session_as_it_is(ada, settings):
    settings.DSRHUB_PRIVATE = True
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    assert client.get("/dsrs/", headers={"Authorization": "Basic YWRhOmxvdmVsYWNl"}).status_code == 200


# --- Closed reads ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", READS)
def test_closed_reads_need_a_signed_in_user(client, ada, settings, path):
    status = client.get(path).status_code
    assert status in (200, 404)
    settings.DSRHUB_PRIVATE = True
    for method in ("GET", "HEAD", "OPTIONS"):
        response = client.generic(method, path)
        assert (method, response.status_code) == (method, 401)
        assert response["WWW-Authenticate"] == "Token"
    assert client.get(path).json() == {
        "detail": "Authentication credentials were not provided.",
        "code": "not_authenticated",
    }
    assert client.get(path, headers=token_header(ada)).status_code == status
    signed_in = Client(enforce_csrf_checks=True)
    signed_in.force_login(ada)
    assert signed_in.get(path).status_code == status


@pytest.mark.parametrize(
    "path", ["/healthz", "/docs/", "/docs/?script=", "/openapi.yaml", "/openapi.json", "/admin/login/"]
)
def test_closed_reads_leave_health_documentation_and_sign_in_open(client, settings, path):
    settings.DSRHUB_PRIVATE = True
    assert client.get(path).status_code == 200


def test_closed_reads_leave_the_token_endpoint_open(client, ada, settings):
    settings.DSRHUB_PRIVATE = True
    assert client.post("/token/", {"username": "ada", "password": "lovelace"}).status_code == 200
