"""The admin of subscriptions and raw records. Every change of a record goes through the services."""

from subscriptions.admin import records, start, subscriptions

__all__ = ["records", "start", "subscriptions"]
