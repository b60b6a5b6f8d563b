"""The addresses of clients, as our server or our proxies saw them, whatever the clients send."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsrhub.http import addresses

PROXY = "10.0.0.1"


@pytest.fixture
def address_of(rf, settings):
    def ask(forwarded=None, remote=PROXY, proxies=1, function=addresses.client_address):
        settings.DSRHUB_BEHIND_PROXY = proxies > 0
        settings.DSRHUB_PROXY_COUNT = max(proxies, 1)
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        return function(rf.get("/", REMOTE_ADDR=remote, headers=headers))

    return ask


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("192.0.2.1:567", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:443", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
    ],
)
def test_ports_brackets_and_zones_are_removed(address_of, sent, expected):
    assert address_of(sent) == expected
    assert address_of(remote=sent, proxies=0) == expected


@pytest.mark.parametrize(
    "sent",
    [
        *("", " ", "unknown", "_hidden", "192.0.2", "192.0.2.256", "192.0.2.1:", "192.0.2.1:http", "192.0.2.1:٣"),
        *("[2001:db8::1", "[2001:db8::1]443", "[2001:db8::1]:", "[]", ":", "a" * 10_000, "1" * 200, "192.0.2.1\0"),
        *("192.0.2.1 GET /", "<b>", "::1::2", "٣.0.2.1"),
    ],
)
def test_what_is_no_address_is_replaced_by_that_of_the_connection(address_of, sent):
    assert address_of(f"192.0.2.7, {sent}") == PROXY
    assert address_of(remote=sent, proxies=0) == ""


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "192.0.2.1", PROXY),  # any client can send the header
        (1, None, PROXY),
        (1, "6.6.6.6, 192.0.2.1", "192.0.2.1"),
        (2, "6.6.6.6, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        (2, "192.0.2.1", "192.0.2.1"),  # a request that passed only one of them
        (3, "6.6.6.6,192.0.2.1:80,[2001:db8::1]:443,10.0.0.2", "192.0.2.1"),
    ],
)
def test_the_address_is_the_one_that_the_outermost_of_our_proxies_saw(address_of, proxies, forwarded, expected):
    assert address_of(forwarded, proxies=proxies) == expected


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),  # a customer has a whole /64 network
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),  # a Unix socket
    ],
)
def test_rate_limits_count_networks_of_ipv6(address_of, remote, expected):
    assert address_of(remote=remote, proxies=0, function=addresses.client_network) == expected


PIECES = st.sampled_from([",", ":", "[", "]", "%", ".", "::", "1", "f", "192.0.2.1", "::1", " ", "\0", "\n", "é", "٣"])
HOSTILE = st.one_of(st.text(), st.lists(PIECES).map("".join), st.lists(st.ip_addresses().map(str)).map(", ".join))


@given(sent=HOSTILE, seen=st.ip_addresses(), port=st.none() | st.integers(0, 65535))
def test_no_header_of_a_client_hides_what_the_proxy_saw(sent, seen, port):
    text = str(seen) if port is None else f"[{seen}]:{port}" if seen.version == 6 else f"{seen}:{port}"
    last = (sent + "," + text).rpartition(",")[2]
    mapped = getattr(seen, "ipv4_mapped", None)
    assert addresses.parsed_address(last) == (mapped or seen)


@given(sent=HOSTILE)
def test_an_address_is_always_a_short_printable_one_or_none(sent):
    found = addresses.parsed_address(sent)
    if found is not None:
        assert len(str(found)) <= 45
        assert str(found).isprintable()
        assert ipaddress.ip_address(str(found)) == found
