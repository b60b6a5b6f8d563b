"""How the admin shows numbers and links."""

from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import ngettext


def grouped(number: Decimal | int | str) -> str:
    """All digits of a number, with thousands apart and without an exponent."""
    return f"{Decimal(number):,f}"


def problem_counts(errors: int, warnings: int) -> str:
    """Those that there are."""
    counts = (
        (errors, ngettext("error", "errors", errors)),
        (warnings, ngettext("warning", "warnings", warnings)),
    )
    return ", ".join(f"{grouped(count)} {name}" for count, name in counts if count)


def exact(number: Decimal | int) -> SafeString:
    """The same for a narrow column, where decimals, of which there may be dozens, stand back."""
    whole, point, decimals = grouped(number).partition(".")
    return format_html('{}<wbr><span class="decimals">{}{}</span>', whole, point, decimals)


def link(text: Any, view: str, *args: Any, **query: Any) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse(f"admin:catalogue_{view}", args=args, query=query), text)
