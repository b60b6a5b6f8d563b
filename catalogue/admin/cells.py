"""Numbers and links as the pages of the admin show them."""

from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import ngettext

from catalogue.resources.found import WIDE


def grouped(number: Decimal | int | str) -> str:
    """Return all digits of a number, with thousands separators and without an exponent."""
    return f"{Decimal(number):,f}"


def problem_counts(errors: int, warnings: int) -> str:
    """Return the counts above zero, such as "1 error, 3 warnings"."""
    counts = (
        (errors, ngettext("error", "errors", errors)),
        (warnings, ngettext("warning", "warnings", warnings)),
    )
    return ", ".join(f"{grouped(count)} {name}" for count, name in counts if count)


def exact(number: Decimal | int) -> SafeString:
    """Return the same as HTML for a narrow column: the decimals, of which there may be dozens, are smaller."""
    whole, point, decimals = grouped(number).partition(".")
    return format_html('{}<wbr><span class="decimals">{}{}</span>', whole, point, decimals)


def link(text: Any, view: str, *args: Any, **query: Any) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse(f"admin:catalogue_{view}", args=args, query=query), text)


def amount(number: Decimal | int | None) -> SafeString | None:
    """Format a number without the trailing zeros that a sum may have."""
    return None if number is None else exact(Decimal(number).normalize(WIDE))
