"""Queries for DSRs."""

from datetime import date
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue import models
from catalogue.dsrs.selectors import dsr_described, dsrs_matching
from graphql_schema.arguments import parse_id
from graphql_schema.batches import batched
from graphql_schema.connections import Keyset, KeysetField, queryset_keyset
from graphql_schema.dsrs.filters import dsr_arguments, dsr_search
from graphql_schema.dsrs.types import DSR, DSRStatus
from graphql_schema.scalars import names_enum

# The columns of each order, with their types.
ORDERS: dict[str, dict[str, Any]] = {
    "ID": {"id": int},
    "NEWEST": {"id": int, "descending": True},
    "PERIOD": {"period_start": date, "id": int},
}
DSROrder = names_enum(
    "DSROrder",
    "The order of DSRs.",
    ID="By id: the first import first.",
    NEWEST="By id, descending: the latest import first.",
    PERIOD="By the first day of the period, then by id.",
)


class DSRQueries(graphene.ObjectType):
    dsr = graphene.Field(
        DSR,
        id=graphene.ID(required=True, description="The id of the DSR."),
        description="A DSR by its id. Errors: `dsr_not_found`.",
    )
    dsrs = KeysetField(
        DSR,
        status=DSRStatus(description="Only DSRs of this status."),
        **dsr_arguments(),
        order_by=DSROrder(default_value=DSROrder.ID, required=True, description="The order of the DSRs."),
        description="DSRs, including those whose import failed.",
    )

    @staticmethod
    def resolve_dsr(root: Any, info: GraphQLResolveInfo, id: str) -> models.DSR:
        return batched([dsr_described(dsr_number=parse_id("id", id))])[0]

    @staticmethod
    def resolve_dsrs(root: Any, info: GraphQLResolveInfo, order_by: Any, **search: Any) -> Keyset:
        return queryset_keyset(dsrs_matching(dsr_search(**search)), **ORDERS[order_by.name])
