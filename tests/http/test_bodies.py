"""A large body is read only if its sender may upload a file to its address. Nothing of other large bodies is stored."""

import gzip
import io
from threading import BoundedSemaphore

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import resolve

from catalogue.models import DSR
from dsrhub import gunicorn
from dsrhub.http.bodies import FORM_OVERHEAD, LARGE_BODIES_AT_ONCE, RECORDS_AT_ONCE, SMALL_BODY, BoundedBody
from tests.catalogue.helpers import ES_JANUARY, HEADER, line
from tests.test_access import ADMIN_ROUTES, OTHER_ROUTES, address, client_of

pytestmark = pytest.mark.django_db

FORM = "multipart/form-data; boundary=b"
TYPES = [FORM, "application/x-www-form-urlencoded", "application/json"]
REST_UPLOAD = "/dsrs/"
ADMIN_UPLOADS = {
    "/admin/catalogue/dsr/import/": "catalogue.import_dsr",
    "/admin/subscriptions/datausagerecord/import/": "subscriptions.import_datausagerecord",
    "/admin/subscriptions/voiceusagerecord/import/": "subscriptions.import_voiceusagerecord",
}


class Unreadable(io.RawIOBase):
    def read(self, size=-1):
        pytest.fail("the body was read")


class Read(Exception):
    pass


class Noted(io.RawIOBase):
    """Raises an error when it is read, as the rest of the body does not matter."""

    def read(self, size=-1):
        raise Read


def send(client, path, length, *, stream, content_type=FORM):
    """Send a body of which the server has received nothing yet. A cookie makes the server look for a CSRF token."""
    client.cookies["csrftoken"] = "a" * 32
    extra = {"wsgi.input": stream, "CONTENT_LENGTH": str(length), "CONTENT_TYPE": content_type}
    return client.generic("POST", path, **extra)


def is_read(client, path, length, **options):
    try:
        send(client, path, length, stream=Noted(), **options)
    except Read:
        return True
    return False


@pytest.mark.parametrize(("content_type", "private"), [*zip(TYPES, [False, True, False], strict=True)])
def test_no_route_reads_a_large_body_of_a_stranger(settings, private, content_type):
    settings.DSRHUB_PRIVATE = private
    client = Client(enforce_csrf_checks=True)
    for route in OTHER_ROUTES + ADMIN_ROUTES:
        response = send(client, address(route), SMALL_BODY + 1, stream=Unreadable(), content_type=content_type)
        assert 400 <= response.status_code < 500, route


@pytest.mark.parametrize("kind", ["signed_in", "staff", "token"])
def test_no_route_reads_a_huge_body_without_the_permission(settings, kind):
    client = client_of(kind)
    client.handler.enforce_csrf_checks = True
    for route in OTHER_ROUTES + ADMIN_ROUTES:
        length = settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1
        send(client, address(route), length, stream=Unreadable())


@pytest.mark.parametrize("kind", ["token", "staff"])
def test_only_addresses_of_uploads_read_a_huge_body(settings, kind):
    allowed = {REST_UPLOAD: "catalogue.add_dsr"} if kind == "token" else ADMIN_UPLOADS
    huge = settings.DSRHUB_UPLOAD_LIMIT_BYTES + FORM_OVERHEAD
    for path, permission in allowed.items():
        client = client_of(kind, permission)
        client.handler.enforce_csrf_checks = True
        assert is_read(client, path, huge), path
        assert not is_read(client, path, huge + 1), path
        assert not is_read(client, "/admin/login/", huge), path
        User.objects.all().delete()


def test_only_the_address_of_records_reads_a_larger_body_with_its_permission(settings):
    settings.DSRHUB_RECORDS_BYTES = settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 2
    client, as_json = client_of("token", "subscriptions.ingest_usage"), {"content_type": "application/json"}
    assert is_read(client, "/subscriptions/records/", settings.DSRHUB_RECORDS_BYTES, **as_json)
    assert not is_read(client, "/subscriptions/records/", settings.DSRHUB_RECORDS_BYTES + 1, **as_json)
    assert not is_read(client, REST_UPLOAD, settings.DSRHUB_RECORDS_BYTES)


def test_the_addresses_of_uploads_and_records_have_routes(settings):
    for path in settings.UPLOAD_PERMISSIONS | settings.RECORDS_PERMISSIONS:
        assert resolve(f"/{path}/").route.strip("/") == path


def test_an_answer_to_a_large_body_of_a_stranger_has_the_shape_of_its_address(client):
    strict = Client(enforce_csrf_checks=True)
    rest = send(strict, REST_UPLOAD, SMALL_BODY + 1, stream=Unreadable())
    assert (rest.status_code, rest.json()["code"]) == (401, "not_authenticated")
    token = send(strict, "/token/", SMALL_BODY + 1, stream=Unreadable())
    assert token.status_code == 413
    assert token.json() == {"detail": f"The request may have at most {SMALL_BODY} bytes.", "code": "too_large"}
    admin = send(strict, "/admin/login/", SMALL_BODY + 1, stream=Unreadable())
    assert admin.status_code == 413
    assert f"<p>The request may have at most {SMALL_BODY} bytes.</p>" in admin.content.decode()
    assert '<a href="/admin/login/">Back</a>' in admin.content.decode()
    graphql = send(strict, "/graphql", SMALL_BODY + 1, stream=Unreadable(), content_type="application/json")
    assert (graphql.status_code, graphql.json()["errors"][0]["extensions"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("path", ["/dsrs/", "/token/", "/graphql", "/admin/login/", "/nowhere"])
def test_a_body_without_a_length_is_refused(client, path):
    response = client.post(path, headers={"Transfer-Encoding": "chunked"})
    assert response.status_code == 411
    assert b"The request must have a Content-Length." in response.content


def test_further_large_bodies_are_refused_while_others_arrive(monkeypatch, settings):
    monkeypatch.setattr(BoundedBody, "_slots", BoundedSemaphore(1))
    client = client_of("staff", "catalogue.import_dsr")
    path = "/admin/catalogue/dsr/import/"
    # A slot is free again after each request, even after one that fails.
    assert [is_read(client, path, 100_000) for _ in range(3)] == [True, True, True]
    assert BoundedBody._slots.acquire()
    response = send(client, path, 100_000, stream=Unreadable())
    assert (response.status_code, response["Retry-After"]) == (503, "10")
    assert f'<a href="{path}">Back</a>' in response.content.decode()
    assert is_read(client, path, SMALL_BODY)


def test_large_bodies_leave_threads_for_other_requests():
    assert gunicorn.threads > LARGE_BODIES_AT_ONCE + RECORDS_AT_ONCE


# --- Compressed bodies -----------------------------------------------------------------------------------------


def send_gzip(client, path, content, *, content_type="application/json", coding="gzip", packed=None):
    body = gzip.compress(content) if packed is None else packed
    return client.generic("POST", path, body, content_type=content_type, headers={"Content-Encoding": coding})


def report_form(*lines):
    """A report as a form, with the boundary of FORM."""
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{ES_JANUARY}"\r\n\r\n'
    return (head + "".join(one + "\r\n" for one in (HEADER, *lines)) + "\r\n--b--\r\n").encode()


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", " gzip "])
def test_a_compressed_body_is_unpacked(client, coding):
    answer = send_gzip(client, "/graphql", b'{"query": "{ __typename }"}', coding=coding)
    assert (answer.status_code, answer.json()) == (200, {"data": {"__typename": "Query"}})


def test_a_body_of_several_gzip_members_is_unpacked(client):
    packed = gzip.compress(b'{"query": ') + gzip.compress(b'"{ __typename }"}')
    assert send_gzip(client, "/graphql", b"", packed=packed).json() == {"data": {"__typename": "Query"}}


def test_a_compressed_report_is_loaded_beyond_the_limits_of_others():
    client = client_of("token", "catalogue.add_dsr")
    lines = [line(f"id{number}", title="t" * 1000, revenue="1") for number in range(3000)]
    response = send_gzip(client, REST_UPLOAD, report_form(*lines), content_type=FORM)
    assert response.status_code == 201
    assert DSR.objects.get().line_count == 3000


def test_the_limit_of_an_upload_holds_for_its_content(settings):
    settings.DSRHUB_UPLOAD_LIMIT_BYTES = 100_000
    client = client_of("token", "catalogue.add_dsr")
    bomb = report_form(*[line("a" * 1000)] * 1000)
    assert len(gzip.compress(bomb)) < 10_000
    response = send_gzip(client, REST_UPLOAD, bomb, content_type=FORM)
    assert (response.status_code, response.json()["code"]) == (413, "too_large")
    assert not DSR.objects.exists()


@pytest.mark.parametrize("size", [SMALL_BODY - 20, SMALL_BODY + 1, 50_000_000])
def test_a_stranger_sends_a_small_body_only_also_compressed(client, size):
    content = b'{"username": "%s"}' % (b"a" * size)
    response = send_gzip(client, "/token/", content)
    assert response.status_code == (400 if len(content) <= SMALL_BODY else 413)
    if response.status_code == 413:
        assert response.json() == {"detail": f"The request may have at most {SMALL_BODY} bytes.", "code": "too_large"}


@pytest.mark.parametrize("kind", ["anonymous", "token"])
def test_an_operation_of_graphql_has_its_limit_also_compressed(kind):
    client = client_of(kind)
    response = send_gzip(client, "/graphql", b'{"query": "{ __typename }"}' + b" " * SMALL_BODY)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (413, "too_large")


def test_a_form_in_memory_has_the_limit_of_forms(settings):
    client = client_of("staff", "catalogue.import_dsr")
    form = "application/x-www-form-urlencoded"
    content = b"a=" + b"1" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    response = send_gzip(client, "/admin/catalogue/dsr/import/", content, content_type=form)
    assert response.status_code == 400
    assert "The texts of the form are larger than 2.5" in response.content.decode()


PACKED = gzip.compress(b'{"query": "{ __typename }"}', mtime=0)


@pytest.mark.parametrize(
    "packed",
    [b"{}", PACKED[:-1], PACKED[:15], PACKED[:-8] + b"\0" * 8, PACKED[:12] + b"\xff" * 9 + PACKED[21:], PACKED + b"x"],
)
@pytest.mark.parametrize("path", ["/graphql", "/token/"])
def test_a_body_that_is_no_gzip_is_refused(client, packed, path):
    response = send_gzip(client, path, b"", packed=packed)
    content = response.json()
    code = content["errors"][0]["extensions"]["code"] if path == "/graphql" else content["code"]
    assert (response.status_code, code) == (400, "gzip_damaged")


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "zstd", "nonsense"])
@pytest.mark.parametrize("path", ["/dsrs/", "/token/", "/graphql", "/admin/login/"])
def test_another_coding_is_refused(client, path, coding):
    response = send_gzip(client, path, b"{}", coding=coding)
    assert (response.status_code, response["Accept-Encoding"]) == (415, "gzip")
    assert "The Content-Encoding of a request can only be gzip." in response.content.decode()
