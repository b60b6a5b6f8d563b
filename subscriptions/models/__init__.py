"""The tables of usage."""

from subscriptions.models.exports import ExportedUsage, UsageExport
from subscriptions.models.limits import LimitCrossing, LimitMark, LimitScope, LimitSpan, PriceLimit
from subscriptions.models.records import (
    RECORD_MODELS,
    DataUsageRecord,
    UnplainExternalId,
    UsageRecord,
    UsageType,
    VoiceUsageRecord,
)
from subscriptions.models.subscribers import Subscription
from subscriptions.models.sums import (
    ALL_SUBSCRIPTIONS,
    DailyUsage,
    MonthlyUsage,
    PurgedUsage,
    SealedDay,
    TotalUsage,
    UsageMark,
    UsageSum,
)

__all__ = [
    "ALL_SUBSCRIPTIONS",
    "RECORD_MODELS",
    "DailyUsage",
    "DataUsageRecord",
    "ExportedUsage",
    "LimitCrossing",
    "LimitMark",
    "LimitScope",
    "LimitSpan",
    "MonthlyUsage",
    "PriceLimit",
    "PurgedUsage",
    "SealedDay",
    "Subscription",
    "TotalUsage",
    "UnplainExternalId",
    "UsageExport",
    "UsageMark",
    "UsageRecord",
    "UsageSum",
    "UsageType",
    "VoiceUsageRecord",
]
