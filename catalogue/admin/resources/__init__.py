"""Recordings in the admin: their search, the top ones, and the page of one."""

from catalogue.admin.resources import admin

__all__ = ["admin"]
