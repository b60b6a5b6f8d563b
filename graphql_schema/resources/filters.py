"""The arguments that select resources and the DSRs in scope."""

from typing import Any

import graphene

from catalogue.lines.scope import Scope
from catalogue.resources.found import ResourceOrder, ResourceSearch
from dsrhub.exceptions import InvalidArgument
from dsrhub.texts.marked import gettext_lazy as _
from graphql_schema.arguments import parse_code, parse_id
from graphql_schema.dsrs.filters import period_arguments
from graphql_schema.scalars import BigInt, Decimal, names_enum

# Each word is a separate search.
MOST_WORDS, LONGEST_WORD = 20, 500

RESOURCE_ORDER = names_enum(
    "ResourceOrder",
    "The order of resources.",
    TITLE="By title. Resources without a title come last.",
    DSP_ID="By the id that the music service gives them.",
    REVENUE="By revenue in EUR, descending. Resources without revenue are left out.",
    USAGES="By usages, descending. Resources without usages or without revenue are left out.",
)


def resource_arguments() -> dict[str, Any]:
    return {
        "dsp_id": graphene.String(description="Only resources with exactly this id of a music service."),
        "isrc": graphene.String(description="Only resources with this ISRC. Dashes, spaces and case are ignored."),
        "words": graphene.String(
            description="Only resources whose title and artists contain all these words or words that start with them. "
            "Case, accents and the composition of characters are ignored."
        ),
        "dsr": graphene.ID(description="Only this DSR is in scope: its id."),
        **period_arguments(),
        "min_revenue": Decimal(description="Only resources with at least this revenue in EUR."),
        "min_usages": BigInt(description="Only resources with at least this number of usages, and with revenue."),
        "order_by": RESOURCE_ORDER(
            default_value=RESOURCE_ORDER.TITLE, required=True, description="The order of the resources."
        ),
    }


def resource_scope(*, territory: str | None = None, dsr: str | None = None, **period: Any) -> Scope:
    return Scope(
        territory=parse_code("territory", territory, length=2),
        dsrs=None if dsr is None else (parse_id("dsr", dsr),),
        **period,
    )


def resource_search(
    *,
    order_by: Any,
    dsp_id: str | None = None,
    isrc: str | None = None,
    words: str | None = None,
    min_revenue: Any = None,
    min_usages: int | None = None,
    **scope: Any,
) -> ResourceSearch:
    if words is not None and not (
        1 <= len(words.split()) <= MOST_WORDS and max(map(len, words.split())) <= LONGEST_WORD
    ):
        raise InvalidArgument(
            _("Not 1 to %(words)s words of at most %(characters)s characters.")
            % {"words": MOST_WORDS, "characters": LONGEST_WORD},
            argument="words",
        )
    order = ResourceOrder(order_by.name.lower())
    return ResourceSearch(dsp_id, isrc, words, min_revenue, min_usages, resource_scope(**scope), order)
