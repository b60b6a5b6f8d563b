"""`POST /dsrs/`: permissions, answers, and that a refused file loads nothing."""

import gzip
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from catalogue.models import DSR, RejectedDelivery, UsageLine
from tests import recipes
from tests.catalogue.helpers import ES_JANUARY, HEADER, import_report, line, user_with, without_messages

pytestmark = pytest.mark.django_db

AR_JANUARY = "Spotify_SpotifyDuo_AR_ARS_20200101-20200131.tsv"
ONE_LINE = line("a", "One", "Ana|Eva", "ESABC2000001", "1", "1.50")


@pytest.fixture
def uploader(client):
    """A client of a user who may add and change DSRs."""
    client.force_login(user_with("add_dsr", "change_dsr"))
    return client


def report(name, *lines):
    return SimpleUploadedFile(name, "".join(one + "\r\n" for one in (HEADER, *lines)).encode())


def upload(client, name=ES_JANUARY, *lines, headers=None, **fields):
    return client.post("/dsrs/", {"file": report(name, *lines), **fields}, headers=headers)


def is_nothing_loaded():
    return not DSR.objects.ingested().exists() and not UsageLine.objects.exists()


# --- Outcomes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/dsrs/", "/dsrs"])
def test_a_report_is_loaded(uploader, path):
    lines = (ONE_LINE, line("b", "Two", "", "no isrc", "", "0.25"))
    response = uploader.post(path, {"file": report(ES_JANUARY, *lines)})
    assert response.status_code == 201
    dsr = DSR.objects.get()
    assert response.json() == {
        "outcome": "loaded",
        "dsr": {
            "id": dsr.pk,
            "path": "Spotify_SpotifyFamilyPlan_ES_EUR_20200101-20200131.tsv",
            "period_start": "2020-01-01T00:00:00Z",
            "period_end": "2020-01-31T00:00:00Z",
            "status": "ingested",
            "territory": {"name": "Spain", "code_2": "ES"},
            "currency": {"name": "Euro", "code": "EUR"},
        },
        "line_count": 2,
        "blank_count": 2,
        "warning_count": 1,
        "exchange_rate": "1",
        "rate_method": "euro",
        "rate_source": "",
    }
    assert dsr.imported_by.username == "ada"
    assert [one["dsp_id"] for one in uploader.get(f"/dsrs/{dsr.pk}/lines").json()] == ["a", "b"]


def test_a_compressed_report_is_loaded(uploader):
    packed = SimpleUploadedFile(f"{ES_JANUARY}.gz", gzip.compress(f"{HEADER}\n{ONE_LINE}\n".encode()))
    response = uploader.post("/dsrs/", {"file": packed})
    assert response.status_code == 201
    assert response.json()["line_count"] == 1
    assert response.json()["dsr"]["path"] == f"{ES_JANUARY}.gz"


def test_a_name_that_looks_like_a_known_one_is_a_conflict(uploader):
    upload(uploader, ES_JANUARY, ONE_LINE)
    response = upload(uploader, ES_JANUARY.replace("Spotify_", "spotify_"), ONE_LINE, replace="true")
    assert response.status_code == 409
    answer = response.json()
    assert answer.pop("detail").startswith("The DSP 'spotify' looks like 'Spotify'")
    assert answer == {"code": "name_looks_alike", "kind": "dsp", "name": "spotify", "known": "Spotify"}
    assert DSR.objects.count() == 1


def test_a_report_may_have_no_lines(uploader):
    response = upload(uploader)
    assert response.status_code == 201
    assert response.json()["line_count"] == 0


def test_the_same_content_again_is_a_success_that_changes_nothing(uploader):
    first = upload(uploader, ES_JANUARY, ONE_LINE)
    again = upload(uploader, ES_JANUARY, ONE_LINE)
    assert again.status_code == 200
    assert again.json() == first.json() | {"outcome": "unchanged"}
    assert DSR.objects.count() == 1


@pytest.mark.parametrize("replace", [{}, {"replace": "false"}])
def test_different_content_under_the_same_key_is_refused(uploader, tmp_path, replace):
    dsr = import_report(tmp_path, ES_JANUARY, ONE_LINE)
    response = upload(uploader, ES_JANUARY, line("b"), **replace)
    assert response.status_code == 409
    answer = response.json()
    assert (answer["code"], answer["id"], answer["path"]) == ("dsr_exists", dsr.pk, ES_JANUARY)
    assert answer["detail"].startswith(f"{ES_JANUARY}: DSR {dsr.pk} ")
    assert list(UsageLine.objects.values_list("dsr", "dsp_id")) == [(dsr.pk, "a")]


def test_different_content_replaces_the_dsr_on_request(uploader, tmp_path):
    earlier = import_report(tmp_path, ES_JANUARY, ONE_LINE)
    response = upload(uploader, ES_JANUARY, line("b"), replace="true")
    assert response.status_code == 201
    assert response.json()["outcome"] == "replaced"
    number = response.json()["dsr"]["id"]
    assert number != earlier.pk
    assert [one["id"] for one in uploader.get("/dsrs/").json()] == [number]
    assert [one["dsp_id"] for one in uploader.get(f"/dsrs/{number}/lines").json()] == ["b"]


# --- Declared totals -------------------------------------------------------------------------------------------


def test_a_report_with_the_declared_totals_is_loaded(uploader):
    declared = {"declared_lines": "2", "declared_usages": "3", "declared_revenue": "1.500"}
    for status in (201, 200):
        response = upload(
            uploader, ES_JANUARY, line("a", usages="3", revenue="1"), line("b", revenue="0.5"), **declared
        )
        assert response.status_code == status


def test_a_report_with_other_totals_is_refused(uploader):
    declared = {"declared_lines": "1", "declared_usages": "4", "declared_revenue": "1.5"}
    response = upload(uploader, ES_JANUARY, line("a", usages="3", revenue="1.50"), **declared)
    assert response.status_code == 400
    answer = response.json()
    assert answer["code"] == "report_refused"
    assert without_messages(answer["problems"]) == [{"code": "totals_differ", "value": "usages: 4 declared, 3 found"}]
    assert answer["dsr"] == DSR.objects.failed().get().pk
    assert is_nothing_loaded()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("declared_lines", "-1"),
        ("declared_lines", "1.5"),
        ("declared_usages", "1 000"),
        ("declared_revenue", "1,5"),
        ("declared_revenue", "9" * 31),
    ],
)
def test_what_no_total_can_be_is_named(uploader, name, value):
    response = upload(uploader, ES_JANUARY, ONE_LINE, **{name: value})
    assert response.status_code == 400
    assert [finding["code"] for finding in response.json()[name]] == ["invalid"]
    assert not DSR.objects.exists()


# --- Errors in the report --------------------------------------------------------------------------------------


def test_errors_have_their_location_value_and_code_and_nothing_is_loaded(uploader):
    lines = (ONE_LINE, line("b", usages="1.5", revenue="much"), "c\tshort", line("", isrc="no isrc"))
    response = upload(uploader, ES_JANUARY, *lines)
    assert response.status_code == 400
    failed = DSR.objects.failed().get()
    detail = (
        "4 errors, nothing is loaded. The first: The usages must be a whole number, and have a fraction. "
        "(line 3, column 'usages', value '1.5')"
    )
    answer = response.json()
    answer["problems"] = without_messages(answer["problems"])
    assert answer == {
        "detail": f"{ES_JANUARY}: {detail}",
        "code": "report_refused",
        "error_count": 4,
        "warning_count": 1,
        "problems": [
            {"code": "not_an_integer", "line": 3, "column": "usages", "value": "1.5"},
            {"code": "not_a_number", "line": 3, "column": "revenue", "value": "much"},
            {"code": "wrong_cell_count", "line": 4, "value": "2"},
            {"code": "dsp_id_missing", "line": 5, "column": "dsp_id", "value": ""},
            {"code": "isrc_invalid", "line": 5, "column": "isrc", "value": "no isrc"},
        ],
        "dsr": failed.pk,
    }
    assert is_nothing_loaded()
    assert uploader.get(f"/dsrs/{failed.pk}").json()["status"] == "failed"
    assert failed.imported_by.username == "ada"


def test_an_empty_file_has_no_header(uploader):
    response = uploader.post("/dsrs/", {"file": SimpleUploadedFile(ES_JANUARY, b"")})
    assert response.status_code == 400
    assert without_messages(response.json()["problems"]) == [{"code": "header_missing", "line": 1}]
    assert is_nothing_loaded()


def test_a_truncated_file_is_refused(uploader):
    packed = gzip.compress(f"{HEADER}\n{ONE_LINE}\n".encode())
    response = uploader.post("/dsrs/", {"file": SimpleUploadedFile(f"{ES_JANUARY}.gz", packed[:-9])})
    assert response.status_code == 400
    assert [problem["code"] for problem in response.json()["problems"]] == ["gzip_truncated"]
    assert is_nothing_loaded()


def test_without_an_exchange_rate_a_report_is_refused(uploader):
    response = upload(uploader, AR_JANUARY, ONE_LINE)
    assert response.status_code == 400
    assert without_messages(response.json()["problems"]) == [{"code": "exchange_rate_missing", "value": "ARS"}]
    assert is_nothing_loaded()


def test_a_failed_replacement_leaves_the_earlier_dsr_unchanged(uploader, tmp_path):
    dsr = import_report(tmp_path, ES_JANUARY, ONE_LINE)
    response = upload(uploader, ES_JANUARY, line("b", usages="x"), replace="true")
    assert response.status_code == 400
    assert [(one["id"], one["status"]) for one in uploader.get("/dsrs/").json()] == [
        (dsr.pk, "ingested"),
        (response.json()["dsr"], "failed"),
    ]
    assert [one["dsp_id"] for one in uploader.get(f"/dsrs/{dsr.pk}/lines").json()] == ["a"]


@pytest.mark.parametrize(
    "name",
    ["report.tsv", "Spotify_Duo_QQ_EUR_20200101-20200131.tsv", "Spotify_Duo_ES_EUR_20200230-20200331.tsv", "a\nb"],
)
def test_an_invalid_name_is_a_rejected_delivery(uploader, name):
    response = upload(uploader, name, ONE_LINE)
    assert response.status_code == 400
    assert response.json()["code"] == "invalid_report_name"
    assert not DSR.objects.exists()
    assert RejectedDelivery.objects.get().delivered_by.username == "ada"
    assert uploader.get("/dsrs/").json() == []


def test_folders_in_the_name_are_removed(uploader):
    disposition = f'Content-Disposition: form-data; name="file"; filename="../../etc/{ES_JANUARY}"'
    body = f"--b\r\n{disposition}\r\n\r\n{HEADER}\n\r\n--b--"
    response = uploader.post("/dsrs/", body, content_type="multipart/form-data; boundary=b")
    assert response.json()["dsr"]["path"] == ES_JANUARY


# --- The form --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "name", "code"),
    [
        ({}, "file", "required"),
        ({"file": ""}, "file", "invalid"),
        ({"file": "a\tb"}, "file", "invalid"),
        ({"file": [report(ES_JANUARY), report(ES_JANUARY)]}, "file", "repeated"),
        ({"file": report(ES_JANUARY), "replace": "maybe"}, "replace", "invalid"),
        ({"file": report(ES_JANUARY), "replace": ""}, "replace", "invalid"),
        ({"file": report(ES_JANUARY), "replace": ["true", "false"]}, "replace", "repeated"),
        ({"file": report(ES_JANUARY), "path": "/etc/passwd"}, "path", "unknown"),
        ({"file": report(ES_JANUARY), "report": report(ES_JANUARY)}, "report", "unknown"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_loaded(uploader, fields, name, code):
    response = uploader.post("/dsrs/", fields)
    assert response.status_code == 400
    assert {name: [finding["code"] for finding in found] for name, found in response.json().items()} == {name: [code]}
    assert not DSR.objects.exists()


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("multipart/form-data", b"--b--", 400, "parse_error"),
        ("multipart/form-data; boundary=b", b"not the boundary", 400, None),
        ("multipart/form-data; boundary=b", b"", 400, None),
        ("application/json", b'{"file": "a"}', 415, "unsupported_media_type"),
        ("text/tab-separated-values", HEADER.encode(), 415, "unsupported_media_type"),
        ("application/x-www-form-urlencoded", b"file=a", 415, "unsupported_media_type"),
    ],
)
def test_a_body_that_is_not_a_form_with_a_file_is_refused(uploader, content_type, body, status, code):
    response = uploader.post("/dsrs/", body, content_type=content_type)
    assert response.status_code == status
    if code:
        assert response.json()["code"] == code
    else:
        assert response.json() == {"file": [{"message": "No file was submitted.", "code": "required"}]}
    assert not DSR.objects.exists()


def test_a_request_without_a_body_is_refused(uploader):
    response = uploader.generic("POST", "/dsrs/")
    assert response.status_code == 400
    assert response.json() == {"file": [{"message": "No file was submitted.", "code": "required"}]}


# --- Size ------------------------------------------------------------------------------------------------------


def test_a_file_over_the_limit_is_too_large(uploader, settings):
    settings.DSRHUB_UPLOAD_LIMIT_BYTES = len(HEADER) + len(ONE_LINE) + 4
    response = upload(uploader, ES_JANUARY, ONE_LINE + "0")
    assert response.status_code == 413
    limit = settings.DSRHUB_UPLOAD_LIMIT_BYTES
    assert response.json() == {"detail": f"The file is larger than {limit} bytes.", "code": "too_large"}
    assert not DSR.objects.exists()
    assert upload(uploader, ES_JANUARY, ONE_LINE).status_code == 201


def test_a_body_far_over_the_limit_is_refused_before_it_is_read(uploader, settings, monkeypatch):
    def read(*arguments):
        pytest.fail("the body was read")

    monkeypatch.setattr("django.core.handlers.wsgi.LimitedStream.read", read)
    settings.DSRHUB_UPLOAD_LIMIT_BYTES = 1000
    response = upload(uploader, ES_JANUARY, *[ONE_LINE] * 5000)
    assert response.status_code == 413
    assert response.json() == {"detail": "The request may have at most 66536 bytes.", "code": "too_large"}


def test_unpacked_content_over_the_limit_is_refused_while_it_is_read(uploader, settings):
    content = f"{HEADER}\n{ONE_LINE}\n"
    settings.DSRHUB_UPLOAD_UNPACKED_LIMIT_BYTES = len(content)
    bomb = gzip.compress((content + ONE_LINE * 1_000_000).encode())
    response = uploader.post("/dsrs/", {"file": SimpleUploadedFile(f"{ES_JANUARY}.gz", bomb)})
    assert response.status_code == 400
    problem = {"code": "unpacked_too_large", "value": f"more than {len(content)} bytes"}
    assert without_messages(response.json()["problems"]) == [problem]
    assert is_nothing_loaded()
    fitting = SimpleUploadedFile(f"{ES_JANUARY}.gz", gzip.compress(content.encode()))
    assert uploader.post("/dsrs/", {"file": fitting}).status_code == 201


def test_a_huge_field_is_refused(uploader):
    response = upload(uploader, ES_JANUARY, ONE_LINE, replace="x" * 3_000_000)
    assert response.status_code == 413
    assert response.json()["code"] == "too_large"
    assert not DSR.objects.exists()


def test_a_form_with_too_many_fields_is_refused(uploader):
    response = upload(uploader, ES_JANUARY, ONE_LINE, **{f"f{number}": "" for number in range(1001)})
    assert response.status_code == 400
    assert response.json()["code"] == "parse_error"
    assert not DSR.objects.exists()


def test_the_temporary_file_of_an_upload_is_removed(uploader, settings, tmp_path):
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    assert upload(uploader, ES_JANUARY, ONE_LINE).status_code == 201
    assert list(Path(tmp_path).iterdir()) == []


# --- Permissions -----------------------------------------------------------------------------------------------


def test_anonymous_users_may_not_upload(client):
    response = upload(client, ES_JANUARY, ONE_LINE)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Token"
    assert not DSR.objects.exists()


def test_users_who_may_not_add_dsrs_may_not_upload(client):
    client.force_login(user_with("change_dsr", "delete_dsr", "view_dsr"))
    response = upload(client, ES_JANUARY, ONE_LINE)
    assert response.status_code == 403
    assert response.json()["code"] == "permission_denied"
    assert not DSR.objects.exists()


def test_users_who_may_not_change_dsrs_may_not_replace_them(client, tmp_path):
    dsr = import_report(tmp_path, ES_JANUARY, ONE_LINE)
    client.force_login(user_with("add_dsr"))
    response = upload(client, ES_JANUARY, line("b"), replace="true")
    assert response.status_code == 403
    assert [one["id"] for one in client.get("/dsrs/").json()] == [dsr.pk]
    assert upload(client, ES_JANUARY, ONE_LINE).status_code == 200


@pytest.mark.parametrize("path", ["/dsrs/", "/dsrs"])
def test_a_token_is_enough(path):
    token = recipes.token.make(user=user_with("add_dsr")).key
    client = Client(enforce_csrf_checks=True)
    headers = {"Authorization": f"Token {token}"}
    assert client.post(path, {"file": report(ES_JANUARY, ONE_LINE)}, headers=headers).status_code == 201
    assert DSR.objects.get().imported_by.username == "ada"


@pytest.mark.parametrize("authorization", ["Token wrong", "Token", "Token a b", "Token \u00fc"])
def test_a_wrong_token_is_refused(client, authorization):
    response = upload(client, ES_JANUARY, ONE_LINE, headers={"Authorization": authorization.encode().decode("latin-1")})
    assert response.status_code == 401
    assert response.json()["code"] == "authentication_failed"
    assert not DSR.objects.exists()


def test_a_session_needs_its_csrf_token_to_upload():
    client = Client(enforce_csrf_checks=True)
    client.force_login(user_with("add_dsr"))
    client.get("/docs/?script=")
    csrf = client.cookies["csrftoken"].value
    refused = upload(client, ES_JANUARY, ONE_LINE)
    assert refused.status_code == 403
    assert refused.json() == {"detail": "CSRF Failed: CSRF token missing.", "code": "permission_denied"}
    assert not DSR.objects.exists()
    assert upload(client, ES_JANUARY, ONE_LINE, headers={"X-CSRFToken": "0" * 32}).status_code == 403
    assert upload(client, ES_JANUARY, ONE_LINE, headers={"X-CSRFToken": csrf}).status_code == 201
