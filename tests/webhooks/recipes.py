"""A recipe of model-bakery for webhooks. Events are written by the outbox."""

from model_bakery.recipe import Recipe

from dsrhub.webhooks.models import EventType, Webhook
from dsrhub.webhooks.signing import encrypted

SECRET = "whsec_c2VjcmV0IG9mIGEgdGVzdCwgd2hpY2ggcHJvdGVjdHMgbm90aGluZw=="
webhook = Recipe(
    Webhook,
    name="statistics",
    url="https://receiver.example/events",
    events=lambda: list(EventType.values),
    secret=lambda: encrypted(SECRET),
)
