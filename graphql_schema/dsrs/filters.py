"""Which DSRs are meant."""

from typing import Any

import graphene

from catalogue.dsrs.selectors import DSRSearch
from graphql_schema.arguments import code
from graphql_schema.scalars import Date


def period_arguments() -> dict[str, Any]:
    return {
        "territory": graphene.String(description="Of this territory alone: its code, such as ES."),
        "period_start": Date(description="DSRs that start on this day or later."),
        "period_end": Date(description="DSRs that end on this day or earlier."),
    }


def dsr_arguments() -> dict[str, Any]:
    return {
        "dsp": graphene.String(description="Of this music service alone."),
        "offer": graphene.String(description="Of this commercial model alone."),
        "currency": graphene.String(description="In this currency alone: its code, such as NOK."),
        **period_arguments(),
    }


def dsr_search(
    *, territory: str | None = None, currency: str | None = None, status: Any = None, **others: Any
) -> DSRSearch:
    return DSRSearch(
        territory=code("territory", territory, length=2),
        currency=code("currency", currency, length=3),
        status=status and status.value,
        **others,
    )
