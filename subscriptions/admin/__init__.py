"""The admin of subscriptions and raw records. Every change of a record goes through the services."""

from subscriptions.admin import limits, records, site_search, start, subscriptions

__all__ = ["limits", "records", "site_search", "start", "subscriptions"]
