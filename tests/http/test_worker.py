"""Slow clients do not stop the server, and no header of a client changes what the server trusts."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from dsrhub.http.bodies import LARGE_BODIES_AT_ONCE, SMALL_BODY
from tests import recipes
from tests.processes import serving
from tests.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

HOST = b"Host: localhost\r\n"
FORM = b"Content-Type: multipart/form-data; boundary=b\r\n"
LARGE = FORM + b"Content-Length: 10000000\r\n"


@contextmanager
def connection(server, sent=b""):
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as client:
        client.sendall(sent)
        yield client


def response(client):
    """What a connection receives until its end."""
    received = b""
    try:
        while piece := client.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def exchange(server, sent):
    with connection(server, sent) as client:
        return response(client)


def get(server, path, *headers, host=b"localhost"):
    lines = [b"GET " + path + b" HTTP/1.1", b"Host: " + host, *headers, b"Connection: close"]
    return exchange(server, b"\r\n".join(lines) + b"\r\n\r\n")


def post(path, *headers):
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + b"".join(headers) + b"\r\n"


def status(answer):
    return int(answer.split(b" ", 2)[1])


def has_answer(client):
    client.setblocking(False)
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        client.settimeout(PATIENCE)


@pytest.fixture
def authorization():
    return f"Authorization: Token {recipes.token.make(user=recipes.superuser.make()).key}\r\n".encode()


def test_150_slow_connections_do_not_stop_the_server(authorization):
    slow = [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\n" + HOST + b"X-Slow: ",
        post(b"/token/", b"Content-Type: application/json\r\nContent-Length: 100\r\n") + b'{"user',
        post(b"/graphql", b"Content-Type: application/json\r\nContent-Length: 100\r\n"),
        post(b"/dsrs/", FORM, b"Content-Length: 9000\r\nExpect: 100-continue\r\n"),
        post(b"/dsrs/", FORM, authorization, b"Content-Length: 9000\r\n") + b"--b",
    ]
    options = "--workers 1 --threads 4 --worker-class tests.http.slow_clients.Patient"
    with serving(options=options) as server, ExitStack() as stack:
        clients = [stack.enter_context(connection(server, slow[n % len(slow)])) for n in range(150)]
        uploads = [stack.enter_context(connection(server, post(b"/dsrs/", LARGE, authorization))) for _ in range(10)]
        # Some uploads arrive at a time, and the others are refused at once.
        wait_until(
            lambda: sum(map(has_answer, uploads)) == len(uploads) - LARGE_BODIES_AT_ONCE, "further uploads are refused"
        )
        for _ in range(20):
            assert status(get(server, b"/healthz")) == 200
        assert status(get(server, b"/dsrs/")) == 200
        waiting = [client for n, client in enumerate(clients) if b"Expect" not in slow[n % len(slow)]]
        assert [client for client in waiting if has_answer(client)] == []
        refused = next(client for client in uploads if has_answer(client))
        answer = response(refused)
        assert (status(answer), b"Retry-After: 10\r\n" in answer) == (503, True)
        server.process.kill()


def test_a_slow_connection_ends_after_its_time(authorization):
    with serving(options="--workers 1 --worker-class tests.http.slow_clients.Hasty") as server:
        requests = (
            b"",
            b"GET / HTTP/1.1\r\n",
            post(b"/token/", b"Content-Length: 9\r\n"),
            post(b"/dsrs/", LARGE, authorization) + b"--b\r\n",
        )
        with ThreadPoolExecutor(len(requests)) as pool:
            nothing, *answers = pool.map(partial(exchange, server), requests)
        assert (nothing, [status(answer) for answer in answers]) == (b"", [408, 408, 408])
        answer = answers[-1]
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "too_slow"
        with connection(server, post(b"/dsrs/", LARGE, authorization)) as client:
            begin = time.monotonic()
            while not has_answer(client):
                assert time.monotonic() < begin + PATIENCE
                client.send(b"a")
                time.sleep(0.05)
            assert status(response(client)) == 408


@pytest.mark.parametrize("private", ["false", "true"])
def test_nothing_of_a_large_body_of_a_stranger_is_stored(tmp_path, private):
    begin = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.tsv"\r\n\r\n' + b"a" * 200_000
    with serving(TMPDIR=str(tmp_path), DSRHUB_PRIVATE=private) as server:
        for path, expected in [(b"/dsrs/", 401), (b"/token/", 413), (b"/admin/login/", 413), (b"/graphql", 415)]:
            cookie = b"Cookie: csrftoken=" + b"a" * 32 + b"\r\n"
            with connection(server, post(path, LARGE, cookie)) as client:
                # The answer comes while the client is still sending, and ends the connection.
                client.sendall(begin)
                answer = response(client)
            assert (path, status(answer)) == (path, expected)
            assert list(tmp_path.iterdir()) == []
        chunked = post(b"/dsrs/", FORM, b"Transfer-Encoding: chunked\r\n") + b"ffffff\r\n" + begin
        assert status(exchange(server, chunked)) == 411
        assert list(tmp_path.iterdir()) == []


def test_requests_in_pieces_and_one_after_the_other_are_answered(running_server):
    query = b'{"query": "{ __typename }"}'
    first = post(b"/graphql", b"Content-Type: application/json\r\n", b"Content-Length: %d\r\n" % len(query)) + query
    health = b"GET /healthz HTTP/1.1\r\n" + HOST
    with connection(running_server) as client:
        for position in range(len(first)):
            client.send(first[position : position + 1])
        client.sendall(health + b"\r\n" + health + b"Connection: close\r\n\r\n")
        answers = response(client)
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert b'{"data": {"__typename": "Query"}}' in answers


WRONG_LENGTHS = [
    b"9" * 5000,
    b"-1",
    b"+1",
    b"1, 1",
    b"1\r\nContent-Length: 2",
    b"1\r\nTransfer-Encoding: chunked",
]


def test_heads_and_bodies_have_their_bounds(running_server):
    server = running_server
    json_type = b"Content-Type: application/json\r\nConnection: close\r\n"
    assert status(exchange(server, b"\r\n\r\nGET /healthz HTTP/1.1\r\n")) == 400
    many = [b"X-Large: " + b"a" * 8000 for _ in range(5)]
    assert status(get(server, b"/healthz", *many[:3])) == 200
    assert status(get(server, b"/healthz", *many)) == 431
    # The answer is that of the view: the whole body has arrived.
    small = post(b"/token/", json_type, b"Content-Length: %d\r\n" % SMALL_BODY)
    answer = exchange(server, small + b" " * SMALL_BODY)
    assert (status(answer), b"parse_error" in answer) == (400, True)
    for length in WRONG_LENGTHS:
        sent = post(b"/token/", json_type, b"Content-Length: %s\r\n" % length) + b"ab"
        assert (length, status(exchange(server, sent))) == (length, 400)
    larger = post(b"/token/", json_type, b"Content-Length: %d\r\n" % (SMALL_BODY + 1))
    assert status(exchange(server, larger)) == 413


# --- Headers of clients ----------------------------------------------------------------------------------------

HEADERS = [
    b"SCRIPT_NAME: /openapi.json",
    b"SCRIPT-NAME: /openapi.json",
    b"X_SCRIPT_NAME: /openapi.json",
    b"HTTP_SCRIPT_NAME: /openapi.json",
    b"SCRIPT_NAME: /elsewhere",
    b"PATH_INFO: /dsrs/",
    b"PATH-INFO: /dsrs/",
    b"REMOTE_USER: admin",
    b"REMOTE-USER: admin",
    b"REMOTE_ADDR: 10.9.8.7",
    b"HTTP_HOST: elsewhere.example",
    b"SERVER_NAME: elsewhere.example",
    b"SERVER_PORT: 1",
    b"WSGI.URL_SCHEME: https",
    b"X_FORWARDED_PROTO: https",
    b"X-Forwarded-Proto: https",
    b"X-Forwarded-Protocol: ssl",
    b"X-Forwarded-Ssl: on",
    b"X-Forwarded-Host: elsewhere.example",
    b"X-Forwarded-Port: 1",
    b"X-Forwarded-Prefix: /elsewhere",
    b"X-Forwarded-For: 10.9.8.7",
    b"Forwarded: for=10.9.8.7;proto=https;host=elsewhere.example",
]


def servers(answer):
    return status(answer), json.loads(answer.partition(b"\r\n\r\n")[2])["servers"]


def test_no_header_changes_the_address_of_a_request():
    with serving(options="--workers 1", DSRHUB_LOG_JSON="true") as server:
        own = f"http://localhost:{server.port}/"
        host = f"localhost:{server.port}".encode()
        for header in HEADERS:
            answer = get(server, b"/openapi.json", header, host=host)
            assert (header, *servers(answer)) == (header, 200, [{"url": own}])
        assert status(get(server, b"/openapi.json", host=b"elsewhere.example")) == 400
        server.stop()
    requests = [json.loads(line) for line in server.log.splitlines() if '"dsrhub.requests"' in line]
    assert len(requests) == len(HEADERS) + 1
    assert {(each["path"], each["address"], each["user"]) for each in requests} == {
        ("/openapi.json", "127.0.0.1", None)
    }


def test_behind_a_proxy_its_scheme_counts_and_nothing_else():
    with serving(options="--workers 1", DSRHUB_BEHIND_PROXY="true") as server:
        for header in HEADERS:
            scheme = "https" if header == b"X-Forwarded-Proto: https" else "http"
            answer = get(server, b"/openapi.json", header)
            assert (header, *servers(answer)) == (header, 200, [{"url": f"{scheme}://localhost/"}])
