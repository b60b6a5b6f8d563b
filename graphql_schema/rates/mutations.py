"""Mutations of exchange rates."""

from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue.rates.selectors import operator_rate_list
from catalogue.rates.services import operator_rate_set
from graphql_schema.arguments import check_argument, parse_code, require_permissions
from graphql_schema.rates.types import OperatorRate
from graphql_schema.scalars import Date, Decimal

PERMISSIONS = "catalogue.add_operatorrate", "catalogue.change_operatorrate"


class SetOperatorRate(graphene.Mutation):
    """Enter or replace the rate of a currency for a period. The DSRs of exactly this period use it at once.

    Needs the permissions to add and to change operator rates. Errors: `invalid_rate`.
    """

    class Arguments:
        currency = graphene.String(required=True, description="The code of the currency, such as NOK.")
        period_start = Date(required=True, description="The first day of the period.")
        period_end = Date(required=True, description="The last day of the period (inclusive).")
        rate = Decimal(required=True, description="Units of the currency for one euro.")
        note = graphene.String(default_value="", description="The source of the rate: at most 200 characters.")

    rate = graphene.Field(OperatorRate, required=True, description="The stored rate.")
    replaced_rate = Decimal(description="The other rate that was stored before, if there was one.")
    changed_dsr_count = graphene.Int(required=True, description="The number of DSRs whose rate changed.")

    @staticmethod
    def mutate(
        root: Any, info: GraphQLResolveInfo, currency: str, note: str | None = None, **rate: Any
    ) -> dict[str, Any]:
        user = require_permissions(info.context.user, *PERMISSIONS)
        key = {"currency": parse_code("currency", currency, length=3), **rate}
        changed = operator_rate_set(**key, note=check_argument("note", note or ""), user=user)
        del key["rate"]
        return {
            "rate": operator_rate_list().get(**key),
            "replaced_rate": next((replaced.old for replaced in changed.replaced), None),
            "changed_dsr_count": changed.dsrs,
        }
