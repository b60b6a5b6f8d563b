"""The OpenAPI document."""

from functools import cache
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from django.urls import get_script_prefix
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from rest_framework.request import Request

# For a document that a command writes: the address of the README's first command.
DEFAULT_SERVER = "http://localhost:8000/"


class DocumentGenerator(SchemaGenerator):
    """The generator of the document, in English, with the server that it was requested from."""

    def get_schema(self, request: Request | None = None, public: bool = False) -> dict[str, Any]:
        document = _document(is_private=settings.DSRHUB_PRIVATE, public=public)
        return document | {"servers": [{"url": _server(request)}]}


@cache
def _document(*, is_private: bool, public: bool) -> dict[str, Any]:
    """The document without its server, made once per process: that takes longer than most other answers.

    It is made from the views, which ask themselves whether reads are private.
    """
    with translation.override("en"):
        return cast("dict[str, Any]", SchemaGenerator().get_schema(public=public))  # type: ignore[no-untyped-call]


def _server(request: HttpRequest | Request | None) -> str:
    """The address that the document was requested from. Django has checked its host (DSRHUB_ALLOWED_HOSTS)."""
    return request.build_absolute_uri(get_script_prefix()) if request else DEFAULT_SERVER
