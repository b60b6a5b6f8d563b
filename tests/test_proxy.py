"""nginx with the rules of docs/operation.md: slow clients do not stop it, and it does not store bodies of strangers."""

import re
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest
from django.conf import settings

from tests import recipes
from tests.processes import serving
from tests.programs import program
from tests.test_http_worker import FORM, LARGE, connection, exchange, get, post, response, servers, status
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
        server = stack.enter_context(serving(options="--workers 1 --threads 4", DSRHUB_BEHIND_PROXY="true"))
        proxy = stack.enter_context(nginx(tmp_path, server))
        assert status(get(proxy, b"/readyz")) == 404
        assert servers(get(proxy, b"/openapi.yaml", b"X-Forwarded-Proto: https")) == (
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
