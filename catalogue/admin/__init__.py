"""The back office for DSRs, their rates and resources. Every change goes through a service."""

from catalogue.admin import dsrs, imports, messages, parts, rates, resources

__all__ = ["dsrs", "imports", "messages", "parts", "rates", "resources"]
