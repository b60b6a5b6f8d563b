"""Addresses of folders: what is accepted, and no password in what is shown."""

import pytest

from dsrhub.exceptions import DsrhubError
from dsrhub.stores.addresses import Address, InvalidAddress, parsed_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/srv/in", Address("file", "/srv/in", "/srv/in")),
        ("/srv//in/../in/", Address("file", "/srv/in", "/srv/in")),
        ("s3://reports-in", Address("s3", "s3://reports-in", "reports-in")),
        ("s3://reports-in/a/b c/", Address("s3", "s3://reports-in/a/b c", "reports-in/a/b c")),
        ("sftp://host/in", Address("sftp", "sftp://host/in", "/in", host="host")),
        (
            "sftp://me:a%2Cb%40c%3A@HOST:2222/in/%C3%A9/",
            Address("sftp", "sftp://me@host:2222/in/é", "/in/é", host="host", port=2222, user="me", password="a,b@c:"),
        ),
        ("sftp://[::1]:22/in", Address("sftp", "sftp://[::1]:22/in", "/in", host="::1", port=22)),
    ],
)
def test_an_address_is_read(text, address):
    assert parsed_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", "in", "./in", "~/in", "file:///srv/in", "http://host/in", "ftp://me:secret@host/in", "s3://", "s3:///in"),
        *("s3://Secret/in", "s3://me:secret@bucket/in", "s3://bucket/a//b", "s3://bucket/in?secret=1"),
        *(
            "sftp://host",
            "sftp://host/",
            "sftp:///in",
            "sftp://me:secret@host:port/in",
            "sftp://me:secret@host:99999/in",
        ),
        *("sftp://me:secret@host/../in", "sftp://me:secret@host/in#x", "sftp://me:secret@[::1/in", "sftp://host/in\n"),
    ],
)
def test_what_is_no_address_is_refused_without_being_repeated(text):
    with pytest.raises(InvalidAddress) as refusal:
        parsed_address(text)
    assert isinstance(refusal.value, DsrhubError)
    assert str(refusal.value).startswith("This is not the address of a folder.")
    assert "secret" not in f"{refusal.value}{refusal.value!r}"


def test_a_password_is_not_shown():
    address = parsed_address("sftp://me:secret@host/in")
    assert "secret" not in f"{address} {address!r} {address.shown} {[address]}"


def test_the_same_place_has_the_same_name():
    texts = ("sftp://me:one@host/in", "sftp://me:other@Host/in/", "sftp://me@host//in")
    assert len({parsed_address(text).shown for text in texts}) == 1
