"""Addresses of folders: `/srv/incoming`, `s3://bucket/path`, `sftp://user@host:22/path`. Knows no Django."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import SplitResult, unquote, urlsplit

from dsrhub.exceptions import DsrhubError
from dsrhub.texts.marked import gettext_lazy as _

BUCKET = re.compile("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class InvalidAddress(DsrhubError):
    """A text is no address of a folder. The error does not repeat it: it may contain a password."""

    code: ClassVar[str] = "invalid_address"


@dataclass(frozen=True)
class Address:
    """The address of a folder. `shown` has no password, and is the same for the same place.

    Only SFTP has a host, a port, a user and a password. The path of a bucket is `bucket/path`.
    """

    scheme: str
    shown: str
    path: str
    host: str = ""
    port: int | None = None
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"<Address {self.shown}>"

    def __str__(self) -> str:
        return self.shown


def parsed_address(text: str) -> Address:
    """The address in a text. Raises InvalidAddress."""
    if text.startswith("/"):
        path = str(Path(text).resolve())
        return Address("file", path, path)
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - it is checked here
    except ValueError as error:
        raise _invalid() from error
    if parts.query or parts.fragment or not text.isprintable():
        raise _invalid()
    if parts.scheme == "s3":
        return _of_bucket(parts)
    if parts.scheme == "sftp":
        return _of_server(parts)
    raise _invalid()


def _of_bucket(parts: SplitResult) -> Address:
    path = parts.path.strip("/")
    if not BUCKET.fullmatch(parts.netloc) or "//" in path:
        raise _invalid()
    whole = f"{parts.netloc}/{path}".rstrip("/")
    return Address("s3", f"s3://{whole}", whole)


def _of_server(parts: SplitResult) -> Address:
    path = f"/{unquote(parts.path).strip('/')}"
    if not parts.hostname or path == "/" or ".." in path.split("/"):
        raise _invalid()
    user = unquote(parts.username) if parts.username else None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = f"{f'{parts.username}@' if user else ''}{host}{f':{parts.port}' if parts.port else ''}"
    return Address(
        "sftp",
        f"sftp://{place}{path}",
        path,
        host=parts.hostname,
        port=parts.port,
        user=user,
        password=unquote(parts.password) if parts.password else None,
    )


def _invalid() -> InvalidAddress:
    return InvalidAddress(
        _(
            "This is not the address of a folder. It is an absolute path, s3://bucket/path, or "
            "sftp://user@host/path with an absolute path."
        )
    )
