"""The OpenAPI document matches the contract, and the application matches the document."""

import io
import re
from html import unescape
from threading import BoundedSemaphore

import pytest
import schemathesis
import yaml
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test.utils import override_script_prefix
from hypothesis import settings
from markdown_it import MarkdownIt
from openapi_spec_validator import validate
from playwright.sync_api import expect
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from werkzeug import Client as WSGIClient

from dsrhub.http.bodies import BoundedBody
from dsrhub.wsgi import application
from graphql_schema.schema import schema
from tests import recipes
from tests.catalogue import recipes as catalogue_recipes
from tests.catalogue.helpers import ES_JANUARY, HEADER, NO_JANUARY, import_report, line
from tests.catalogue.sample_message import dsr_of, import_message

DOCUMENT = schemathesis.openapi.from_wsgi("/openapi.yaml", application, config=schemathesis.Config(seed=1))
few_examples = settings(max_examples=10)


@pytest.fixture
def document(client):
    response = client.get("/openapi.yaml", headers={"host": "localhost:8000"})
    assert response.status_code == 200
    return yaml.safe_load(response.content)


# --- The document ----------------------------------------------------------------------------------------------

# The contract: properties without `?` are required.
DSR = {
    "id": "integer",
    "path": "string",
    "period_start": "string date-time",
    "period_end": "string date-time",
    "status": "string failed|ingested",
    "territory": {"name": "string", "code_2": "string"},
    "currency": {"name": "string", "code": "string"},
}
RESOURCE = {
    "dsp_id": "string",
    "title?": "string",
    "artists?": "string",
    "isrc?": "string",
    "usages?": "integer int64",
    "revenue?": "number double",
    "dsrs?": ["integer"],
}


def facts(document, schema):
    """Return a schema in the notation of the contract."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].removeprefix("#/components/schemas/")]
    assert "nullable" not in schema
    if schema["type"] == "array":
        return [facts(document, schema["items"])]
    if schema["type"] == "object":
        marks = {name: "" if name in schema["required"] else "?" for name in schema["properties"]}
        return {name + marks[name]: facts(document, part) for name, part in schema["properties"].items()}
    return " ".join(filter(None, [schema["type"], schema.get("format"), "|".join(sorted(schema.get("enum", [])))]))


def parameters(document, path):
    return {
        (one["in"], one["name"]): (facts(document, one["schema"]), one.get("required", False))
        for one in document["paths"][path]["get"]["parameters"]
    }


def answer(document, path, status="200"):
    ((media_type, content),) = document["paths"][path]["get"]["responses"][status]["content"].items()
    assert media_type == "application/json"
    return facts(document, content["schema"])


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html,application/xhtml+xml"])
@pytest.mark.parametrize("path", ["/openapi.yaml", "/openapi.json"])
def test_it_is_served_for_every_accept_header(client, path, accept):
    assert client.get(path, headers={"accept": accept}).status_code == 200


def test_it_is_the_same_as_json(client, document):
    response = client.get("/openapi.json", headers={"host": "localhost:8000"})
    assert response["Content-Type"] == "application/vnd.oai.openapi+json"
    assert response.json() == document


def test_it_is_a_valid_document_of_openapi_3(document):
    validate(document)
    assert document["openapi"].startswith("3.")


def test_it_has_the_title_server_and_tags_of_the_contract(document):
    assert document["info"]["title"] == "DSR API"
    assert document["servers"] == [{"url": "http://localhost:8000/"}]
    assert {"dsrs", "resources"} <= {tag["name"] for tag in document["tags"]}


def operations(document):
    """Each operation, by its method and path."""
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


SCHEMES = [{"token": []}, {"session": []}]


def test_it_has_the_schemes_by_which_a_client_signs_in(document):
    schemes = document["components"]["securitySchemes"]
    assert schemes.keys() == {"token", "session"}
    # RFC 6750 and RFC 6265. Generated clients send `Bearer`.
    assert (schemes["token"]["type"], schemes["token"]["scheme"]) == ("http", "bearer")
    assert [schemes["session"][name] for name in ("type", "in", "name")] == ["apiKey", "cookie", "sessionid"]
    assert "security" not in document


def test_reads_need_no_scheme_and_writes_need_one(document):
    reads = {at for at in operations(document) if at[0] == "get"} | {("post", "/dsrs/{id}/totals/")}
    needed = {
        at: [{}, *SCHEMES] if at in reads else SCHEMES for at in operations(document) if at != ("post", "/token/")
    }
    assert {at: one["security"] for at, one in operations(document).items() if "security" in one} == needed


def test_closed_reads_need_a_scheme(client, settings):
    settings.DSRHUB_PRIVATE = True
    found = operations(client.get("/openapi.json").json())
    assert all(one["security"] == SCHEMES for at, one in found.items() if at != ("post", "/token/"))


def test_no_answer_has_two_types(document):
    media_types = {
        (*at, status): list(answer.get("content", {}))
        for at, operation in operations(document).items()
        for status, answer in operation["responses"].items()
    }
    assert [at for at, found in media_types.items() if len(found) > 1] == []
    exports = {at for at, found in media_types.items() if found == ["text/csv"]}
    assert exports == {("get", path, "200") for path in document["paths"] if path.endswith(".csv")}
    assert len(exports) == 4


def test_the_dsrs_are_as_in_the_contract(document):
    assert document["paths"]["/dsrs/"]["get"]["tags"] == ["dsrs"]
    assert answer(document, "/dsrs/") == [DSR]
    assert not any(required for _, required in parameters(document, "/dsrs/").values())


def test_a_dsr_is_as_in_the_contract(document):
    assert document["paths"]["/dsrs/{id}"]["get"]["tags"] == ["dsrs"]
    assert parameters(document, "/dsrs/{id}") == {("path", "id"): ("integer", True)}
    assert answer(document, "/dsrs/{id}") == DSR
    assert answer(document, "/dsrs/{id}", "404")["detail"] == "string"


def test_the_top_percentile_is_as_in_the_contract(document):
    path = "/resources/percentile/{number}"
    assert document["paths"][path]["get"]["tags"] == ["resources"]
    assert parameters(document, path) == {
        ("path", "number"): ("integer", True),
        ("query", "territory"): ("string", False),
        ("query", "period_start"): ("string date-time", False),
        ("query", "period_end"): ("string date-time", False),
    }
    (number,) = [one for one in document["paths"][path]["get"]["parameters"] if one["name"] == "number"]
    assert (number["schema"]["minimum"], number["schema"]["maximum"]) == (1, 100)
    assert answer(document, path) == [RESOURCE]
    assert "400" in document["paths"][path]["get"]["responses"]


# Numbers that may exceed 2^31, so that generated clients give them 64 bits.
COUNTERS = {
    "Resource": ["usages"],
    "UsageLine": ["line", "usages"],
    "Problem": ["id", "line"],
    "ImportedDSR": ["line_count", "blank_count", "warning_count"],
    "Refusal": ["error_count", "warning_count"],
    "SubscriptionOverPrice": ["subscription_id"],
    "Subscription": ["id"],
    "CarrierUsage": ["subscription_count", "total_usage"],
    "UsageTotal": ["subscription_id", "total_usage"],
    "PriceLimit": ["id", "subscription"],
    "LimitCrossing": ["id", "subscription_id"],
    "WebhookDelivery": ["id"],
}


def test_counters_have_64_bits(document):
    schemas = document["components"]["schemas"]
    formats = {
        (name, counter): schemas[name]["properties"][counter].get("format")
        for name, counters in COUNTERS.items()
        for counter in counters
    }
    assert set(formats.values()) == {"int64"}, formats
    (subscription,) = [
        one for one in document["paths"]["/subscriptions/{id}/usage/"]["get"]["parameters"] if one["name"] == "id"
    ]
    assert subscription["schema"] == {"type": "integer", "format": "int64"}


def test_the_parameter_of_exact_numbers_is_described_in_words(document):
    # As a parameter of the document, it would make a union of the types of each number.
    operations = [path["get"] for path in document["paths"].values() if "get" in path]
    described = {one["operationId"] for one in operations if "`exact=true`" in one["description"]}
    assert described == {
        "dsrs_lines",
        "dsrs_problems",
        "resources_percentile",
        "statistics_list",
        "statistics_comparison",
        "artists_list",
        "resources_identification",
        "resources_same_isrc",
        "subscriptions_over_limit",
        "subscriptions_usage",
        "subscriptions_usage_of_one",
        "subscriptions_usage_of_carriers",
        "subscriptions_list",
        "subscriptions_limits",
        "subscriptions_crossings",
    }
    parameters = {one["operationId"]: {given["name"] for given in one.get("parameters", ())} for one in operations}
    assert [name for name, names in parameters.items() if "exact" in names] == []


def test_it_has_every_endpoint_once(document):
    endpoints = {path: set(methods) for path, methods in document["paths"].items()}
    assert (
        endpoints.items()
        >= {
            "/dsrs/": {"get", "post"},
            "/dsrs/{id}": {"get", "delete"},
            "/dsrs/{id}/lines": {"get"},
            "/dsrs/{id}/problems": {"get"},
            "/imports/{id}": {"get", "delete"},
            "/dsrs/{id}/details": {"get"},
            "/artists/": {"get"},
            "/coverage/": {"get"},
            "/statistics/": {"get"},
            "/statistics/comparison/": {"get"},
            "/dsrs/{id}/use-types": {"get"},
            "/dsrs/{id}/totals/": {"post"},
            "/messages/": {"get"},
            "/messages/{id}": {"get", "delete"},
            "/messages/{id}/problems": {"get"},
            "/resources/identification/": {"get"},
            "/resources/percentile/{number}": {"get"},
            "/resources/same-isrc/": {"get"},
            "/subscriptions/": {"get", "post"},
            "/subscriptions/{id}/": {"get", "patch"},
            "/subscriptions/usage/carriers/": {"get"},
            "/subscriptions/records/": {"post"},
            "/subscriptions/limits/": {"get", "post"},
            "/subscriptions/limits/{id}/": {"delete"},
            "/subscriptions/crossings/": {"get"},
            "/webhooks/": {"get", "post"},
            "/webhooks/{id}/": {"get", "patch", "delete"},
            "/webhooks/{id}/rotate/": {"post"},
            "/webhooks/{id}/test/": {"post"},
            "/webhooks/{id}/deliveries/": {"get"},
            "/webhooks/{id}/deliveries/{delivery}/resend/": {"post"},
            "/token/": {"post"},
        }.items()
    )
    assert len({path.rstrip("/") for path in endpoints}) == len(endpoints)


def test_every_operation_has_a_summary_of_its_own(document):
    summaries = [operation.get("summary", "") for operation in operations(document).values()]
    # The specification allows no Markdown in them.
    assert [one for one in summaries if not re.fullmatch("[A-Z][A-Za-z -]{5,60}", one)] == []
    assert len(set(summaries)) == len(summaries)


def descriptions(value):
    """Every description in a part of the document. The properties of a schema may have this name, too."""
    if isinstance(value, list):
        for part in value:
            yield from descriptions(part)
    elif isinstance(value, dict):
        if isinstance(value.get("description"), str):
            yield value["description"]
        for part in value.values():
            yield from descriptions(part)


def descriptions_of_graphql():
    for kind in schema.graphql_schema.type_map.values():
        yield kind.description
        for field in getattr(kind, "fields", {}).values():
            yield field.description
            yield from (argument.description for argument in getattr(field, "args", {}).values())
        yield from (value.description for value in getattr(kind, "values", {}).values())


def shown(markdown):
    """The characters that a reader of Markdown (CommonMark) sees."""
    return re.sub(r"\s", "", unescape(re.sub("<[^>]+>", "", MarkdownIt().render(markdown))))


def test_markdown_takes_no_character_from_a_description(document):
    """Only code and links may be marked up. Elsewhere, `_`, `*` and `<` would be read as markup."""
    texts = {*descriptions(document), *filter(None, descriptions_of_graphql())}
    assert len(texts) > 100
    written = {text: re.sub(r"[`\s]|\[(.+?)\]\(https://.+?\)", r"\1", text) for text in texts}
    assert [text for text in texts if shown(text) != written[text]] == []


# --- The application -------------------------------------------------------------------------------------------


@pytest.fixture
def app(db):
    """A WSGI client of the application that works in the transaction of the test."""
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield WSGIClient(application)
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


@pytest.fixture
def headers(db, settings):
    settings.DSRHUB_SIGN_IN_FAILURES = 1000  # the checks of a document send invalid keys
    return {"Authorization": f"Token {recipes.token.make(user=recipes.superuser.make()).key}"}


# The WSGI client unpacks no answers.
PLAIN = {"Accept-Encoding": "identity"}


# A separate run tests subscriptions: it knows rules for their parameters that no schema can express.
@DOCUMENT.include(method="GET").exclude(path_regex="^/subscriptions/").parametrize()
@few_examples
def test_reads_match_the_document(case, app):
    # No schema can say that a period may not end before it starts. The contract has an answer to that, we refuse it.
    is_ours = case.operation.path in (
        *("/artists/", "/coverage/", "/statistics/", "/statistics/comparison/"),
        *("/resources/identification/", "/resources/same-isrc/"),
    )
    case.call_and_validate(headers=PLAIN, excluded_checks=[positive_data_acceptance] if is_ours else [])


@DOCUMENT.exclude(method="GET").parametrize()
@few_examples
def test_writes_match_the_document(case, app, headers):
    # No schema can express what a valid report or password is, so the application refuses much that looks valid.
    excluded = [positive_data_acceptance]
    if case.operation.path == "/subscriptions/records/":
        # It takes numbers as texts and as numbers, and with `partial` it answers what became of wrong records.
        excluded.append(negative_data_rejection)
    case.call_and_validate(headers=headers | PLAIN, excluded_checks=excluded)


def is_documented(response, status, path):
    """Assert that an answer has this status, and that the document describes it."""
    method = response.request.method
    assert (response.status_code, response.text) == (status, response.text)
    assert str(status) in DOCUMENT.raw_schema["paths"][path][method.lower()]["responses"]
    DOCUMENT[path][method].validate_response(response)
    return True


def test_answers_with_content_match_the_document(app, tmp_path):
    lines = (line("a", "One", "Ana", "ESABC2000001", "5", "0.5"), line("b", isrc="x"))
    number = import_report(tmp_path, ES_JANUARY, *lines).pk
    import_report(tmp_path, NO_JANUARY, line("b", revenue="1"))
    for path, count in [
        ("/dsrs/", 2),
        ("/dsrs/{id}", len(DSR)),
        ("/dsrs/{id}/lines", 2),
        ("/dsrs/{id}/problems", 1),
        ("/resources/percentile/{number}", 2),
    ]:
        response = app.get(path.format(id=number, number=100))
        assert len(response.json) == count
        assert is_documented(response, 200, path)


@pytest.mark.parametrize("query", ["by=dsp", "by=recording&percentile=100", "by=recording&percentile=100&show=gone"])
def test_comparisons_match_the_document(app, tmp_path, query):
    import_report(tmp_path, ES_JANUARY, line("a", usages="5", revenue="0.5"), line("gone", revenue="0.5"))
    import_report(
        tmp_path, ES_JANUARY.replace("202001", "202003"), line("a", "One", revenue="1"), line("new", revenue="1")
    )
    response = app.get(f"/statistics/comparison/?period=2020-03&with=2020-01&{query}")
    assert len(response.json) in (1, 2)
    assert is_documented(response, 200, "/statistics/comparison/")


def test_answers_about_a_message_match_the_document(app, headers, tmp_path):
    message = import_message(tmp_path)
    number = dsr_of(message, "1").pk
    for path, count in [
        ("/messages/", 1),
        ("/messages/{id}", 15),
        ("/messages/{id}/problems", 3),
    ]:
        response = app.get(path.format(id=message.pk))
        assert len(response.json) == count
        assert is_documented(response, 200, path)
    for path, count in [("/dsrs/{id}", len(DSR)), ("/dsrs/{id}/lines", 4), ("/dsrs/{id}/use-types", 2)]:
        response = app.get(path.format(id=number))
        assert len(response.json) == count
        assert is_documented(response, 200, path)
    assert is_documented(app.get(f"/dsrs/{number}/details"), 200, "/dsrs/{id}/details")
    report = import_report(tmp_path, ES_JANUARY, line("a"))
    assert is_documented(app.get(f"/dsrs/{report.pk}/details"), 200, "/dsrs/{id}/details")
    assert is_documented(app.delete(f"/messages/{message.pk}", headers=headers), 204, "/messages/{id}")
    assert is_documented(app.delete(f"/messages/{message.pk}", headers=headers), 404, "/messages/{id}")


def test_outcomes_of_an_upload_match_the_document(app, headers):
    def upload(*lines, **fields):
        content = "\n".join((HEADER, *lines, "")).encode()
        return app.post("/dsrs/", data={"file": (io.BytesIO(content), ES_JANUARY), **fields}, headers=headers)

    loaded = upload(line("a"))
    assert is_documented(loaded, 201, "/dsrs/")
    assert is_documented(upload(line("a")), 200, "/dsrs/")
    assert is_documented(upload(line("b"), line("c")), 409, "/dsrs/")
    assert is_documented(upload(line("", isrc="x"), "b", replace="1"), 400, "/dsrs/")
    assert is_documented(upload(replace="maybe"), 400, "/dsrs/")
    number = loaded.json["dsr"]["id"]
    assert is_documented(app.delete(f"/dsrs/{number}", headers=headers), 204, "/dsrs/{id}")
    assert is_documented(app.delete(f"/dsrs/{number}", headers=headers), 404, "/dsrs/{id}")


def test_answers_about_declared_totals_match_the_document(app, settings, tmp_path):
    path = "/dsrs/{id}/totals/"
    number = import_report(tmp_path, ES_JANUARY, line("a", usages="5")).pk

    def compared(body, number=number, **options):
        return app.post(path.format(id=number), json=body, headers=PLAIN, **options)

    assert is_documented(compared({"lines": "1", "usages": "4", "revenue": "-0.5"}), 200, path)
    assert is_documented(compared({"lines": "1"}), 200, path)
    assert is_documented(compared({}), 400, path)
    assert is_documented(compared([]), 400, path)
    assert is_documented(compared({"lines": "1"}, number + 1), 404, path)
    assert is_documented(compared({"lines": "1"}, catalogue_recipes.failed_dsr.make().pk), 409, path)
    assert is_documented(app.post(path.format(id=number), data="lines: 1", content_type="text/yaml"), 415, path)
    assert is_documented(compared({"lines": "1" * 70_000}), 413, path)
    settings.DSRHUB_PRIVATE = True
    assert is_documented(compared({"lines": "1"}), 401, path)


def test_refusals_without_permission_match_the_document(app, headers, settings):
    as_bob = {"Authorization": f"Token {recipes.token.make().key}"}
    for path, method in [("/dsrs/", "POST"), ("/dsrs/{id}", "DELETE"), ("/messages/{id}", "DELETE")]:
        assert is_documented(app.open(path.format(id=1), method=method), 401, path)
        assert is_documented(app.open(path.format(id=1), method=method, headers=as_bob), 403, path)
    settings.DSRHUB_PRIVATE = True
    of_dsrs = (
        "/dsrs/",
        "/dsrs/{id}",
        *(f"/dsrs/{{id}}/{part}" for part in ("lines", "problems", "details", "use-types")),
    )
    of_messages = ("/messages/", "/messages/{id}", "/messages/{id}/problems")
    for path in (*of_dsrs, *of_messages, "/resources/percentile/{number}"):
        assert is_documented(app.get(path.format(id=1, number=100)), 401, path)


@pytest.mark.parametrize("path", ["/dsrs/", "/token/"])
def test_refusals_of_a_body_match_the_document(app, headers, settings, path):
    settings.DSRHUB_UPLOAD_LIMIT_BYTES = 1
    large = {"file": (io.BytesIO(b"a" * 70_000), ES_JANUARY)}
    assert is_documented(app.post(path, data=b"a", content_type="text/plain", headers=headers), 415, path)
    assert is_documented(app.post(path, data=large, headers=headers), 413, path)
    chunked = headers | {"Transfer-Encoding": "chunked"}
    assert is_documented(app.post(path, headers=chunked), 411, path)


def test_an_upload_beside_too_many_others_matches_the_document(app, headers, monkeypatch):
    monkeypatch.setattr(BoundedBody, "_slots", BoundedSemaphore(1))
    assert BoundedBody._slots.acquire()
    response = app.post("/dsrs/", data={"file": (io.BytesIO(b"a" * 70_000), ES_JANUARY)}, headers=headers)
    assert is_documented(response, 503, "/dsrs/")
    assert response.headers["Retry-After"] == "10"


def test_it_names_the_server_that_it_was_requested_from(client, settings):
    def server(**headers):
        response = client.get("/openapi.yaml", headers=headers)
        return yaml.safe_load(response.content)["servers"] if response.status_code == 200 else response.status_code

    assert server(host="127.0.0.1:9000") == [{"url": "http://127.0.0.1:9000/"}]
    assert server(host="localhost", x_forwarded_proto="https", x_forwarded_host="a") == [{"url": "http://localhost/"}]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert server(host="localhost", x_forwarded_proto="https") == [{"url": "https://localhost/"}]
    settings.SECURE_PROXY_SSL_HEADER = None
    assert server(host="elsewhere.example") == 400
    with override_script_prefix("/dsr/"):
        assert server(host="localhost") == [{"url": "http://localhost/dsr/"}]


def test_a_document_that_a_command_writes_names_the_server_of_the_readme(tmp_path):
    call_command("spectacular", file=str(tmp_path / "openapi.yaml"))
    document = yaml.safe_load((tmp_path / "openapi.yaml").read_text())
    assert document["servers"] == [{"url": "http://localhost:8000/"}]


# --- Swagger UI ------------------------------------------------------------------------------------------------


def try_out(page, operation_id, number):
    """Open and execute the operation of a DSR in Swagger UI."""
    operation = page.locator(f"#operations-dsrs-{operation_id}")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_placeholder("id").fill(str(number))
    operation.get_by_role("button", name="Execute").click()
    return operation


def expect_status(operation, status):
    expect(operation.locator(".live-responses-table .response-col_status")).to_have_text(["Code", status])


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_swagger_ui_shows_it_and_sends_requests_to_its_own_server(page, live_server, tmp_path):
    number = import_report(tmp_path, ES_JANUARY, line("a", "Canción", revenue="0.5")).pk
    page.goto(f"{live_server.url}/docs/")
    operation = try_out(page, "dsrs_lines", number)
    expect(page.locator("h1")).to_contain_text("DSR API")
    expect(page.locator("#operations-tag-resources")).to_be_visible()
    expect_status(operation, "200")
    address = f"{live_server.url}/dsrs/{number}/lines?limit=1000"
    expect(operation.locator(".request-url pre")).to_have_text(address)
    expect(operation.locator(".live-responses-table")).to_contain_text('"title": "Canción"')


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_in_swagger_ui_a_token_may_write(client, live_server, page, tmp_path):
    number = import_report(tmp_path, ES_JANUARY, line("a")).pk
    page.goto(f"{live_server.url}/docs/")
    page.get_by_role("button", name="Authorize").click()
    page.get_by_label("auth-bearer-value").fill(recipes.token.make(user=recipes.superuser.make()).key)
    page.locator("form").filter(has_text="bearer").get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close").first.click()
    expect_status(try_out(page, "dsrs_delete", number), "204")
    assert client.get("/dsrs/").json() == []


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_in_swagger_ui_a_session_may_write(client, live_server, page, tmp_path):
    number = import_report(tmp_path, ES_JANUARY, line("a")).pk
    client.force_login(recipes.superuser.make())
    session = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    page.context.add_cookies([session])
    page.goto(f"{live_server.url}/docs/")
    expect_status(try_out(page, "dsrs_delete", number), "204")
    assert client.get("/dsrs/").json() == []
