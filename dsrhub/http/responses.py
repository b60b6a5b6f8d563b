"""What responses get beyond their content: compression, the rules for caches, and access for pages of other sites."""

import hashlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import get_conditional_response, patch_cache_control, patch_vary_headers
from django.utils.http import quote_etag

from dsrhub.http.negotiation import listed

# Data. Pages and scripts are not listed: they contain CSRF tokens.
DATA = {
    "application/json",
    "application/graphql-response+json",
    "application/vnd.oai.openapi",
    "application/vnd.oai.openapi+json",
    "text/csv",
    "text/tab-separated-values",
}


def is_data(response: HttpResponseBase) -> bool:
    return response.get("Content-Type", "").partition(";")[0].strip().lower() in DATA


class CompressionMiddleware(GZipMiddleware):
    """Compress data for clients that accept gzip. Streamed responses stay streamed.

    Pages are not compressed: the length of a compressed page with a secret and a text of an attacker gives the secret
    away, letter by letter (BREACH). In data there are no CSRF tokens, and Django adds random bytes.
    """

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        if not is_data(response):
            return response
        accepted = listed(request.headers.get("Accept-Encoding", ""))
        if any(coding.name in ("gzip", "x-gzip") and coding.weight > 0 for coding in accepted):
            # Django looks for this name in lower case.
            request.META["HTTP_ACCEPT_ENCODING"] = "gzip"
            return super().process_response(request, response)
        patch_vary_headers(response, ["Accept-Encoding"])
        return response


class CachingMiddleware:
    """Say which responses a cache may keep.

    A cache may keep none for callers who sign in, and none at all while DSRHUB_PRIVATE is on. The header or the cookie
    decides, whether it is valid or not. It may keep public data, and must ask before each use whether they still hold:
    they change with each import. Static files are answered before, and may be cached.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not (is_data(response) and response.status_code == HTTPStatus.OK):
            # Pages and errors. Data are the same in all languages; a view with texts in its data says so itself.
            patch_vary_headers(response, ["Accept-Language", "Cookie"])
        signs_in = "Authorization" in request.headers or settings.SESSION_COOKIE_NAME in request.COOKIES
        if settings.DSRHUB_PRIVATE or signs_in:
            patch_cache_control(response, private=True, no_store=True)
        elif request.method in ("GET", "HEAD") and _is_public_data(response):
            patch_cache_control(response, public=True, no_cache=True)
            patch_vary_headers(response, ["Authorization", "Cookie"])
            return _with_etag(request, response)
        return response


def _is_public_data(response: HttpResponseBase) -> bool:
    is_open = "Cache-Control" not in response and not response.cookies
    return response.status_code == HTTPStatus.OK and is_data(response) and is_open


def _with_etag(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """The response with the hash of its content, or 304 if the client has the same content.

    A streamed response has no hash. The link to the next page counts, as it can appear while the page stays the same.
    """
    if not isinstance(response, HttpResponse) or not response.content:
        return response
    digest = hashlib.sha256(response.get("Link", "").encode() + b"\n" + response.content)
    etag = quote_etag(digest.hexdigest()[:32])
    response["ETag"] = etag
    conditional: HttpResponseBase = get_conditional_response(request, etag=etag, response=response) or response
    return conditional


# --- Pages of other sites --------------------------------------------------------------------------------------

# Headers that scripts may send and read, beyond those that browsers always allow.
ALLOWED_HEADERS = "Authorization, Content-Type, Content-Encoding, If-None-Match, X-Request-ID"
EXPOSED_HEADERS = "Link, as_of, ETag, Retry-After, WWW-Authenticate, X-Request-ID"
ALLOWED_METHODS = "GET, HEAD, POST, DELETE"
PREFLIGHT_SECONDS = "600"


class CorsMiddleware:
    """Let scripts of the sites in DSRHUB_CORS_ORIGINS use REST and GraphQL (CORS of the Fetch standard).

    Such a site acts by a token, or as anybody: browsers do not show it what they got with the user's cookies.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        origins = settings.DSRHUB_CORS_ORIGINS
        if not origins or request.path_info.startswith("/admin/"):
            return self.get_response(request)
        origin = request.headers.get("Origin", "")
        is_allowed = bool(origin) and ("*" in origins or origin in origins)
        if is_allowed and request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response: HttpResponseBase = HttpResponse(status=204)
            response["Access-Control-Allow-Methods"] = ALLOWED_METHODS
            response["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
            response["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
        else:
            response = self.get_response(request)
        patch_vary_headers(response, ["Origin"])
        if is_allowed:
            response["Access-Control-Allow-Origin"] = origin
            response["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        return response
