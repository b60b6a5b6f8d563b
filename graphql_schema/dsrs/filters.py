"""The arguments that select DSRs."""

from typing import Any

import graphene

from catalogue.dsrs.selectors import DSRSearch
from graphql_schema.arguments import LARGEST_ID, parse_code, parse_id
from graphql_schema.dsrs.types import RevenueKind
from graphql_schema.scalars import Date


def period_arguments() -> dict[str, Any]:
    return {
        "territory": graphene.String(description="Only DSRs of this territory: a code such as ES."),
        "period_start": Date(description="Only DSRs whose period starts on this day or later."),
        "period_end": Date(description="Only DSRs whose period ends on this day or earlier."),
    }


def dsr_arguments() -> dict[str, Any]:
    """All arguments that select DSRs."""
    return {
        "dsp": graphene.String(description="Only DSRs of this music service."),
        "offer": graphene.String(description="Only DSRs of this offer, such as SpotifyDuo."),
        "society": graphene.String(description="Only DSRs for this society, where reports name one."),
        "currency": graphene.String(description="Only DSRs in this currency: a code such as NOK."),
        **period_arguments(),
        "message": graphene.ID(description="Only the DSRs of this message: its id."),
        "commercial_model": graphene.String(
            description="Only DSRs of this commercial model in messages, such as SubscriptionModel."
        ),
        "use_type": graphene.String(
            description="Only DSRs with this use type, such as OnDemandStream, or with lines of it."
        ),
        "revenue_kind": RevenueKind(description="Only DSRs whose revenue is of this kind."),
    }


def dsr_filters() -> dict[str, Any]:
    """The same without those of days, for questions that name periods themselves."""
    return {name: argument for name, argument in dsr_arguments().items() if name not in ("period_start", "period_end")}


def dsr_search(
    *,
    territory: str | None = None,
    currency: str | None = None,
    status: Any = None,
    message: str | None = None,
    revenue_kind: Any = None,
    **others: Any,
) -> DSRSearch:
    return DSRSearch(
        territory=parse_code("territory", territory, length=2),
        currency=parse_code("currency", currency, length=3),
        status=status and status.value,
        message=None if message is None else parse_id("message", message, largest=LARGEST_ID),
        revenue_kind=revenue_kind and revenue_kind.value,
        **others,
    )
