"""The parameters that select the DSRs of a question."""

from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from catalogue.api.fields import DayField
from catalogue.models import RevenueKind
from dsrhub.api.parameters import Parameters


class TerritoryParameters(Parameters):
    territory = serializers.RegexField(
        r"^[A-Za-z]{2}\Z",
        required=False,
        trim_whitespace=False,
        error_messages={"invalid": _("Must be two letters.")},
        help_text="Count only DSRs of this territory: its ISO 3166-1 code, such as ES.",
    )

    def validate_territory(self, value: str) -> str:
        return value.upper()


class ScopeParameters(TerritoryParameters):
    """Selects the DSRs in scope."""

    period_start = DayField(required=False, help_text="Count only DSRs whose period starts on this day or later.")
    period_end = DayField(required=False, help_text="Count only DSRs whose period ends on this day or earlier.")


class FilterParameters(TerritoryParameters):
    """Selects DSRs."""

    dsp = serializers.CharField(required=False, help_text="Count only DSRs of this music service.")
    offer = serializers.CharField(required=False, help_text="Count only DSRs of this offer, such as SpotifyDuo.")
    society = serializers.CharField(required=False, help_text="Count only DSRs for this society.")
    currency = serializers.RegexField(
        r"^[A-Za-z]{3}\Z",
        required=False,
        trim_whitespace=False,
        error_messages={"invalid": _("Must be three letters.")},
        help_text="Count only DSRs in this currency: its ISO 4217 code, such as NOK.",
    )
    commercial_model = serializers.CharField(
        required=False, help_text="Count only DSRs of this commercial model, such as SubscriptionModel."
    )
    use_type = serializers.CharField(
        required=False, help_text="Count only lines of this use type, such as OnDemandStream."
    )
    revenue_kind = serializers.ChoiceField(
        RevenueKind.choices, required=False, help_text="Count only DSRs whose revenue is of this kind."
    )

    def validate_currency(self, value: str) -> str:
        return value.upper()


class SearchParameters(FilterParameters, ScopeParameters):
    """Selects the DSRs that are counted."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("period_start", date.min) > attrs.get("period_end", date.max):
            raise serializers.ValidationError(
                {"period_end": [_("The range ends before it starts.")]}, code="before_start"
            )
        return attrs
