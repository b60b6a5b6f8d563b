"""One attempt over real HTTP on this machine: what is sent, and what is made of every kind of answer."""

import socket
import ssl
from datetime import timedelta
from threading import Event

import pytest

from dsrhub.webhooks import sending
from dsrhub.webhooks.sending import post
from tests.webhooks.receiver import certificate_of, listening_raw, status, whole_request

HEADERS = {"Content-Type": "application/json", "webhook-id": "msg_1"}


def send(receiver, body="{}"):
    return post(receiver.url, body, HEADERS)


def test_the_bytes_the_path_and_the_headers_arrive(receiver):
    answer = send(receiver, '{"name":"Été"}')
    assert (answer.status, answer.is_success, answer.error) == (204, True, "")
    (received,) = receiver.received
    assert (received.path, received.body) == ("/events?for=tests", '{"name":"Été"}'.encode())
    assert received.headers["host"] == f"receiver.test:{receiver.port}"
    assert received.headers["webhook-id"] == "msg_1"
    assert received.headers["content-type"] == "application/json"


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_a_failure_and_nobody_follows_it(receiver, code):
    receiver.answers.append(status(code, Location=receiver.url))
    answer = send(receiver)
    assert (answer.status, answer.is_success) == (code, False)
    assert len(receiver.received) == 1


@pytest.mark.parametrize(("code", "is_success"), [(200, True), (202, True), (299, True), (400, False), (500, False)])
def test_only_the_statuses_from_200_to_299_are_a_success(receiver, code, is_success):
    receiver.answers.append(status(code, b"why"))
    answer = send(receiver)
    assert (answer.status, answer.is_success, answer.body) == (code, is_success, "why")


def test_only_the_beginning_of_an_answer_is_kept_and_it_prints(receiver):
    receiver.answers.append(status(500, b"a\0\xff" + b"x" * 100_000))
    body = send(receiver).body
    assert body.startswith("a\\x00\N{REPLACEMENT CHARACTER}x")
    assert len(body) == 1000


@pytest.mark.parametrize(
    ("text", "pause"),
    [("120", 120), ("99999999", 24 * 3600), ("-5", 0), ("soon", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("", 0)],
)
def test_a_receiver_may_ask_for_a_pause(receiver, text, pause):
    receiver.answers.append(status(429, Retry_After=text))
    assert send(receiver).pause == timedelta(seconds=pause)


def test_an_address_that_is_not_allowed_is_not_connected_to(receiver, settings):
    settings.DSRHUB_WEBHOOK_NETWORKS = []
    answer = send(receiver)
    assert answer.error == "The host receiver.test is at 127.0.0.1, which is no public address."
    assert (answer.status, receiver.received) == (None, [])


def test_nobody_listening_is_an_error(loopback):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        answer = post(f"http://receiver.test:{free.getsockname()[1]}/", "{}", HEADERS)
    assert (answer.status, answer.is_success) == (None, False)
    assert answer.error.startswith("ConnectionRefusedError")


def test_a_receiver_without_tls_is_an_error(receiver):
    answer = post(receiver.url.replace("http:", "https:"), "{}", HEADERS)
    assert answer.error.startswith("SSLError")
    assert receiver.received == []


def test_a_host_that_tls_cannot_name_is_an_error(receiver):
    answer = post(f"https://.receiver.test:{receiver.port}/", "{}", HEADERS)
    assert answer.error.startswith("UnicodeError")


@pytest.mark.parametrize("sent", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 2"])
def test_an_answer_that_is_cut_off_or_none_is_an_error(loopback, sent):
    def answer(connection):
        whole_request(connection)
        connection.sendall(sent)

    with listening_raw(answer) as port:
        found = post(f"http://receiver.test:{port}/", "{}", HEADERS)
    assert found.error
    assert not found.is_success


def test_a_receiver_that_never_comes_to_an_end_is_cut_off(loopback, monkeypatch):
    """Each byte comes in time, and the answer does not."""
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 0.2)
    is_over = Event()

    def drip(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not is_over.wait(0.02):
            try:
                connection.sendall(b"X-Drip: 1\r\n")
            except OSError:
                return

    with listening_raw(drip) as port:
        answer = post(f"http://receiver.test:{port}/", "{}", HEADERS)
        is_over.set()
    assert answer.error
    assert not answer.is_success


def test_a_certificate_must_be_that_of_the_host(loopback, tmp_path):
    key, certificate = certificate_of("other.example", tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def answer(connection):
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(connection, server_side=True)

    with listening_raw(answer) as port:
        found = post(f"https://receiver.test:{port}/", "{}", HEADERS)
    assert found.error.startswith("SSLCertVerificationError")


def test_over_tls_the_checked_address_is_asked_by_the_name_of_the_host(loopback, tmp_path, monkeypatch):
    key, certificate = certificate_of("receiver.test", tmp_path)
    monkeypatch.setattr(sending, "TLS", ssl.create_default_context(cafile=str(certificate)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    asked = []
    context.sni_callback = lambda own, name, _: asked.append(name)

    def answer(connection):
        with context.wrap_socket(connection, server_side=True) as own:
            asked.append(whole_request(own)[-2:])
            own.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with listening_raw(answer) as port:
        found = post(f"https://receiver.test:{port}/", "{}", HEADERS)
    assert (found.status, found.body, found.error, asked) == (200, "ok", "", ["receiver.test", b"{}"])
