"""Territories, currencies and exchange rates in the admin, and what a rate would change."""

from catalogue.admin.rates import admin

__all__ = ["admin"]
