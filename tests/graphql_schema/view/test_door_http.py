"""GraphQL over HTTP as its draft has it: media types, statuses, queries by GET, persisted queries, exact numbers.

The expected statuses are those of the draft's section "Status Codes".
"""

import json
from decimal import Decimal as Number
from io import RawIOBase

import pytest
from django.contrib.auth.models import User
from django.http import UnreadablePostError
from django.test import Client

from tests import recipes
from tests.graphql_schema.view.test_door import JSON, codes, post

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.graphql_schema.door")]

GRAPHQL = "application/graphql-response+json"
# What Apollo Client and urql send.
APOLLO = f"{GRAPHQL},application/json;q=0.9"
URQL = f"{GRAPHQL}, application/graphql+json, application/json, text/event-stream, multipart/mixed"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def get(client, headers=None, **parameters):
    return client.get("/graphql", parameters, headers=headers)


# --- Media types -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (GRAPHQL, GRAPHQL),
        (APOLLO, GRAPHQL),
        (URQL, GRAPHQL),
        (f"application/json, {GRAPHQL}", GRAPHQL),
        (f"{GRAPHQL}, */*", GRAPHQL),
        ("Application/GraphQL-Response+JSON", GRAPHQL),
        (f"{GRAPHQL}; charset=utf-8, application/json; charset=utf-8", GRAPHQL),
        (f"application/json;q=0.5, {GRAPHQL};q=0.6", GRAPHQL),
        ("application/json;q=0, */*", GRAPHQL),
        ("application/json", "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        (f"application/json, {GRAPHQL};q=0.9", "application/json"),
        (f"{GRAPHQL};q=0, application/json", "application/json"),
        (f"{GRAPHQL};q=0, */*", "application/json"),
        (f"{GRAPHQL};q=0", "application/json"),
        ("text/plain", "application/json"),
        ("nonsense, , ;q=1", "application/json"),
        (f"x{GRAPHQL}", "application/json"),
    ],
)
def test_the_header_accept_decides_the_media_type(client, accept, media_type):
    for query in ("{ user }", "{ user", "{ broken }"):
        answer = post(client, query, {"Accept": accept})
        assert answer["Content-Type"] == media_type
        assert "Accept" in answer["Vary"]


def raw(client, body, **options):
    return client.generic("POST", "/graphql", body, **JSON | options)


# Each failure, with its status in both media types.
REFUSALS = {
    "no JSON": (lambda client, **headers: raw(client, "NONSENSE", **headers), 400, 400),
    "no query": (lambda client, **headers: raw(client, '{"qeury": "{ user }"}', **headers), 422, 400),
    "a batch": (lambda client, **headers: raw(client, '[{"query": "{ user }"}]', **headers), 422, 400),
    "wrong variables": (lambda client, **headers: post(client, "{ user }", variables=[7], **headers), 422, 400),
    "wrong extensions": (lambda client, **headers: post(client, "{ user }", extensions="x", **headers), 422, 400),
    "wrong name": (lambda client, **headers: post(client, "{ user }", operationName=7, **headers), 422, 400),
    "bad syntax": (lambda client, **headers: post(client, "{", **headers), 400, 400),
    "not valid": (lambda client, **headers: post(client, "{ nothing }", **headers), 422, 400),
    "no operation": (lambda client, **headers: post(client, "{ user }", operationName="B", **headers), 422, 400),
    "wrong variable": (lambda client, **headers: post(client, "query ($n: Int!) { user }", **headers), 422, 400),
    "no content type": (
        lambda client, **headers: raw(client, '{"query": "{ user }"}', content_type="", **headers),
        415,
        415,
    ),
    "wrong method": (lambda client, **headers: client.put("/graphql", **headers), 405, 405),
    "wrong token": (lambda client, headers: post(client, "{ user }", headers | {"Authorization": "Token x"}), 401, 401),
    "too large": (lambda client, **headers: raw(client, " " * 70_000, **headers), 413, 413),
    "too long": (lambda client, **headers: client.get("/graphql?query=" + "x" * 70_000, **headers), 414, 414),
    "no query in the address": (lambda client, **headers: client.get("/graphql", **headers), 422, 400),
    "a mutation by GET": (
        lambda client, **headers: client.get('/graphql?query=mutation{userDelete(name:"x"){count}}', **headers),
        405,
        405,
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_each_refusal_has_the_media_type_and_its_status(client, name):
    send, of_graphql, of_json = REFUSALS[name]
    for accept, status in ((APOLLO, of_graphql), ("application/json", of_json)):
        answer = send(client, headers={"Accept": accept})
        assert (answer.status_code, answer["Content-Type"]) == (status, accept.partition(",")[0])
        assert answer.json().keys() == {"errors"}


def test_an_executed_operation_with_errors_is_a_success(client):
    for query, data in (("{ broken user }", {"broken": None, "user": ""}), ("{ faultRequired }", None)):
        answer = post(client, query, {"Accept": GRAPHQL})
        assert (answer.status_code, answer.json()["data"]) == (294, data)
        answer = post(client, query)
        assert (answer.status_code, answer.json()["data"]) == (200, data)
    assert post(client, "{ user }", {"Accept": GRAPHQL}).status_code == 200


def test_an_internal_error_has_the_media_type(client, monkeypatch):
    monkeypatch.setattr("graphql_schema.view.check_document", lambda *arguments: 1 / 0)
    answer = post(client, "{ user }", {"Accept": GRAPHQL})
    assert (answer.status_code, answer["Content-Type"], codes(answer)) == (500, GRAPHQL, ["internal_error"])


def test_too_many_requests_have_the_media_type(client, settings):
    settings.DSRHUB_ANONYMOUS_RATE = (1, 60)
    answers = [post(client, "{ user }", {"Accept": GRAPHQL}) for _ in range(2)]
    assert [(answer.status_code, answer["Content-Type"]) for answer in answers] == [(200, GRAPHQL), (429, GRAPHQL)]
    assert int(answers[1]["Retry-After"]) > 0


def test_a_body_that_does_not_arrive_is_refused(client):
    class Broken(RawIOBase):
        def read(self, size=-1):
            raise UnreadablePostError

    extra = {"wsgi.input": Broken(), "CONTENT_LENGTH": "10", "CONTENT_TYPE": "application/json"}
    answer = client.generic("POST", "/graphql", **extra)
    assert (answer.status_code, codes(answer)) == (408, ["too_slow"])


# --- GET -------------------------------------------------------------------------------------------------------


def test_a_query_in_the_address_is_executed(client):
    query = "query A($texts: [String]) { length(texts: $texts) } query B { user }"
    variables, extensions = json.dumps({"texts": ["x", "é & +"]}), json.dumps({"some": "value"})
    answer = get(client, query=query, operationName="A", variables=variables, extensions=extensions, more="1")
    assert (answer.status_code, answer.json()) == (200, {"data": {"length": 2}})
    assert get(client, query="{ user }", operationName="", variables="", extensions="").json() == {"data": {"user": ""}}
    assert "no-store" in answer["Cache-Control"]
    head = client.head("/graphql", {"query": "{ user }"})
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    "parameters",
    [
        {"query": ""},
        {"query": " "},
        {"query": ["{ user }", "{ user }"]},
        {"query": "{ user }", "variables": "x"},
        {"query": "{ user }", "variables": "[]"},
        {"query": "{ user }", "variables": '{"x": NaN}'},
        {"query": "{ user }", "variables": "[" * 9_000},
        {"query": "{ user }", "extensions": "1"},
    ],
)
def test_invalid_parameters_in_the_address_are_refused(client, parameters):
    answer = get(client, **parameters)
    assert (answer.status_code, codes(answer)) == (400, ["bad_request"])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("chosen", [{}, {"operationName": "M"}])
def test_a_mutation_in_the_address_is_not_executed(client, method, chosen):
    recipes.user.make(username="ada")
    query = 'mutation M { userDelete(name: "ada") { count } }' + " query Q { user }" * bool(chosen)
    answer = getattr(client, method.lower())("/graphql", {"query": query, **chosen})
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert User.objects.filter(username="ada").exists()
    if method == "GET":
        assert codes(answer) == ["method_not_allowed"]


def test_a_query_beside_a_mutation_is_executed_by_get(client):
    query = 'mutation M { userDelete(name: "ada") { count } } query Q { user }'
    assert get(client, query=query, operationName="Q").json() == {"data": {"user": ""}}


@pytest.mark.parametrize("accept", [BROWSER, "text/html", "text/html,*/*", "application/json;q=0.5, text/html;q=0.6"])
def test_a_browser_gets_the_playground_and_with_a_query_its_answer(client, accept):
    assert b"<title>dsrhub GraphQL" in get(client, {"Accept": accept}).content
    assert b"<title>dsrhub GraphQL" in get(client, {"Accept": accept}, query="").content
    assert get(client, {"Accept": accept}, query="{ user }").json() == {"data": {"user": ""}}


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "text/html;q=0, */*", "text/html;q=0.5, */*", URQL])
def test_others_get_no_playground(client, accept):
    answer = get(client, {"Accept": accept})
    assert codes(answer) == ["bad_request"]


def test_a_private_installation_is_closed_by_get_too(client, settings):
    settings.DSRHUB_PRIVATE = True
    answer = get(client, {"Accept": APOLLO}, query="{ user }")
    assert (answer.status_code, answer["Content-Type"], codes(answer)) == (401, GRAPHQL, ["not_authenticated"])
    token = recipes.token.make(user=recipes.user.make(username="ada"))
    authorization = {"Authorization": f"Token {token.key}"}
    assert get(client, authorization, query="{ user }").json() == {"data": {"user": "ada"}}


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200), (None, 200)]
)
def test_another_site_cannot_use_a_session_by_get(admin_user, site, status):
    client = Client(enforce_csrf_checks=True)
    headers = {"Sec-Fetch-Site": site} if site else {}
    # Without a session, everyone may read.
    assert get(client, headers, query="{ user }").json() == {"data": {"user": ""}}
    client.force_login(admin_user)
    answer = get(client, headers, query="{ user }")
    assert (answer.status_code, "errors" in answer.json()) == (status, status == 403)
    # A link to the playground works, and so does a token, which no site sends for another.
    assert get(client, headers | {"Accept": BROWSER}).status_code == 200
    token = headers | {"Authorization": f"Token {recipes.token.make(user=admin_user).key}"}
    assert get(client, token, query="{ user }").json() == {"data": {"user": "admin"}}


# --- Persisted queries -----------------------------------------------------------------------------------------

HASH = {
    "persistedQuery": {"version": 1, "sha256Hash": "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38"}
}
# What Apollo's link and urql's exchange look for.
NOT_SUPPORTED = [{"message": "PersistedQueryNotSupported", "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}}]


@pytest.mark.parametrize(("accept", "status"), [(APOLLO, 422), (URQL, 422), ("application/json", 200), ("*/*", 200)])
def test_a_persisted_query_is_not_supported(client, accept, status):
    headers = {"Accept": accept}
    body = json.dumps({"operationName": "A", "variables": {}, "extensions": HASH})
    by_get = get(client, headers, operationName="A", variables="{}", extensions=json.dumps(HASH))
    for answer in (raw(client, body, headers=headers), by_get):
        assert (answer.status_code, answer.json()) == (status, {"errors": NOT_SUPPORTED})


def test_a_query_beside_its_hash_is_executed(client):
    assert post(client, "{ user }", extensions=HASH).json() == {"data": {"user": ""}}
    assert get(client, query="{ user }", extensions=json.dumps(HASH)).json() == {"data": {"user": ""}}


# --- Numbers ---------------------------------------------------------------------------------------------------


def sent(client, of_type, field, number):
    """Send a variable as a number with exactly these digits."""
    query = f"query ($n: {of_type}) {{ {field}(n: $n) }}"
    answers = [
        raw(client, f'{{"query": {json.dumps(query)}, "variables": {{"n": {number}}}}}'),
        get(client, query=query, variables=f'{{"n": {number}}}'),
    ]
    assert answers[0].json() == answers[1].json()
    return answers[0].json()


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("9.9", "9.9"),
        ("10.0", "10.0"),
        ("-0.50", "-0.50"),
        ("0.1234567890123456789012345678901234567890", "0.1234567890123456789012345678901234567890"),
        ("9007199254740993", "9007199254740993"),
        ("123456789012345678901234567890.1", "123456789012345678901234567890.1"),
        # JavaScript writes 0.0000001 like this.
        ("1e-7", "0.0000001"),
        ("1.5E+21", "1500000000000000000000"),
    ],
)
def test_a_number_for_a_decimal_keeps_its_digits_as_the_literal_does(client, number, value):
    assert sent(client, "Decimal", "decimal", number) == {"data": {"decimal": value}}
    assert post(client, f"{{ decimal(n: {number}) }}").json() == {"data": {"decimal": value}}
    assert Number(value) == Number(number)


@pytest.mark.parametrize(
    "number", ["1e30", "1e-61", "1e999999", "1e-999999", "1e99999999999999999999", "9" * 31, "0." + "1" * 61, "true"]
)
def test_a_number_out_of_range_is_no_decimal(client, number):
    errors = sent(client, "Decimal", "decimal", number)["errors"]
    assert [error["extensions"] for error in errors] == [{"code": "graphql_variables", "variable": "n"}]
    assert f"Variable '$n' got invalid value {'True' if number == 'true' else number};" in errors[0]["message"]
    assert errors[0]["locations"] == [{"line": 1, "column": 8}]
    (error,) = post(client, f"{{ decimal(n: {number}) }}").json()["errors"]
    assert error["extensions"] == {"code": "graphql_validation", "argument": "n"}


@pytest.mark.parametrize(("number", "value"), [("7", 7), ("7.0", 7), ("7e2", 700), ("-7.00", -7)])
def test_a_whole_number_may_have_a_point(client, number, value):
    assert sent(client, "Int", "int", number) == {"data": {"int": value}}
    assert sent(client, "ID", "id", number) == {"data": {"id": f"{value}"}}
    assert sent(client, "Float", "float", number) == {"data": {"float": value}}


@pytest.mark.parametrize("number", ["9007199254740993", "-9223372036854775808", "18446744073709551616"])
def test_an_id_keeps_its_digits(client, number):
    assert sent(client, "ID", "id", number) == {"data": {"id": number}}


@pytest.mark.parametrize("number", ["0.5", "9007199254740993.0", "99.99999999999999999999", "1e400"])
def test_a_number_that_would_lose_digits_is_no_id(client, number):
    assert [error["extensions"]["code"] for error in sent(client, "ID", "id", number)["errors"]] == [
        "graphql_variables"
    ]


# --- Errors name their argument and location -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "argument", "column"),
    [
        ('{ decimal(n: "1,5") }', "n", 14),
        ("{ decimal(n: null, m: x) }", "m", 23),
        ('{ int(n: "1") }', "n", 10),
        ('{ length(texts: ["a", 1]) }', "texts", 23),
        ("{ length(filter: {inner: 1}) }", "filter", 26),
        ("{ user @skip(if: 1) }", "if", 18),
    ],
)
def test_an_invalid_literal_is_named_with_its_location(client, query, argument, column):
    (error,) = post(client, query).json()["errors"]
    assert error["extensions"] == {"code": "graphql_validation", "argument": argument}
    assert error["message"].startswith(f"Argument '{argument}' got an invalid value; ")
    assert error["locations"] == [{"line": 1, "column": column}]


def test_an_invalid_default_of_a_variable_is_named_with_its_location(client):
    (error,) = post(client, 'query ($n: Decimal = "x") { decimal(n: $n) }').json()["errors"]
    assert error["extensions"] == {"code": "graphql_validation", "variable": "n"}
    assert error["locations"] == [{"line": 1, "column": 22}]
