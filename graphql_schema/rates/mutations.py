"""What an operator does with exchange rates."""

from typing import Any

import graphene
from graphql import GraphQLResolveInfo

from catalogue.rates import selectors as rate_selectors
from catalogue.rates import services as rates
from graphql_schema.arguments import allowed, checked, code
from graphql_schema.rates.types import OperatorRate
from graphql_schema.scalars import Date, Decimal

PERMISSIONS = "catalogue.add_operatorrate", "catalogue.change_operatorrate"


class SetOperatorRate(graphene.Mutation):
    """Enter or replace the rate of a currency for a period. The DSRs of exactly this period follow it at once.

    Needs the permissions to add and to change operators' rates. Errors: `invalid_rate`.
    """

    class Arguments:
        currency = graphene.String(required=True, description="The code of the currency, such as NOK.")
        period_start = Date(required=True, description="The first day of the period.")
        period_end = Date(required=True, description="The last day of the period, which belongs to it.")
        rate = Decimal(required=True, description="Units of the currency for one euro.")
        note = graphene.String(default_value="", description="Where the rate comes from: at most 200 characters.")

    rate = graphene.Field(OperatorRate, required=True, description="The rate as it stands now.")
    changed_dsr_count = graphene.Int(required=True, description="How many DSRs have another rate now.")

    @staticmethod
    def mutate(
        root: Any, info: GraphQLResolveInfo, currency: str, note: str | None = None, **rate: Any
    ) -> dict[str, Any]:
        user = allowed(info.context.user, *PERMISSIONS)
        key = {"currency": code("currency", currency, length=3), **rate}
        changed = rates.operator_rate_set(**key, note=checked("note", note or ""), user=user)
        del key["rate"]
        return {"rate": rate_selectors.operator_rate_list().get(**key), "changed_dsr_count": changed.dsrs}
