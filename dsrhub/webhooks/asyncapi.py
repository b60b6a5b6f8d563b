"""The document of the events of webhooks for programs: AsyncAPI 3.0."""

from functools import cache
from types import UnionType
from typing import Annotated, Any, NotRequired, get_args, get_origin, get_type_hints

import yaml

from dsrhub.webhooks.payloads import PAYLOADS

Schema = dict[str, Any]

PLAIN: dict[type, Schema] = {int: {"type": "integer", "minimum": 0}, str: {"type": "string"}}
HEADERS = {
    "webhook-id": "The id of the event. It is the same each time that the event is sent.",
    "webhook-timestamp": "When this attempt was made, in seconds since 1970.",
    "webhook-signature": "One or more signatures, separated by spaces: `v1,` and an HMAC-SHA256 in base64.",
}
ANY_STATUS = "Any status from 200 to 299 accepts an event. Everything else is a failure, after which it is sent again."
INTRODUCTION = (
    "The events that dsrhub sends to webhooks, each as one POST of JSON to the address that was registered with "
    "`POST /webhooks/`. They follow Standard Webhooks. An event can come more than once. New properties may be added."
)


def asyncapi_text() -> str:
    """The document as YAML, the same for each call."""
    return yaml.safe_dump(asyncapi_document(), sort_keys=False, allow_unicode=True, width=110)


def asyncapi_document() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "dsrhub webhooks", "version": "1.0.0", "description": INTRODUCTION},
        "defaultContentType": "application/json",
        "channels": {
            "webhook": {
                "address": None,
                "description": "The address of a webhook.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in PAYLOADS},
            }
        },
        "operations": {
            "sendEvent": {
                "action": "send",
                "channel": {"$ref": "#/channels/webhook"},
                "summary": "Send an event to a webhook that listens for its type.",
                "description": ANY_STATUS,
                "messages": [{"$ref": f"#/channels/webhook/messages/{name}"} for name in PAYLOADS],
                "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
            }
        },
        "components": {
            "messages": {name: _message(name, summary) for name, (summary, _) in PAYLOADS.items()},
            "schemas": {name: event_schema(name) for name in PAYLOADS} | {"headers": _headers()},
        },
    }


def event_schema(name: str) -> Schema:
    """The JSON schema of an event of a type, as its receiver gets it."""
    properties = {
        "type": {"const": name},
        "timestamp": {"type": "string", "format": "date-time", "description": "When it happened, in UTC."},
        "data": _data(PAYLOADS[name][1]),
    }
    return {"type": "object", "properties": properties, "required": [*properties]}


def _data(payload: type) -> Schema:
    properties = _properties(payload)
    required = [name for name in properties if name in payload.__required_keys__]  # type: ignore[attr-defined]
    return {"type": "object", "properties": properties, "required": required}


@cache
def _properties(payload: type) -> Schema:
    return {name: _schema(kind) for name, kind in get_type_hints(payload, include_extras=True).items()}


def _schema(kind: Any) -> Schema:
    """The schema of a type: of a plain one, of a list of one, or of one or None; with what is said about it."""
    origin, inner = get_origin(kind), (get_args(kind) or (kind,))[0]
    if origin is Annotated:
        return _described(kind)
    if origin is list:
        return {"type": "array", "items": _schema(inner)}
    if origin is UnionType:  # of a type and None
        return _schema(inner) | {"type": [_schema(inner)["type"], "null"]}
    return _schema(inner) if origin is NotRequired else PLAIN[kind]


@cache
def _described(kind: Any) -> Schema:
    """The same object for each event that has a property: the YAML then has it once."""
    inner, about = get_args(kind)
    described: Schema = _schema(inner) | about.schema
    return described


def _message(name: str, summary: str) -> dict[str, Any]:
    return {
        "name": name,
        "summary": summary,
        "headers": {"$ref": "#/components/schemas/headers"},
        "payload": {"$ref": f"#/components/schemas/{name}"},
    }


def _headers() -> Schema:
    texts = {name: {"type": "string", "description": description} for name, description in HEADERS.items()}
    return {"type": "object", "properties": texts, "required": [*texts]}
