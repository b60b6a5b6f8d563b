"""Imports in the admin: uploads, their check, preview and confirmation."""

from catalogue.admin.imports import admin

__all__ = ["admin"]
