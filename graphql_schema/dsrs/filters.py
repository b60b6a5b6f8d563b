"""The arguments that select DSRs."""

from typing import Any

import graphene

from catalogue.dsrs.selectors import DSRSearch
from graphql_schema.arguments import parse_code
from graphql_schema.scalars import Date


def period_arguments() -> dict[str, Any]:
    return {
        "territory": graphene.String(description="Only DSRs of this territory: a code such as ES."),
        "period_start": Date(description="Only DSRs whose period starts on this day or later."),
        "period_end": Date(description="Only DSRs whose period ends on this day or earlier."),
    }


def dsr_arguments() -> dict[str, Any]:
    return {
        "dsp": graphene.String(description="Only DSRs of this music service."),
        "offer": graphene.String(description="Only DSRs of this commercial model."),
        "currency": graphene.String(description="Only DSRs in this currency: a code such as NOK."),
        **period_arguments(),
    }


def dsr_search(
    *, territory: str | None = None, currency: str | None = None, status: Any = None, **others: Any
) -> DSRSearch:
    return DSRSearch(
        territory=parse_code("territory", territory, length=2),
        currency=parse_code("currency", currency, length=3),
        status=status and status.value,
        **others,
    )
