"""The hosts that tests know, instead of a name server."""

from ipaddress import ip_address

# A public address. No test connects to it.
PUBLIC = "198.41.0.4"
HOSTS = {
    "receiver.example": [PUBLIC],
    "receiver.test": ["127.0.0.1"],
    ".receiver.test": ["127.0.0.1"],
    "mixed.example": [PUBLIC, "10.0.0.1"],
    "mapped.example": ["::ffff:127.0.0.1"],
}


def look_up(target):
    return [ip_address(one) for one in HOSTS.get(target.host, [])] or [_literal(target.host)]


def _literal(host):
    try:
        return ip_address(host)
    except ValueError:
        raise OSError("no such host") from None
