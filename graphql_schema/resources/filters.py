"""Which resources are meant, and which DSRs count for them."""

from typing import Any

import graphene

from catalogue.lines.scope import Scope
from catalogue.resources.found import ResourceOrder, ResourceSearch
from dsrhub.exceptions import InvalidArgument
from graphql_schema.arguments import code, id_number
from graphql_schema.dsrs.filters import period_arguments
from graphql_schema.scalars import BigInt, Decimal, names_enum

# Each word is a search of its own, and longer ones are in no index.
MOST_WORDS, LONGEST_WORD = 20, 500

ORDER = names_enum(
    "ResourceOrder",
    "In which order resources come.",
    TITLE="By title, those without one last.",
    DSP_ID="By the music service's id.",
    REVENUE="By revenue in EUR, the highest first; those without any are left out.",
    USAGES="By usages, the most first; those without any, or without revenue, are left out.",
)


def resource_arguments() -> dict[str, Any]:
    return {
        "dsp_id": graphene.String(description="With exactly this id of a music service."),
        "isrc": graphene.String(description="With this ISRC; hyphens, spaces and case do not matter."),
        "words": graphene.String(
            description="With all these words in title and artists, or with words that begin like them."
        ),
        "dsr": graphene.ID(description="This DSR alone counts."),
        **period_arguments(),
        "min_revenue": Decimal(description="With at least this revenue in EUR."),
        "min_usages": BigInt(description="With at least so many usages, and with revenue."),
        "order_by": ORDER(default_value=ORDER.TITLE, required=True, description="In which order they come."),
    }


def scope(*, territory: str | None = None, dsr: str | None = None, **period: Any) -> Scope:
    return Scope(
        territory=code("territory", territory, length=2),
        dsrs=None if dsr is None else (id_number("dsr", dsr),),
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
    **counted: Any,
) -> ResourceSearch:
    if words is not None and not (
        1 <= len(words.split()) <= MOST_WORDS and max(map(len, words.split())) <= LONGEST_WORD
    ):
        raise InvalidArgument(f"Not 1 to {MOST_WORDS} words of at most {LONGEST_WORD} letters.", argument="words")
    order = ResourceOrder(order_by.name.lower())
    return ResourceSearch(dsp_id, isrc, words, min_revenue, min_usages, scope(**counted), order)
