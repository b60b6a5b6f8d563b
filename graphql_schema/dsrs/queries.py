"""What can be asked about DSRs."""

from datetime import date
from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue import models
from catalogue.dsrs import selectors as dsr_selectors
from graphql_schema.arguments import id_number
from graphql_schema.batches import together
from graphql_schema.connections import Keyset, KeysetField, keyset_of
from graphql_schema.dsrs.filters import dsr_arguments, dsr_search
from graphql_schema.dsrs.types import DSR, DSRStatus
from graphql_schema.scalars import names_enum

# The columns by which they come, and the types of these.
ORDERS: dict[str, dict[str, Any]] = {
    "ID": {"id": int},
    "NEWEST": {"id": int, "descending": True},
    "PERIOD": {"period_start": date, "id": int},
}
DSROrder = names_enum(
    "DSROrder",
    "In which order DSRs come.",
    ID="As they came in.",
    NEWEST="The one that came in last first.",
    PERIOD="By the first day of their period, then as they came in.",
)


class DSRQueries(graphene.ObjectType):
    dsr = graphene.Field(
        DSR,
        id=graphene.ID(required=True, description="The number of the DSR."),
        description="One DSR. Errors: `dsr_not_found`.",
    )
    dsrs = KeysetField(
        DSR,
        status=DSRStatus(description="Of this status alone."),
        **dsr_arguments(),
        order_by=DSROrder(default_value=DSROrder.ID, required=True, description="In which order they come."),
        description="All DSRs, those that failed included.",
    )

    @staticmethod
    def resolve_dsr(root: Any, info: GraphQLResolveInfo, id: str) -> models.DSR:
        return together([dsr_selectors.dsr_described(dsr_number=id_number("id", id))])[0]

    @staticmethod
    def resolve_dsrs(root: Any, info: GraphQLResolveInfo, order_by: Any, **search: Any) -> Keyset:
        return keyset_of(dsr_selectors.dsrs_matching(dsr_search(**search)), **ORDERS[order_by.name])
