"""Totals that somebody declares of a report beside it, such as in a letter, compared with those of its lines."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from catalogue.exceptions import DSRFailed
from catalogue.models import DSR
from dsrhub.exceptions import InvalidArgument
from dsrhub.texts.marked import Text
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.values.numbers import AMOUNT, DECIMALS, INTEGER_DIGITS, difference, exact_sum

MEASURES = ("lines", "usages", "revenue")
# As regular expressions.
WHOLE_NUMBER, SIGNED_AMOUNT = rf"[0-9]{{1,{INTEGER_DIGITS}}}", f"-?{AMOUNT}"
WHOLE_NUMBER_IN_WORDS = _("a whole number of zero or more, of at most %(digits)s digits") % {"digits": INTEGER_DIGITS}
SIGNED_AMOUNT_IN_WORDS = _(
    "a number of at most %(digits)s digits before the decimal point and %(decimals)s behind it"
) % {"digits": INTEGER_DIGITS, "decimals": DECIMALS}
DIFFERENCE = _("%(name)s: %(declared)s declared, %(found)s found")
MEASURE_WORDS = {"lines": _("lines"), "usages": _("usages"), "revenue": _("revenue")}


@dataclass(frozen=True)
class DeclaredTotals:
    """What is declared; None for what is not. The revenue is in the currency of the report.

    Raises InvalidArgument, which names the total.
    """

    lines: int | None = None
    usages: int | None = None
    revenue: Decimal | None = None

    def __post_init__(self) -> None:
        for name, pattern, kind in (
            ("lines", WHOLE_NUMBER, WHOLE_NUMBER_IN_WORDS),
            ("usages", WHOLE_NUMBER, WHOLE_NUMBER_IN_WORDS),
            ("revenue", SIGNED_AMOUNT, SIGNED_AMOUNT_IN_WORDS),
        ):
            value = getattr(self, name)
            if value is not None and not re.fullmatch(pattern, f"{Decimal(value):f}"):
                raise InvalidArgument(
                    _("Declared %(name)s must be %(kind)s.") % {"name": MEASURE_WORDS[name], "kind": kind},
                    argument=name,
                )

    @property
    def is_empty(self) -> bool:
        return all(getattr(self, name) is None for name in MEASURES)


NOTHING_DECLARED = DeclaredTotals()


class HasTotals(Protocol):
    """A DSR, or the totals of the lines that will be one."""

    @property
    def line_count(self) -> int: ...

    @property
    def total_usages(self) -> Decimal: ...

    @property
    def total_revenue(self) -> Decimal: ...


@dataclass(frozen=True)
class FoundTotals:
    """What is found. Revenue of several currencies has no sum: it is None."""

    lines: Decimal
    usages: Decimal
    revenue: Decimal | None


def found_totals(parts: Collection[HasTotals], currencies: Iterable[str]) -> FoundTotals:
    """The sums of DSRs, or of what will be DSRs, in these currencies."""
    has_one_currency = len(set(currencies)) == 1
    return FoundTotals(
        Decimal(sum(part.line_count for part in parts)),
        exact_sum(part.total_usages for part in parts),
        exact_sum(part.total_revenue for part in parts) if has_one_currency else None,
    )


@dataclass(frozen=True)
class ComparedTotal:
    declared: Decimal
    found: Decimal

    @property
    def difference(self) -> Decimal:
        """What is found, less what is declared."""
        return difference(self.found, self.declared)


@dataclass(frozen=True)
class ComparedTotals:
    """Each total that is declared beside the one that is found; None for the others."""

    lines: ComparedTotal | None = None
    usages: ComparedTotal | None = None
    revenue: ComparedTotal | None = None

    @property
    def matches(self) -> bool:
        return not any(total.difference for _, total in self)

    def __iter__(self) -> Iterator[tuple[str, ComparedTotal]]:
        """The declared totals by name."""
        named = ((name, getattr(self, name)) for name in MEASURES)
        return ((name, total) for name, total in named if total is not None)


def totals_compared(declared: DeclaredTotals, found: FoundTotals) -> ComparedTotals:
    """Raises InvalidArgument for a declared revenue where there are several currencies."""
    if declared.revenue is not None and found.revenue is None:
        raise several_currencies()
    pairs = {name: (getattr(declared, name), getattr(found, name)) for name in MEASURES}
    return ComparedTotals(
        **{name: ComparedTotal(Decimal(one), other) for name, (one, other) in pairs.items() if one is not None}
    )


def several_currencies() -> InvalidArgument:
    return InvalidArgument(
        _("The delivery has DSRs in several currencies, so no revenue of it can be declared."),
        argument="declared_revenue",
    )


def differences_text(compared: ComparedTotals) -> list[Text]:
    """Each total that differs, for people, with what is declared and what is found."""
    return [
        DIFFERENCE % {"name": MEASURE_WORDS[name], "declared": f"{total.declared:f}", "found": f"{total.found:f}"}
        for name, total in compared
        if total.difference
    ]


def dsr_totals_compared(*, dsr: DSR, declared: DeclaredTotals) -> ComparedTotals:
    """The totals of an ingested DSR beside declared ones. It only reads.

    Raises DSRFailed, and InvalidArgument where nothing is declared.
    """
    if declared.is_empty:
        raise InvalidArgument(_("Declare lines, usages or revenue."), argument="lines")
    if dsr.status != DSR.Status.INGESTED:
        raise DSRFailed(
            _("The import of DSR %(id)s failed. It has no lines whose totals can be compared.") % {"id": dsr.pk},
            id=dsr.pk,
        )
    return totals_compared(declared, found_totals([dsr], [dsr.currency_id]))
