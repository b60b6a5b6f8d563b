"""The examples of the REST endpoints of webhooks."""

from drf_spectacular.utils import OpenApiExample

SENT = {
    "name": "statistics",
    "url": "https://receiver.example/events",
    "events": ["dsr.ingested", "usage.limit_reached"],
}
ONE = {
    "id": 1,
    **SENT,
    "enabled": True,
    "disabled_reason": "",
    "disabled_at": None,
    "old_secret_until": None,
    "failing_since": None,
    "failures": 0,
    "created_at": "2026-01-31T09:00:00.123456Z",
}
WAITING = {
    "id": 9,
    "message_id": "msg_0f8fad5bd9cb469fa16570867728950e",
    "type": "webhook.test",
    "subject": "test:0f8fad5b",
    "at": "2026-02-12T08:30:00.123456Z",
    "content": {"type": "webhook.test", "timestamp": "2026-02-12T08:30:00.123456Z", "data": {"webhook": 1}},
    "state": "waiting",
    "attempts": 0,
    "due_at": "2026-02-12T08:30:00.123456Z",
    "ended_at": None,
    "passed_over_at": None,
    "answers": [],
}
DELIVERED = WAITING | {
    "state": "delivered",
    "attempts": 1,
    "due_at": None,
    "ended_at": "2026-02-12T08:30:01.234567Z",
    "answers": [{"at": "2026-02-12T08:30:01.234567Z", "status": 204, "body": "", "error": "", "seconds": 0.042}],
}
NEW_WEBHOOK = OpenApiExample("A new one", value=SENT, request_only=True)
CHANGES = [
    OpenApiExample("Other events", value={"events": ["dsr.failed"]}, request_only=True),
    OpenApiExample("Enable it again", value={"enabled": True}, request_only=True),
]
WEBHOOK = OpenApiExample("A webhook", value=ONE, response_only=True)
SECRET = OpenApiExample(
    "With its secret",
    value={"webhook": ONE, "secret": "whsec_ZG8gbm90IHVzZSB0aGlzLCBpdCBpcyBhIHNhbXBsZS4="},
    response_only=True,
)
DELIVERY = OpenApiExample("One that was accepted", value=DELIVERED, response_only=True)
TEST_DELIVERY = OpenApiExample("A test that is due", value=WAITING, response_only=True, status_codes=["202"])
RESENT = OpenApiExample(
    "One that is due again",
    value=WAITING | {"answers": DELIVERED["answers"]},
    response_only=True,
    status_codes=["202"],
)
