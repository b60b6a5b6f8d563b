"""The document of the events of webhooks for programs: AsyncAPI 3.0."""

from typing import Any

import yaml

from dsrhub.webhooks.payloads import PAYLOADS, Schema

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
        "data": PAYLOADS[name][1],
    }
    return {"type": "object", "properties": properties, "required": [*properties]}


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
