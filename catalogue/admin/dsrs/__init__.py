"""DSRs in the admin: their list, the page of one with what came of it, and its lines."""

from catalogue.admin.dsrs import admin

__all__ = ["admin"]
