"""What the statements of several questions share."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from psycopg2 import sql

from dsrhub.database.statements import composed
from dsrhub.texts.marked import gettext_lazy as _
from subscriptions.exceptions import InvalidUsageQuestion
from subscriptions.models import UsageType

TYPES = {str(usage_type): usage_type for usage_type in UsageType}

# At least two decimals and no other trailing zeros, so the text does not depend on the order of the sum.
AMOUNT = sql.SQL("round({0}, greatest(2, min_scale({0})))")
PRICE = AMOUNT.format(sql.SQL("price"))
OF_CARRIER = " AND subscription_id IN (SELECT id FROM subscriptions_subscription WHERE carrier = {})"


def refuse_negative(price_limit: Decimal) -> None:
    """Raise InvalidUsageQuestion for a price limit below 0."""
    if price_limit < 0:
        raise InvalidUsageQuestion(
            _("The price limit is negative: %(price_limit)s.") % {"price_limit": price_limit}, parameter="price_limit"
        )


def types_of(usage_type: UsageType | None) -> tuple[UsageType, ...]:
    """The usage types that a question is about: both without one."""
    return (usage_type,) if usage_type else tuple(UsageType)


def of_carrier(carrier: str | None) -> sql.Composable:
    """A further condition: the subscription is one of a carrier."""
    return composed(OF_CARRIER, sql.Literal(carrier)) if carrier else sql.SQL("")


def behind(key: Sequence[str], after: Sequence[Any] | None) -> sql.Composable:
    """A further condition: the columns of a sort key are behind its values in the last row of the page before."""
    if after is None:
        return sql.SQL("")
    values = sql.SQL(", ").join(sql.Literal(value) for value in after[: len(key)])
    return composed(" AND ({}) > ({})", sql.SQL(", ".join(key)), values)
