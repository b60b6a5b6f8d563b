"""The whole schema, joined from its domains. `manage.py graphql_schema` writes its text, `schema.graphql`."""

from collections.abc import Callable
from inspect import getdoc
from typing import Any

import graphene
from graphene.utils.str_converters import to_camel_case
from graphql import GraphQLResolveInfo

from dsrhub.scopes import Scope
from graphql_schema.arguments import require_scope
from graphql_schema.artists.queries import ArtistQueries
from graphql_schema.dsrs.mutations import DeleteDSR
from graphql_schema.dsrs.queries import DSRQueries
from graphql_schema.messages.mutations import DeleteMessage
from graphql_schema.messages.queries import MessageQueries
from graphql_schema.price_limits.mutations import DeletePriceLimit, SetPriceLimit
from graphql_schema.price_limits.queries import PriceLimitQueries
from graphql_schema.rates.mutations import SetOperatorRate
from graphql_schema.rates.queries import RateQueries
from graphql_schema.resources.queries import ResourceQueries
from graphql_schema.scalars import SPECIFICATIONS
from graphql_schema.statistics.queries import StatisticQueries
from graphql_schema.subscriptions.mutations import ChangeSubscription, CreateSubscription, SendUsageRecords
from graphql_schema.subscriptions.queries import SubscriptionQueries
from graphql_schema.versions.mutations import DeleteVersion, RevertToVersion
from graphql_schema.versions.queries import VersionQueries


class Query(
    VersionQueries,
    DSRQueries,
    MessageQueries,
    ResourceQueries,
    StatisticQueries,
    ArtistQueries,
    RateQueries,
    SubscriptionQueries,
    PriceLimitQueries,
):
    """All queries. Amounts are exact decimals as strings. Lists are paginated."""


class Mutation(graphene.ObjectType):
    """All mutations. Each needs a signed-in user with the permissions that its description names."""

    delete_dsr = DeleteDSR.Field(description=getdoc(DeleteDSR))
    delete_version = DeleteVersion.Field(description=getdoc(DeleteVersion))
    revert_to_version = RevertToVersion.Field(description=getdoc(RevertToVersion))
    delete_message = DeleteMessage.Field(description=getdoc(DeleteMessage))
    create_subscription = CreateSubscription.Field(description=getdoc(CreateSubscription))
    send_usage_records = SendUsageRecords.Field(description=getdoc(SendUsageRecords))
    change_subscription = ChangeSubscription.Field(description=getdoc(ChangeSubscription))
    set_price_limit = SetPriceLimit.Field(description=getdoc(SetPriceLimit))
    delete_price_limit = DeletePriceLimit.Field(description=getdoc(DeletePriceLimit))
    set_operator_rate = SetOperatorRate.Field(description=getdoc(SetOperatorRate))


schema = graphene.Schema(query=Query, mutation=Mutation)
# Graphene's scalars cannot have the address of a specification.
for name, address in SPECIFICATIONS.items():
    schema.graphql_schema.type_map[name].specified_by_url = address


def within_scope(scope: Scope, resolve: Callable[..., Any]) -> Callable[..., Any]:
    """The resolver of a query, for which a key needs the scope."""

    def resolved(root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        require_scope(info.context.user, scope)
        return resolve(root, info, **arguments)

    return resolved


OF_USAGE = {to_camel_case(name) for of in (SubscriptionQueries, PriceLimitQueries) for name in of._meta.fields}
for name, field in schema.graphql_schema.query_type.fields.items():
    field.resolve = within_scope(Scope.READ_USAGE if name in OF_USAGE else Scope.READ_REPORTS, field.resolve)
