"""Who is doing the current work, from which address, and through which door."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.http import HttpRequest

from dsrhub.http.addresses import client_address


class Door(StrEnum):
    """The ways into dsrhub."""

    ADMIN = "admin"
    REST = "rest"
    GRAPHQL = "graphql"
    COMMAND = "command"
    WORKER = "worker"
    FOLDER = "folder"


@dataclass(frozen=True)
class Actor:
    """The user who does the current work. `system_user` is the user of the machine who runs a command, `key` the first
    part of the key that a request came with, and `folder` the address of the drop folder in which a delivery was."""

    door: Door
    user: Any = None
    address: str = ""
    system_user: str = ""
    key: str = ""
    folder: str = ""


# The user of a request is known only after its view has begun, so the request itself is kept.
_source: ContextVar[HttpRequest | Actor | None] = ContextVar("source", default=None)


@contextmanager
def acting(source: HttpRequest | Actor) -> Iterator[None]:
    """Do the block on behalf of the user of a request, or of somebody who queued the work."""
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)


def current_actor() -> Actor:
    """Whoever does the current work. What neither a request nor a worker's job has begun is a command."""
    source = _source.get()
    if source is None:
        return Actor(Door.COMMAND, system_user=_system_user())
    if isinstance(source, Actor):
        return source
    user = getattr(source, "user", None)
    is_known = user is not None and user.is_authenticated
    key = getattr(user, "key", "") if is_known else ""
    return Actor(_door(source.path_info), user if is_known else None, client_address(source), key=key)


def _door(path: str) -> Door:
    if path.startswith("/admin/"):
        return Door.ADMIN
    return Door.GRAPHQL if path.rstrip("/") == "/graphql" else Door.REST


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # The user of a container may have no name.
        return str(os.getuid())
