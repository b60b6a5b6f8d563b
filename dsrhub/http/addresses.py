"""The addresses of clients, also behind a proxy. No text that a client sends is taken for an address unread."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings

from dsrhub.http.proxy import forwarded

# The customer of a provider usually has a whole network of IPv6, and can change the last 64 bits at will.
IPV6_NETWORK_BITS = 64
# The longest text of an address with brackets, a zone and a port. No longer text is looked at.
LONGEST_TEXT = 100

Address = IPv4Address | IPv6Address


def client_address(request: Any) -> str:
    """The address of the client as our server or our proxy saw it; empty if there is none, as on a Unix socket."""
    address = _client_address(request)
    return "" if address is None else str(address)


def client_network(request: Any) -> str:
    """What rate limits count as one client: an address of IPv4, or the /64 network of an address of IPv6."""
    address = _client_address(request)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_NETWORK_BITS), strict=False).network_address)
    return "" if address is None else str(address)


def _client_address(request: Any) -> Address | None:
    if settings.DSRHUB_BEHIND_PROXY:
        address = parsed_address(forwarded(request, "X-Forwarded-For"))
        if address is not None:
            return address
    return parsed_address(request.META.get("REMOTE_ADDR", ""))


def parsed_address(text: str) -> Address | None:
    """The address in a text, without its brackets, port and zone; None if there is none.

    IPv4 written as IPv6 (`::ffff:192.0.2.1`) is IPv4.
    """
    host = text.strip()
    if len(host) > LONGEST_TEXT:
        return None
    if host.startswith("["):
        host, bracket, port = host[1:].partition("]")
        if not bracket or (port and not _is_port(port)):
            return None
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
        if not _is_port(":" + port):
            return None
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _is_port(text: str) -> bool:
    """Whether a text is a colon and a port."""
    digits = text[1:]
    return text[0] == ":" and digits.isascii() and digits.isdigit()
