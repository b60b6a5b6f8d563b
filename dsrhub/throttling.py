"""Rate limits. Counters are in the database, so that all processes of all servers share them."""

import math
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from dsrhub.access.tokens import TokenKeepingBackend
from dsrhub.http.addresses import client_network

# How long a failed attempt to sign in counts, in seconds.
SIGN_IN_WINDOW = 15 * 60
# A user name may fail this many times as often as an address, so that one address cannot lock a user out.
ADDRESSES_PER_NAME = 10
# How long an address is known as one from which a user signed in, in seconds.
KNOWN_FOR = 90 * 24 * 3600

# A window begins with the first count. `statement_timestamp()` advances within a transaction, unlike `now()`.
COUNT = """
    INSERT INTO dsrhub_tally AS tally (key, count, ends_at)
    VALUES (%(key)s, 1, statement_timestamp() + %(seconds)s * interval '1 second')
    ON CONFLICT (key) DO UPDATE SET
        count = CASE WHEN tally.ends_at > statement_timestamp() THEN tally.count + 1 ELSE 1 END,
        ends_at = CASE WHEN tally.ends_at > statement_timestamp() THEN tally.ends_at ELSE excluded.ends_at END
    RETURNING count, extract(epoch FROM ends_at - statement_timestamp())
"""
UNCOUNT = "UPDATE dsrhub_tally SET count = count - 1 WHERE key = %s AND count > 0"
# A row that counts nothing: it says that something happened before its end.
REMEMBER = """
    INSERT INTO dsrhub_tally (key, count, ends_at)
    VALUES (%(key)s, 1, statement_timestamp() + %(seconds)s * interval '1 second')
    ON CONFLICT (key) DO UPDATE SET ends_at = excluded.ends_at
"""
IS_KNOWN = "SELECT EXISTS (SELECT FROM dsrhub_tally WHERE key = %s AND ends_at > statement_timestamp())"
# Each new window deletes some expired ones, and skips rows that another process is deleting.
CLEAR = """
    DELETE FROM dsrhub_tally WHERE key IN (
        SELECT key FROM dsrhub_tally WHERE ends_at < statement_timestamp() LIMIT 100 FOR UPDATE SKIP LOCKED
    )
"""


class Allowance:
    """How often a client or a user may do something within a window of `seconds`."""

    def __init__(self, scope: str, who: str, *, limit: int, seconds: int) -> None:
        self._key = _key(scope, who)
        self._limit, self._seconds = limit, seconds

    def add(self) -> int:
        """Count one more. Return the seconds to wait if the limit is exceeded, else 0."""
        with connection.cursor() as cursor:
            cursor.execute(COUNT, {"key": self._key, "seconds": self._seconds})
            count, seconds_left = cursor.fetchone()
            if count == 1:
                cursor.execute(CLEAR)
        return math.ceil(seconds_left) if count > self._limit else 0

    def take_back(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(UNCOUNT, [self._key])


class AnonymousThrottle(BaseThrottle):
    """Limits requests of REST and GraphQL by users who are not signed in to DSRHUB_ANONYMOUS_RATE per address."""

    def allow_request(self, request: Request, view: Any) -> bool:
        if settings.DSRHUB_ANONYMOUS_RATE is None or (request.user and request.user.is_authenticated):
            return True
        limit, seconds = settings.DSRHUB_ANONYMOUS_RATE
        self._wait = Allowance("anonymous", client_network(request), limit=limit, seconds=seconds).add()
        if self._wait:
            # REST and GraphQL have different errors. Both send this header.
            view.headers["Retry-After"] = str(self._wait)
        return not self._wait

    def wait(self) -> float:
        return self._wait


class Attempt:
    """An attempt to prove with a password that a client is a user. It counts before the password is checked, so that
    parallel attempts cannot exceed the limit.

    Failures count for the address of the client and for the name. Where the user signed in before, only failures there
    count: neither those of others elsewhere nor those of neighbours behind the same address lock the user out.
    """

    def __init__(self, request: HttpRequest | Request, name: str) -> None:
        """Raises Throttled."""
        limit, network = settings.DSRHUB_SIGN_IN_FAILURES, client_network(request)
        there = f"{network} {name.casefold()}"
        self._known = _key("signed in", there)
        if _is_known(self._known):
            self._allowances = [Allowance("address and name", there, limit=limit, seconds=SIGN_IN_WINDOW)]
        else:
            of_name = limit * ADDRESSES_PER_NAME
            self._allowances = [
                _failures(network),
                Allowance("name", name.casefold(), limit=of_name, seconds=SIGN_IN_WINDOW),
            ]
        for allowance in self._allowances:
            if wait := allowance.add():
                raise Throttled(wait)

    def succeeded(self) -> None:
        """Do not count this attempt, and remember that the user signed in from this address."""
        for allowance in self._allowances:
            allowance.take_back()
        with connection.cursor() as cursor:
            cursor.execute(REMEMBER, {"key": self._known, "seconds": KNOWN_FOR})


def _failures(network: str) -> Allowance:
    """The failures of all kinds from an address."""
    return Allowance("address", network, limit=settings.DSRHUB_SIGN_IN_FAILURES, seconds=SIGN_IN_WINDOW)


def _key(scope: str, who: str) -> str:
    return salted_hmac("dsrhub.throttling", f"{scope} {who}", algorithm="sha256").hexdigest()


def _is_known(key: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(IS_KNOWN, [key])
        (is_known,) = cursor.fetchone()
    return bool(is_known)


class ThrottledBackend(TokenKeepingBackend):
    """Django's check of names and passwords, with a limit on failures."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """Raises Throttled before it checks the password."""
        if request is None or username is None:
            return super().authenticate(request, username, password, **kwargs)
        attempt = Attempt(request, username)
        user = super().authenticate(request, username, password, **kwargs)
        if user is not None:
            attempt.succeeded()
        return user


class ThrottledTokensMixin:
    """Counts invalid tokens as failures of the address. List it before the class that checks tokens.

    A valid token always works: nobody can guess one, and one outdated script must not lock out its whole network.
    """

    def authenticate(self, request: Request) -> Any:
        try:
            return super().authenticate(request)  # type: ignore[misc]
        except AuthenticationFailed:
            if wait := _failures(client_network(request)).add():
                raise Throttled(wait) from None
            raise


class ThrottledMiddleware:
    """The response to Throttled for pages, such as the admin's sign-in. REST has its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, Throttled):
            return None
        wait: int = exception.wait  # type: ignore[attr-defined]
        text = _("Too many failed attempts. Try again in %(wait)s seconds.") % {"wait": wait}
        headers = {"Retry-After": str(wait)}
        return HttpResponse(f"{text}\n", status=429, content_type="text/plain", headers=headers)
