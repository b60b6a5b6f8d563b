"""The server that the OpenAPI document names."""

from typing import Any

from django.http import HttpRequest
from django.urls import get_script_prefix

# For a document that a command writes: the address of the README's first command.
DEFAULT = "http://localhost:8000/"


def name_server(result: dict[str, Any], request: HttpRequest | None, **_: Any) -> dict[str, Any]:
    """Name the address that the document was requested from. Django has checked its host (DSRHUB_ALLOWED_HOSTS)."""
    address = request.build_absolute_uri(get_script_prefix()) if request else DEFAULT
    return result | {"servers": [{"url": address}]}
