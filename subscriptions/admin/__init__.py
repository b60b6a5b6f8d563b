"""The admin of subscriptions and raw records. Every change of a record goes through the services."""

from subscriptions.admin import records, subscriptions

__all__ = ["records", "subscriptions"]
