"""Nothing is sent into the network of the server, whatever an address, a name or a redirect says."""

from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address, ip_network
from threading import Event
from unittest.mock import patch

import pytest

from dsrhub.webhooks import targets
from dsrhub.webhooks.exceptions import AddressRefused
from dsrhub.webhooks.targets import addresses_of, may_be_reached, target_of
from tests.webhooks.names import PUBLIC


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("https://receiver.example", "receiver.example", 443, "/", "receiver.example"),
        ("https://Receiver.Example:8443/a/b?c=d", "receiver.example", 8443, "/a/b?c=d", "receiver.example:8443"),
        ("https://[2606:4700::1]:443/x", "2606:4700::1", 443, "/x", "[2606:4700::1]"),
    ],
)
def test_an_address_has_a_host_a_port_and_a_path(url, host, port, path, authority):
    target = target_of(url)
    assert (target.host, target.port, target.path, target.authority) == (host, port, path, authority)


@pytest.mark.parametrize(
    "url",
    [
        *("", "receiver.example", "ftp://receiver.example", "https://", "https:///x", "//receiver.example"),
        *("https://receiver.example:0", "https://receiver.example:65536", "https://receiver.example:x"),
        *("https://a@receiver.example", "https://a:b@receiver.example", "https://receiver.example/#x"),
        *(
            "https://receiver.example/ x",
            "https://receiver.example/\r\nX: y",
            "https://réceiver.example",
            "https://[::1",
        ),
        *(
            "http://receiver.example",
            "https://receiver.example/" + "x" * 2000,
            "javascript:alert(1)",
            "file:///etc/passwd",
        ),
    ],
)
def test_other_addresses_are_refused(url):
    with pytest.raises(AddressRefused) as refused:
        target_of(url)
    assert refused.value.extra["argument"] == "url"


def test_http_needs_a_setting(settings):
    settings.DSRHUB_WEBHOOK_HTTP = True
    assert target_of("http://receiver.example/x").authority == "receiver.example"


PRIVATE = [
    *(
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",  # noqa: S104
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
    ),
    *("100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1"),
    *("240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1"),
    # An address of IPv4 in one of IPv6: mapped, compatible, 6to4, Teredo, NAT64.
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "2002:7f00:1::"),
    *("2001:0:4136:e378:8000:63bf:3fff:fdd2", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_no_address_but_a_public_one_may_be_reached(address):
    assert not may_be_reached(ip_address(address))


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8"])
def test_public_addresses_may_be_reached(address):
    assert may_be_reached(ip_address(address))


def test_a_setting_opens_a_network_and_no_other(settings):
    settings.DSRHUB_WEBHOOK_NETWORKS = [ip_network("10.1.0.0/16"), ip_network("fd00::/8")]
    reached = {"10.1.2.3", "::ffff:10.1.2.3", "fd00::1"}
    refused = {"10.2.0.1", "127.0.0.1", "fc00::1", "::1"}
    assert {one for one in reached | refused if may_be_reached(ip_address(one))} == reached


def test_a_name_is_looked_up_and_all_of_its_addresses_are_checked():
    assert addresses_of(target_of("https://receiver.example")) == [ip_address(PUBLIC)]
    for host in ("receiver.test", "mixed.example", "mapped.example", "127.0.0.1", "[::1]", "0x7f000001", "2130706433"):
        with pytest.raises(AddressRefused):
            addresses_of(target_of(f"https://{host}"))


def test_a_look_up_that_takes_too_long_is_given_up(monkeypatch):
    is_over = Event()
    monkeypatch.setattr(targets, "LOOK_UP_SECONDS", 0.01)
    monkeypatch.setattr(targets, "_look_ups", ThreadPoolExecutor(1))
    with patch.object(targets, "_look_up", lambda target: is_over.wait()):
        with pytest.raises(AddressRefused, match="takes too long"):
            addresses_of(target_of("https://receiver.example"))
        is_over.set()
