"""Behind a proxy: slow clients do not stop it, it stores no bodies of strangers, and addresses are those of clients."""

import re
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.test import Client

from tests import recipes
from tests.catalogue.recipes import dsr
from tests.http.test_worker import FORM, LARGE, connection, exchange, get, post, response, servers, status
from tests.processes import serving
from tests.programs import program
from tests.waiting import wait_until

RULES = re.search(r"```nginx\n(.+?)```", (settings.BASE_DIR / "docs" / "operation.md").read_text(), re.DOTALL)[1]
CONFIGURATION = """
pid %(folder)s/pid;
error_log %(folder)s/errors.log;
events {}
http {
    access_log off;
    client_body_temp_path %(folder)s/bodies;
    proxy_temp_path %(folder)s/responses;
    %(rules)s
}
"""


@contextmanager
def nginx(folder, server):
    """Run nginx without HTTPS in front of a server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    rules = re.sub(r" +ssl_.+\n", "", RULES).replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
    rules = rules.replace("443 ssl", f"127.0.0.1:{port}")
    (folder / "nginx.conf").write_text(CONFIGURATION % {"folder": folder, "rules": rules})
    process = subprocess.Popen(["nginx", "-c", folder / "nginx.conf", "-g", "daemon off;"])
    try:
        wait_until((folder / "pid").exists, "nginx has started")
        yield SimpleNamespace(port=port)
    finally:
        process.terminate()
        process.wait()


@pytest.mark.django_db(transaction=True)
def test_nginx_with_the_documented_rules(tmp_path):
    program("nginx")
    token = f"Authorization: Token {recipes.token.make(user=recipes.superuser.make()).key}\r\n".encode()
    slow = [
        b"",
        b"GET / HT",
        post(b"/token/", b"Content-Type: application/json\r\nContent-Length: 100\r\n") + b'{"user',
        post(b"/dsrs/", LARGE, token) + b"--b",
    ]
    with ExitStack() as stack:
        settings = {"DSRHUB_BEHIND_PROXY": "true", "DSRHUB_METRICS_TOKEN": 16 * "m"}
        server = stack.enter_context(serving(options="--workers 1 --threads 4", **settings))
        proxy = stack.enter_context(nginx(tmp_path, server))
        assert [status(get(proxy, path)) for path in (b"/readyz", b"/metrics")] == [404, 404]
        assert servers(get(proxy, b"/openapi.json", b"X-Forwarded-Proto: https")) == (
            200,
            [{"url": "http://localhost/"}],
        )
        assert status(exchange(proxy, post(b"/token/", FORM, b"Content-Length: 4000000\r\n"))) == 413
        with connection(proxy, post(b"/dsrs/", LARGE, b"Connection: close\r\n") + b"a" * 200_000) as client:
            assert status(response(client)) == 401
        assert [path for path in (tmp_path / "bodies").rglob("*") if path.is_file()] == []
        for number in range(150):
            stack.enter_context(connection(proxy, slow[number % len(slow)]))
        for _ in range(20):
            assert status(get(proxy, b"/healthz")) == 200
        assert status(get(proxy, b"/dsrs/")) == 200
        server.process.kill()


# --- The address that clients ask for --------------------------------------------------------------------------

TRUSTED = {
    "DSRHUB_BEHIND_PROXY": "true",
    "DSRHUB_FORWARDED_HOST": "true",
    "DSRHUB_FORWARDED_PREFIX": "true",
    "DSRHUB_ALLOWED_HOSTS": "reports.example,localhost",
}
HEADERS = (b"X-Forwarded-Host: reports.example", b"X-Forwarded-Prefix: /money/dsrs", b"X-Forwarded-Proto: https")
PLACE = "https://reports.example/money/dsrs/"


def text(answer):
    return answer.partition(b"\r\n\r\n")[2].decode()


def local(address):
    """The path that the proxy asks the server for."""
    path = address.removeprefix("https://reports.example")
    assert path.startswith("/money/dsrs/"), address
    return path.removeprefix("/money/dsrs").encode()


@pytest.mark.django_db(transaction=True)
def test_every_address_has_the_host_and_the_prefix_of_the_proxy():
    dsr.make(_quantity=2, offer=iter("ab"))
    with serving(**TRUSTED) as server:

        def ask(path, *more):
            return get(server, path, *HEADERS, *more)

        assert servers(ask(b"/openapi.json")) == (200, [{"url": PLACE}])
        page = ask(b"/dsrs/?limit=1")
        (following,) = re.findall(rb"\r\nLink: <(.+?)>", page)
        assert following.decode().startswith(PLACE + "dsrs/?limit=1&cursor=")
        assert status(ask(local(following.decode()))) == 200
        assert f'"documentation": "{PLACE}docs/"' in text(ask(b"/", b"Accept: application/json"))
        assert re.findall(rb"\r\nLocation: (.+?)\r\n", ask(b"/admin/")) == [
            b"/money/dsrs/admin/login/?next=/money/dsrs/admin/"
        ]
        for path in (b"/", b"/admin/login/", b"/docs/", b"/graphql"):
            addresses = re.findall('(?:href|src|action)="(/.+?)"', text(ask(path, b"Accept: text/html")))
            assert len(addresses) > 3
            assert [
                address for address in addresses if status(ask(local(address), b"Accept: text/html, */*")) >= 400
            ] == []
        script = text(ask(b"/docs/?script="))
        assert 'url: "/money/dsrs/openapi.yaml"' in script.replace("\\u002D", "-").replace("\\u002F", "/")
        # Without the headers, or with another prefix in the same process.
        assert servers(get(server, b"/openapi.json")) == (200, [{"url": "http://localhost/"}])
        other = text(get(server, b"/admin/login/", b"X-Forwarded-Prefix: /other/"))
        assert 'href="/other/static/' in other
        assert "/money/" not in other
        assert 'href="/static/' in text(get(server, b"/admin/login/"))
        server.stop()
    assert "GET /money/dsrs/openapi.json 200" in server.log


def client_says(client, **headers):
    response = client.get("/openapi.json", headers=headers)
    if response.status_code != 200:
        return response.status_code
    return response.json()["servers"][0]["url"]


@pytest.fixture
def trusting(settings):
    settings.DSRHUB_BEHIND_PROXY = settings.USE_X_FORWARDED_HOST = settings.DSRHUB_FORWARDED_PREFIX = True
    settings.ALLOWED_HOSTS = ["reports.example", "testserver"]
    return settings


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("x-forwarded-host", "reports.example:8443", "http://reports.example:8443/"),
        ("x-forwarded-host", "", "http://testserver/"),
        ("x-forwarded-host", "elsewhere.example, reports.example", "http://reports.example/"),
        ("x-forwarded-host", "elsewhere.example", 400),
        ("x-forwarded-prefix", "", "http://testserver/"),
        ("x-forwarded-prefix", "/", "http://testserver/"),
        ("x-forwarded-prefix", "/a/", "http://testserver/a/"),
        ("x-forwarded-prefix", "/x, /a-b_c.d~1", "http://testserver/a-b_c.d~1/"),
        ("x-forwarded-prefix", "/...", "http://testserver/.../"),
        *[
            ("x-forwarded-prefix", prefix, 400)
            for prefix in ("a", "//evil.example", "/a//b", "/..", "/a/../b", "/.", "/a b", "/a?b", "/%2e", "/é", "/<x>")
        ],
    ],
)
def test_the_values_of_the_headers(client, trusting, name, value, expected):
    assert client_says(client, **{name: value}) == expected


def test_the_first_of_two_own_proxies_counts(client, trusting):
    trusting.DSRHUB_PROXY_COUNT = 2
    host = "elsewhere.example, reports.example, inner"
    prefix = "/evil, /a, /b"
    assert client_says(client, **{"x-forwarded-host": host, "x-forwarded-prefix": prefix}) == (
        "http://reports.example/a/"
    )


def test_each_header_needs_its_own_setting(client, trusting):
    sent = {"x-forwarded-host": "reports.example", "x-forwarded-prefix": "/a"}
    trusting.USE_X_FORWARDED_HOST = False
    assert client_says(client, **sent) == "http://testserver/a/"
    trusting.DSRHUB_FORWARDED_PREFIX = False
    assert client_says(client, **sent) == "http://testserver/"
    trusting.USE_X_FORWARDED_HOST = True
    assert client_says(client, **sent) == "http://reports.example/"


@pytest.mark.django_db
def test_a_form_passes_the_check_of_its_origin_under_the_forwarded_host(trusting):
    sent = {"x-forwarded-host": "reports.example", "x-forwarded-prefix": "/a"}
    client = Client(enforce_csrf_checks=True, headers=sent)
    token = re.search('csrfmiddlewaretoken" value="(.+?)"', client.get("/admin/login/").content.decode())[1]
    form = {"username": "ada", "password": "wrong", "csrfmiddlewaretoken": token}
    for origin, expected in (("http://reports.example", 200), ("http://elsewhere.example", 403)):
        assert client.post("/admin/login/", form, headers={"origin": origin}).status_code == expected
