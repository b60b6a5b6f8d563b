"""The back office for DSRs, their rates and resources. Every change goes through a service."""

from catalogue.admin import dsrs, imports, parts, rates, resources

__all__ = ["dsrs", "imports", "parts", "rates", "resources"]
