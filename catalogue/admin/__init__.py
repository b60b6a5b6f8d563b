"""The back office: DSRs and what they are measured in. Every change goes through the services."""

from catalogue.admin import dsrs, imports, parts, rates, resources

__all__ = ["dsrs", "imports", "parts", "rates", "resources"]
