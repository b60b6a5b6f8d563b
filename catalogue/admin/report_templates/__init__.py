"""The pages of templates, and how people make one from a sample."""

from catalogue.admin.report_templates import admin

__all__ = ["admin"]
