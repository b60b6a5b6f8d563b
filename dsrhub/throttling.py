"""How often something may be done. It is counted in the database: all processes of all servers count together."""

import math
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

# Failed attempts to sign in count for so many seconds.
SIGN_IN_WINDOW = 15 * 60
# A name may fail from several addresses, so that nobody shuts a user out with a few wrong passwords.
ADDRESSES_PER_NAME = 10

# A window begins with the first count. `statement_timestamp()` goes on within a transaction.
COUNT = """
    INSERT INTO dsrhub_tally AS tally (key, count, ends_at)
    VALUES (%(key)s, 1, statement_timestamp() + %(seconds)s * interval '1 second')
    ON CONFLICT (key) DO UPDATE SET
        count = CASE WHEN tally.ends_at > statement_timestamp() THEN tally.count + 1 ELSE 1 END,
        ends_at = CASE WHEN tally.ends_at > statement_timestamp() THEN tally.ends_at ELSE excluded.ends_at END
    RETURNING count, extract(epoch FROM ends_at - statement_timestamp())
"""
UNCOUNT = "UPDATE dsrhub_tally SET count = count - 1 WHERE key = %s AND count > 0"
# Each new window clears some that are over, and waits for nobody who does the same.
CLEAR = """
    DELETE FROM dsrhub_tally WHERE key IN (
        SELECT key FROM dsrhub_tally WHERE ends_at < statement_timestamp() LIMIT 100 FOR UPDATE SKIP LOCKED
    )
"""


class Allowance:
    """How often somebody may do something in a window of some seconds."""

    def __init__(self, scope: str, who: str, *, limit: int, seconds: int) -> None:
        self._key = salted_hmac("dsrhub.throttling", f"{scope} {who}", algorithm="sha256").hexdigest()
        self._limit, self._seconds = limit, seconds

    def add(self) -> int:
        """Count one more; how many seconds to wait if that is too many, else 0."""
        with connection.cursor() as cursor:
            cursor.execute(COUNT, {"key": self._key, "seconds": self._seconds})
            count, seconds_left = cursor.fetchone()
            if count == 1:
                cursor.execute(CLEAR)
        return math.ceil(seconds_left) if count > self._limit else 0

    def take_back(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(UNCOUNT, [self._key])


def client_address(request: HttpRequest | Request) -> str:
    """Who asks, as far as an address tells: of IPv6, the network that one customer has."""
    address: str = request.META.get("REMOTE_ADDR", "")
    if settings.DSRHUB_BEHIND_PROXY:
        # The last is the one that our proxy saw; those before it are the client's own words.
        address = request.META.get("HTTP_X_FORWARDED_FOR", address).rpartition(",")[2].strip()
    try:
        number = ip_address(address)
    except ValueError:
        return address
    if isinstance(number, IPv6Address):
        return str(number.ipv4_mapped or IPv6Address(int(number) >> 64 << 64))
    return address


class AnonymousThrottle(BaseThrottle):
    """Of REST and GraphQL: DSRHUB_ANONYMOUS_RATE for each address that is not signed in; without it, no limit."""

    def allow_request(self, request: Request, view: Any) -> bool:
        if settings.DSRHUB_ANONYMOUS_RATE is None or (request.user and request.user.is_authenticated):
            return True
        limit, seconds = settings.DSRHUB_ANONYMOUS_RATE
        self._wait = Allowance("anonymous", client_address(request), limit=limit, seconds=seconds).add()
        if self._wait:
            # Whatever a door's errors look like, they have this header.
            view.headers["Retry-After"] = str(self._wait)
        return not self._wait

    def wait(self) -> float:
        return self._wait


class ThrottledBackend(ModelBackend):
    """Names and passwords as Django checks them, for every door: an address, and a name, may fail so often."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """Raises Throttled before the password is looked at."""
        if request is None or username is None:
            return super().authenticate(request, username, password, **kwargs)
        limit = settings.DSRHUB_SIGN_IN_FAILURES
        allowances = [
            Allowance("address", client_address(request), limit=limit, seconds=SIGN_IN_WINDOW),
            Allowance("name", username.casefold(), limit=limit * ADDRESSES_PER_NAME, seconds=SIGN_IN_WINDOW),
        ]
        # Each attempt counts before it is made: of many at once, no more are let through.
        for allowance in allowances:
            if wait := allowance.add():
                raise Throttled(wait)
        user = super().authenticate(request, username, password, **kwargs)
        if user is not None:
            for allowance in allowances:
                allowance.take_back()
        return user


class ThrottledMiddleware:
    """The answer of pages, such as the admin's sign-in, where REST has its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, Throttled):
            return None
        wait: int = exception.wait  # type: ignore[attr-defined]
        text = f"Too many failed attempts. Try again in {wait} seconds.\n"
        headers = {"Retry-After": str(wait)}
        return HttpResponse(text, status=429, content_type="text/plain", headers=headers)
