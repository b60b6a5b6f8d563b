"""The part of the start page about DSRs: months, work that waits, and questions."""

from catalogue.admin.start import page

__all__ = ["page"]
