"""Where events may be sent to. The server must not become a way into the network that it stands in.

An address is checked when it is saved. Its name is looked up again each time that something is sent, and the connection
is made to the very address that was checked, so no answer of a name server can change it in between.
"""

import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings

from dsrhub.texts.marked import Text
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.webhooks.exceptions import AddressRefused

Address = IPv4Address | IPv6Address

LONGEST_URL = 2000
# How long a look-up of a name may take, in seconds.
LOOK_UP_SECONDS = 5
# Look-ups cannot be stopped. So few threads do them, and one that hangs costs no more than its thread.
_look_ups = ThreadPoolExecutor(4, thread_name_prefix="webhooks-look-up")


class Target(NamedTuple):
    """The parts of a checked URL. `path` includes the query."""

    is_secure: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_secure else 80) else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """The parts of a URL that something may be sent to. Raises AddressRefused."""
    if len(url) > LONGEST_URL or not (url.isascii() and url.isprintable()) or " " in url:
        raise _refused(_("Not an address of at most %(most)s ASCII characters.") % {"most": LONGEST_URL})
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        parts, port, host = urlsplit(""), None, None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise _refused(_("Not an address such as https://example.com/events."))
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _refused(_("An address has no user name, no password and no fragment."))
    is_secure = parts.scheme == "https"
    if not is_secure and not settings.DSRHUB_WEBHOOK_HTTP:
        raise _refused(_("Not an address with https."))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(is_secure, host, port or (443 if is_secure else 80), path)


def addresses_of(target: Target) -> list[Address]:
    """The addresses that the host has now. All of them may be reached. Raises AddressRefused."""
    try:
        found = _look_ups.submit(_look_up, target).result(LOOK_UP_SECONDS)
    except TimeoutError:  # It is an OSError, too.
        raise _refused(_("Looking up the host %(host)s takes too long.") % {"host": target.host}) from None
    except (OSError, UnicodeError):
        raise _refused(_("The host %(host)s is not known.") % {"host": target.host}) from None
    for address in found:
        if not may_be_reached(address):
            raise _refused(
                _("The host %(host)s is at %(address)s, which is no public address.")
                % {"host": target.host, "address": str(address)}
            )
    return found


def may_be_reached(address: Address) -> bool:
    """Whether an address is a public one, or in a network that DSRHUB_WEBHOOK_NETWORKS lists."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if any(address in network for network in settings.DSRHUB_WEBHOOK_NETWORKS):
        return True
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    # These lead to an address of IPv4, or into a site.
    return not (isinstance(address, IPv6Address) and (address.sixtofour or address.teredo or address.is_site_local))


def _look_up(target: Target) -> list[Address]:
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    # An address of IPv6 may name an interface.
    return list(dict.fromkeys(ip_address(str(place[0]).partition("%")[0]) for *_rest, place in found))


def _refused(text: Text) -> AddressRefused:
    return AddressRefused(text, argument="url")
