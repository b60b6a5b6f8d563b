"""The back office for DSRs, their rates and resources. Every change goes through a service."""

from catalogue.admin import (
    aliases,
    dsrs,
    imports,
    messages,
    parts,
    rates,
    report_templates,
    resources,
    site_search,
    start,
    versions,
)

__all__ = [
    "aliases",
    "dsrs",
    "imports",
    "messages",
    "parts",
    "rates",
    "report_templates",
    "resources",
    "site_search",
    "start",
    "versions",
]
