"""Delivered lines as pages show them, with the cells in question marked."""

from collections.abc import Sequence

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

TAB = " ⇥ "


def delivered_line(excerpt: Sequence[str] | None) -> SafeString | str:
    """Return an excerpt (see `catalogue.reports.problems.Excerpt`) with a sign for each tab; "" if there is none."""
    if excerpt is None:
        return ""
    before, marked, after = (part.replace("\t", TAB) for part in excerpt)
    return format_html(
        '<code class="delivered-line">{}<mark>{}</mark>{}</code>', before, marked or _("(nothing)"), after
    )
