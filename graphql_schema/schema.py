"""The whole schema, joined from its domains. `schema.graphql` is its text; `manage.py graphql_schema` writes it."""

from inspect import getdoc

import graphene

from graphql_schema.dsrs.mutations import DeleteDSR
from graphql_schema.dsrs.queries import DSRQueries
from graphql_schema.rates.mutations import SetOperatorRate
from graphql_schema.rates.queries import RateQueries
from graphql_schema.resources.queries import ResourceQueries
from graphql_schema.statistics.queries import StatisticQueries
from graphql_schema.subscriptions.queries import SubscriptionQueries


class Query(DSRQueries, ResourceQueries, StatisticQueries, RateQueries, SubscriptionQueries):
    """What can be asked. Amounts are exact decimals as strings; lists come in pages."""


class Mutation(graphene.ObjectType):
    """What can be done by who is signed in and has the permission."""

    delete_dsr = DeleteDSR.Field(description=getdoc(DeleteDSR))
    set_operator_rate = SetOperatorRate.Field(description=getdoc(SetOperatorRate))


schema = graphene.Schema(query=Query, mutation=Mutation)
