"""Bounds on the body of a request. They hold before anything reads or stores the body."""

import gzip
import zlib
from collections.abc import Callable
from threading import BoundedSemaphore
from typing import Any, BinaryIO, ClassVar

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from dsrhub.http.refusals import refused_page
from dsrhub.texts.marked import Text
from dsrhub.texts.marked import gettext_lazy as _

# In bytes. Everybody may send such a body, to any address. dsrhub's worker class of gunicorn waits for it.
SMALL_BODY = 64 * 1024
# The size of a form without its files.
FORM_OVERHEAD = 64 * 1024
# What Content-Encoding may say.
PLAIN, PACKED = {"", "identity"}, {"gzip", "x-gzip"}
# How many larger bodies one process receives at a time, and beside them how many requests with records, small ones
# too. The server has more threads, which answer other requests.
LARGE_BODIES_AT_ONCE, RECORDS_AT_ONCE = 2, 2


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


class TooManyRecords(BodyRefused):
    status_code, code, headers = 429, "busy", {"Retry-After": "1"}


def body_limit(request: HttpRequest) -> int:
    """The number of bytes that the user of a request may send to its address."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return SMALL_BODY
    path = request.path_info.strip("/")
    limits = (
        (settings.RECORDS_PERMISSIONS, settings.DSRHUB_RECORDS_BYTES),
        (settings.UPLOAD_PERMISSIONS, settings.DSRHUB_UPLOAD_LIMIT_BYTES + FORM_OVERHEAD),
    )
    for permissions, limit in limits:
        if path in permissions and user.has_perm(permissions[path]):
            return int(limit)
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
    _record_slots = BoundedSemaphore(RECORDS_AT_ONCE)

    def __init__(self, request: HttpRequest, *, is_packed: bool) -> None:
        self._request = request
        self._stream: BinaryIO | UnpackedBody = request._stream
        self._is_packed = is_packed
        self._is_admitted = False
        self._slot: BoundedSemaphore | None = None
        self._has_records = request.path_info.strip("/") in settings.RECORDS_PERMISSIONS

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
        is_small = length <= SMALL_BODY and not self._is_packed and not self._has_records
        if self._is_admitted or is_small:
            return
        limit = body_limit(self._request)
        if length > limit:
            raise too_large(limit)
        if self._has_records:
            self._take(self._record_slots, TooManyRecords(_("The server is busy with other records. Try again soon.")))
        elif length > SMALL_BODY:
            busy = _("The server is busy with other uploads. Try again in a few seconds.")
            self._take(self._slots, TooManyBodies(busy))
        if self._is_packed:
            self._stream = UnpackedBody(self._stream, limit)
        self._is_admitted = True

    def _take(self, slots: BoundedSemaphore, refusal: BodyRefused) -> None:
        """Take a slot until the end of the request."""
        if not slots.acquire(blocking=False):
            raise refusal
        self._slot = slots

    def release(self) -> None:
        if self._slot is not None:
            self._slot.release()
            self._slot = None


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
