"""What a search of resources asks for, and what it finds."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from catalogue.lines.scope import ALL, Scope
from dsrhub.values.numbers import WIDE

Place = tuple[Any, ...]


class ResourceOrder(StrEnum):
    """By title, resources without one come last; by revenue and by usages, the highest first, those without never."""

    TITLE = "title"
    DSP_ID = "dsp_id"
    REVENUE = "revenue"
    USAGES = "usages"


@dataclass(frozen=True)
class ResourceSearch:
    """What is looked for. Words are those of title and artists, each by its beginning; amounts are sums in EUR."""

    dsp_id: str | None = None
    isrc: str | None = None
    words: str | None = None
    min_revenue: Decimal | None = None
    min_usages: int | None = None
    scope: Scope = ALL
    order: ResourceOrder = ResourceOrder.TITLE
    dsp_id_prefix: str | None = None

    @property
    def is_ranking(self) -> bool:
        """Whether a ranking has the answer in its own order."""
        others = (self.dsp_id, self.dsp_id_prefix, self.isrc, self.words, self.min_usages)
        return self.order == ResourceOrder.REVENUE and all(other is None for other in others)

    @property
    def needs_sums(self) -> bool:
        by_sum = self.order in (ResourceOrder.REVENUE, ResourceOrder.USAGES)
        return by_sum or self.min_revenue is not None or self.min_usages is not None

    @property
    def place_kind(self) -> str:
        """The name of the order of the list. A place is of use in lists of the same name."""
        return "rank" if self.is_ranking else f"resources by {self.order}"

    @property
    def place_types(self) -> tuple[type, ...]:
        """The types of the parts of a place in the list."""
        return (int,) if self.is_ranking else PLACE_TYPES[self.order]


PLACE_TYPES: dict[ResourceOrder, tuple[type, ...]] = {
    ResourceOrder.TITLE: (str, int),
    ResourceOrder.DSP_ID: (str, int),
    ResourceOrder.REVENUE: (Decimal, str, int),
    ResourceOrder.USAGES: (Decimal, str, int),
}


class ResourceKey(NamedTuple):
    dsp: str
    dsp_id: str


@dataclass(frozen=True)
class ResourceSums:
    """The sums of a resource over the DSRs in scope. What has no value is None; `revenue_eur` is exact."""

    usages: int | None
    revenue_eur: Decimal | None
    report_count: int


@dataclass
class FoundResource:
    """A resource, the scope of its sums, and its place in the order of the list."""

    dsp: str
    dsp_id: str
    title: str | None
    artists: str | None
    isrc: str | None
    scope: Scope
    place: Place = ()
    sums: ResourceSums | None = None

    @property
    def key(self) -> ResourceKey:
        return ResourceKey(self.dsp, self.dsp_id)


@dataclass
class TopResource:
    """A resource by its rank, and the revenue up to this rank in per cent of all revenue."""

    rank: int
    revenue_eur: Decimal
    cumulative_share: Decimal
    resource: FoundResource


def resource_sums_of(usages: Decimal | int | None, revenue_eur: Decimal | None, report_count: int) -> ResourceSums:
    # Only the zeros behind the last decimal go.
    revenue_eur = None if revenue_eur is None else revenue_eur.normalize(WIDE)
    return ResourceSums(whole_number(usages), revenue_eur, report_count)


def whole_number(usages: Decimal | int | None) -> int | None:
    return None if usages is None else int(usages)
