"""The parameters and answers of the REST endpoints of webhooks."""

import json
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dsrhub.api.fields import Int64Field, TextField, TruthField, WholeNumberField
from dsrhub.api.pages import PageParameters
from dsrhub.api.parameters import Body
from dsrhub.webhooks.models import Delivery, EventType
from dsrhub.webhooks.services import LONGEST_NAME
from dsrhub.webhooks.targets import LONGEST_URL

# A delivery has the whole event, with all ids of a message.
LARGEST_PAGE = 100

# --- Parameters ------------------------------------------------------------------------------------------------


class EventsField(serializers.MultipleChoiceField):
    """A list of types of events, in their own order. Unlike those of a list field, its errors name no positions."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        chosen = super().to_internal_value(data)  # type: ignore[arg-type]
        return [kind for kind in EventType.values if kind in chosen]


class WebhookBody(Body):
    """A new webhook."""

    name = TextField(max_length=LONGEST_NAME, help_text="Who receives the events, and what for.")
    url = TextField(max_length=LONGEST_URL, help_text="An address with https, at a public host.")
    events = EventsField(choices=EventType.choices, allow_empty=False)


class WebhookChangeBody(Body):
    """What changes of a webhook. The rest stays."""

    name = TextField(max_length=LONGEST_NAME, required=False)
    url = TextField(max_length=LONGEST_URL, required=False)
    events = EventsField(choices=EventType.choices, allow_empty=False, required=False)
    enabled = TruthField(source="is_enabled", required=False)


class DeliveryParameters(PageParameters):
    limit = WholeNumberField(
        min_value=1, max_value=LARGEST_PAGE, default=LARGEST_PAGE, help_text="At most this many rows."
    )
    state = serializers.ChoiceField(Delivery.State.choices, required=False, help_text="Only deliveries in this state.")


# --- Answers ---------------------------------------------------------------------------------------------------


class WebhookSerializer(serializers.Serializer[Any]):
    """An address that events are sent to. Its secret is shown only when it is created or rotated."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.ChoiceField(EventType.choices))
    enabled = serializers.BooleanField(source="is_enabled")
    disabled_reason = serializers.CharField(help_text="Why it is disabled: user, failing or gone; or blank.")
    disabled_at = serializers.DateTimeField(allow_null=True)
    old_secret_until = serializers.DateTimeField(
        allow_null=True, help_text="Until then, the secret before the last rotation signs, too."
    )
    failing_since = serializers.DateTimeField(allow_null=True, help_text="Since when every attempt has failed.")
    failures = serializers.IntegerField(help_text="The attempts that failed since the last success.")
    created_at = serializers.DateTimeField()


class WebhookSecretSerializer(serializers.Serializer[Any]):
    """A webhook with its new secret, which is not shown again."""

    webhook = WebhookSerializer()
    secret = serializers.CharField(help_text="Verify the signatures of events with it.")


class AnswerSerializer(serializers.Serializer[Any]):
    """What came of an attempt: a status, or an error."""

    at = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True)
    body = serializers.CharField(help_text="The beginning of the body.")
    error = serializers.CharField()
    seconds = serializers.FloatField()


class WebhookDeliverySerializer(serializers.Serializer[Any]):
    """An event on its way to a webhook."""

    id = Int64Field()
    message_id = serializers.CharField(source="event.message_id", help_text="The header `webhook-id`.")
    type = serializers.CharField(source="event.type")
    subject = serializers.CharField(help_text="Events of one subject are sent in their order.")
    at = serializers.DateTimeField(source="event.at", help_text="When it happened.")
    content = serializers.SerializerMethodField(help_text="What is sent.")
    state = serializers.ChoiceField(Delivery.State.choices)
    attempts = serializers.IntegerField()
    due_at = serializers.DateTimeField(allow_null=True, help_text="When the next attempt is due.")
    ended_at = serializers.DateTimeField(allow_null=True, help_text="When it was delivered or given up.")
    passed_over_at = serializers.DateTimeField(
        allow_null=True, help_text="When a later event of the same subject was first sent before it."
    )
    answers = AnswerSerializer(many=True, help_text="The latest answers, oldest first.")

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_content(self, delivery: Delivery) -> Any:
        return json.loads(delivery.event.body)
