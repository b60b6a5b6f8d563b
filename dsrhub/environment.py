"""Settings from environment variables. An invalid value stops the start with an error that names the variable."""

import os
import re
import secrets
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ImproperlyConfigured

from dsrhub.stores.addresses import Address, InvalidAddress, parsed_address
from dsrhub.values.numbers import AMOUNT

TRUE_WORDS = {"1", "true", "yes", "on"}
FALSE_WORDS = {"0", "false", "no", "off"}
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 24 * 3600}


def env_bool(name: str, *, default: bool) -> bool:
    word = os.environ.get(name, "").strip().lower()
    if not word:
        return default
    if word in TRUE_WORDS | FALSE_WORDS:
        return word in TRUE_WORDS
    raise ImproperlyConfigured(f"{name}={word!r} is neither true nor false.")


def env_int(name: str, *, default: int, minimum: int = 0, maximum: int | None = None) -> int:
    word = os.environ.get(name, "").strip()
    if not word:
        return default
    if not (word.isascii() and word.isdigit()) or int(word) < minimum:
        raise ImproperlyConfigured(f"{name}={word!r} is not a whole number of at least {minimum}.")
    if maximum is not None and int(word) > maximum:
        raise ImproperlyConfigured(f"{name}={word!r} is more than {maximum}.")
    return int(word)


def env_factor(name: str, *, default: str) -> Decimal:
    """A factor of more than 1, such as `1.5`; 0 turns off what it decides."""
    word = os.environ.get(name, "").strip() or default
    if not re.fullmatch(AMOUNT, word) or 0 < Decimal(word) <= 1:
        raise ImproperlyConfigured(f"{name}={word!r} is neither 0 nor a number of more than 1, such as 1.5.")
    return Decimal(word)


def env_list(name: str) -> list[str]:
    """The comma-separated words of a variable, without blank ones."""
    return [word for word in (part.strip() for part in os.environ.get(name, "").split(",")) if word]


ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?")


def env_origins(name: str) -> list[str]:
    """Origins such as `https://reports.example`, separated by commas. `*` stands for all of them."""
    origins = env_list(name)
    for origin in origins:
        if origin != "*" and not ORIGIN.fullmatch(origin):
            raise ImproperlyConfigured(f"{name}={origin!r} is not an origin such as https://reports.example.")
    return origins


def env_networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Networks such as `10.1.0.0/16`, separated by commas."""
    networks = []
    for word in env_list(name):
        try:
            networks.append(ip_network(word))
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}={word!r} is not a network such as 10.1.0.0/16.") from error
    return networks


def env_addresses(name: str) -> list[Address]:
    """Addresses of folders, separated by commas. An error does not repeat them, as they may contain passwords."""
    try:
        addresses = [parsed_address(word) for word in env_list(name)]
    except InvalidAddress as error:
        raise ImproperlyConfigured(f"{name} has an invalid address. {error}") from None
    if len({address.shown for address in addresses}) < len(addresses):
        raise ImproperlyConfigured(f"{name} names a folder twice.")
    return addresses


def env_rate(name: str) -> tuple[int, int] | None:
    """A rate such as `600/minute`, as a count and a number of seconds; None if the variable is not set."""
    word = os.environ.get(name, "").strip()
    if not word:
        return None
    found = re.fullmatch(f"([1-9][0-9]{{0,8}})/({'|'.join(SECONDS)})", word)
    if found is None:
        raise ImproperlyConfigured(f"{name}={word!r} is not a rate such as 600/minute.")
    return int(found[1]), SECONDS[found[2]]


def env_token(name: str) -> str:
    """A secret that nobody guesses, as it is sent in a header; empty if the variable is not set."""
    word = os.environ.get(name, "")
    if word and not re.fullmatch("[!-~]{16,}", word):
        raise ImproperlyConfigured(f"{name} must have at least 16 letters, digits or signs of ASCII, and no spaces.")
    return word


def env_time_zone(name: str, *, default: str) -> str:
    word = os.environ.get(name, "").strip() or default
    try:
        return ZoneInfo(word).key
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise ImproperlyConfigured(f"{name}={word!r} is not a time zone such as Europe/Madrid.") from error


def generated_secret(path: Path) -> str:
    """The secret in the file `path`, which is created on first use and readable by its owner only.

    It is written to a draft and linked into place, so that two processes that start at once use the same secret.
    """
    try:
        return path.read_text()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(64))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text()
