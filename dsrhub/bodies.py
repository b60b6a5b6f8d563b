"""Bounds on the body of a request. They hold before anything reads or stores the body."""

import gzip
import zlib
from collections.abc import Callable
from threading import BoundedSemaphore
from typing import Any, BinaryIO, ClassVar

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from dsrhub.refusals import refused_page
from dsrhub.texts import Text
from dsrhub.texts import gettext_lazy as _

# In bytes. Everybody may send such a body, to any address. dsrhub's worker class of gunicorn waits for it.
SMALL_BODY = 64 * 1024
# The size of a form without its files.
FORM_OVERHEAD = 64 * 1024
# What Content-Encoding may say.
PLAIN, PACKED = {"", "identity"}, {"gzip", "x-gzip"}
# How many larger bodies one process receives at a time. The server has more threads, which answer other requests.
LARGE_BODIES_AT_ONCE = 2


class BodyRefused(BadRequest):
    """A body that is not read. The connection cannot be used again."""

    status_code: ClassVar[int] = 400
    code: ClassVar[str]
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.text = text

    @property
    def message(self) -> str:
        """The text in the active language."""
        return self.text.translated()


class BodyTooLarge(BodyRefused):
    status_code, code = 413, "too_large"


class LengthMissing(BodyRefused):
    status_code, code = 411, "length_required"


class UnknownCoding(BodyRefused):
    status_code, code, headers = 415, "unsupported_encoding", {"Accept-Encoding": "gzip"}


class BodyDamaged(BodyRefused):
    status_code, code = 400, "gzip_damaged"


class TooManyBodies(BodyRefused):
    status_code, code, headers = 503, "busy", {"Retry-After": "10"}


def body_limit(request: HttpRequest) -> int:
    """The number of bytes that the user of a request may send to its address."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return SMALL_BODY
    needed = settings.UPLOAD_PERMISSIONS.get(request.path_info.strip("/"))
    if needed is not None and user.has_perm(needed):
        limit: int = settings.DSRHUB_UPLOAD_LIMIT_BYTES + FORM_OVERHEAD
        return limit
    return max(SMALL_BODY, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


def content_length(request: HttpRequest) -> int:
    """The length of the body, as Django understands it."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


class BoundedBody:
    """The body of a request, which is refused when something begins to read it.

    At that time, the view of REST has authenticated the user. For a form of the admin, the session does: the check of
    its CSRF token reads the body.
    """

    _slots = BoundedSemaphore(LARGE_BODIES_AT_ONCE)

    def __init__(self, request: HttpRequest, *, is_packed: bool) -> None:
        self._request = request
        self._stream: BinaryIO | UnpackedBody = request._stream
        self._is_packed = is_packed
        self._is_admitted = self._has_slot = False

    def read(self, size: int = -1) -> bytes:
        self._admit()
        return self._stream.read(size)

    def readline(self, size: int = -1) -> bytes:
        self._admit()
        return self._stream.readline(size)

    def close(self) -> None:
        self._stream.close()

    def _admit(self) -> None:
        length = content_length(self._request)
        if self._is_admitted or (length <= SMALL_BODY and not self._is_packed):
            return
        limit = body_limit(self._request)
        if length > limit:
            raise too_large(limit)
        if length > SMALL_BODY:
            if not self._slots.acquire(blocking=False):
                raise TooManyBodies(_("The server is busy with other uploads. Try again in a few seconds."))
            self._has_slot = True
        if self._is_packed:
            self._stream = UnpackedBody(self._stream, limit)
        self._is_admitted = True

    def release(self) -> None:
        if self._has_slot:
            self._has_slot = False
            self._slots.release()


class UnpackedBody:
    """The content of a body that is compressed with gzip. The limit of the body holds for its content as well."""

    def __init__(self, packed: Any, limit: int) -> None:
        self._file = gzip.GzipFile(fileobj=packed)
        self._limit = self._left = limit

    def read(self, size: int = -1) -> bytes:
        return self._unpacked(self._file.read, size)

    def readline(self, size: int = -1) -> bytes:
        return self._unpacked(self._file.readline, size)

    def close(self) -> None:
        self._file.close()

    def _unpacked(self, read: Callable[[int], bytes], size: int) -> bytes:
        most = self._left + 1  # One byte more shows that the content is too large.
        try:
            data = read(most if size < 0 else min(size, most))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise BodyDamaged(_("The body is not the gzip that its Content-Encoding says.")) from error
        self._left -= len(data)
        if self._left < 0:
            raise too_large(self._limit)
        return data


def too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(_("The request may have at most %(limit)s bytes.") % {"limit": limit})


class BodyMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "Transfer-Encoding" in request.headers:
            # Django ignores a body without a length.
            return refusal(request, LengthMissing(_("The request must have a Content-Length.")))
        coding = request.headers.get("Content-Encoding", "").strip().lower()
        if coding not in PLAIN | PACKED:
            return refusal(request, UnknownCoding(_("The Content-Encoding of a request can only be gzip.")))
        body = request._stream = BoundedBody(request, is_packed=coding in PACKED)  # type: ignore[assignment]
        try:
            return self.get_response(request)
        finally:
            body.release()


def refusal(request: HttpRequest, error: BodyRefused) -> HttpResponse:
    """The response of pages and of addresses outside the REST views, which have their own handler of errors."""
    if request.path_info.startswith("/admin/"):
        return refused_page(request, error.message, status=error.status_code, headers=error.headers)
    content = {"detail": error.message, "code": error.code}
    return JsonResponse(content, status=error.status_code, headers=error.headers)
