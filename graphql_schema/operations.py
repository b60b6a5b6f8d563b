"""The operation that a request contains: in its body, or in its address."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from django.http import QueryDict

from dsrhub.texts.marked import Text
from dsrhub.texts.marked import gettext_lazy as _
from graphql_schema.errors import RequestRefused
from graphql_schema.scalars import JSONNumber


class NotJSON(RequestRefused):
    status = 400


class PersistedQueryNotSupported(RequestRefused):
    """A request that names a query by its hash. Clients know the error by its message or code, and send the query."""

    code = "PERSISTED_QUERY_NOT_SUPPORTED"
    # Some clients read the errors of a response in JSON only if its status is that of a success.
    json_status = 200

    def __init__(self) -> None:
        super().__init__(Text.made("PersistedQueryNotSupported"))  # by which clients know it, so in no other language


@dataclass(frozen=True)
class Operation:
    query: str
    variables: dict[str, Any]
    name: str | None

    @classmethod
    def from_body(cls, body: bytes) -> Self:
        """Raises RequestRefused."""
        try:
            content = _parsed(body.decode())
        except (ValueError, RecursionError):
            raise NotJSON(_("The body must be JSON.")) from None
        if not isinstance(content, dict):
            raise RequestRefused(_("The body must be one JSON object. Batches of operations are not supported."))
        return cls._from_parameters(content)

    @classmethod
    def from_address(cls, query: QueryDict) -> Self:
        """Raises RequestRefused."""
        parameters: dict[str, Any] = {}
        for name in ("query", "operationName", "variables", "extensions"):
            texts = query.getlist(name)
            if len(texts) > 1:
                raise RequestRefused(_("Send `%(name)s` once.") % {"name": name})
            if texts and texts[0]:
                parameters[name] = texts[0]
        for name in parameters.keys() & {"variables", "extensions"}:
            try:
                parameters[name] = _parsed(parameters[name])
            except (ValueError, RecursionError):
                raise RequestRefused(_("`%(name)s` must be JSON.") % {"name": name}) from None
        return cls._from_parameters(parameters)

    @classmethod
    def _from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        names = ("query", "variables", "operationName", "extensions")
        query, variables, name, extensions = (parameters.get(key) for key in names)
        for key, value in (("variables", variables), ("extensions", extensions)):
            if not isinstance(value, dict | None):
                raise RequestRefused(_("`%(key)s` must be an object.") % {"key": key})
        if not isinstance(name, str | None):
            raise RequestRefused(_("`operationName` must be a string."))
        if query is None and "persistedQuery" in (extensions or {}):
            raise PersistedQueryNotSupported
        if not isinstance(query, str) or not query.strip():
            raise RequestRefused(_("`query` must be a non-empty string."))
        return cls(query, variables or {}, name or None)


def _parsed(text: str) -> Any:
    return json.loads(text, parse_float=JSONNumber, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON.")
