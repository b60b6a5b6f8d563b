"""The resources of all DSPs that have one ISRC, and what they have together, by territory and by month."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from catalogue.dsrs.statistics.groups import Grouping, group_expressions
from catalogue.lines.gathering import lines_gathered, places_of
from catalogue.lines.lookups import TEXTS, dsr_arrays
from catalogue.lines.scope import IngestedDSR, Scope, consistent_answer
from catalogue.reports.cells import ISRC
from catalogue.resources.browsing import LINES, REPORTING
from catalogue.resources.found import FoundResource, resource_sums_of
from dsrhub.database.pages import is_small
from dsrhub.database.statements import rows_of
from dsrhub.exceptions import AnswerTooLarge
from dsrhub.texts.marked import gettext_lazy as _

# How many resources with one ISRC are shown and added up.
MOST = 100


@dataclass
class IsrcSums:
    """What the resources have together in a territory, or in a month. Revenue is in EUR and exact.

    Where the period of DSRs lies in no month, its days are known instead.
    """

    usages: int
    revenue_eur: Decimal
    territory: str | None = None
    month: str | None = None
    period_start: date | None = None
    period_end: date | None = None

    @property
    def key(self) -> str:
        """The order of groups: periods that lie in no month come first."""
        return f"{self.territory or self.month or ''}\t{self.period_start}\t{self.period_end}"


@dataclass
class SameIsrc:
    """The resources with an ISRC, by DSP and dsp_id (bytewise), each with its sums, and the sums of all of them.

    `has_more` says that there are more than the first MOST, which are not in any sum.
    """

    isrc: str
    resources: list[FoundResource] = field(default_factory=list)
    territories: list[IsrcSums] = field(default_factory=list)
    months: list[IsrcSums] = field(default_factory=list)
    has_more: bool = False


FIND = """
SELECT wanted.isrc AS wanted, resource.*
FROM unnest(%(isrcs)s::text[]) AS wanted (isrc) CROSS JOIN LATERAL (
    SELECT dsp, dsp_id, title, artists, isrc FROM catalogue_resource
    WHERE left(isrc, 15) COLLATE "C" = left(wanted.isrc, 15) AND isrc = wanted.isrc
    ORDER BY dsp COLLATE "C", dsp_id LIMIT %(limit)s
) AS resource
"""
MONTH = group_expressions([Grouping.MONTH])
SUMS = f"""
WITH {REPORTING},
reported AS (
    SELECT resource.isrc, resource.dsp, resource.dsp_id, report.*
    FROM unnest(%(isrcs)s::text[], %(resource_dsps)s::text[], %(resource_ids)s::text[])
        AS resource (isrc, dsp, dsp_id)
    CROSS JOIN LATERAL (
        SELECT dsr.id, sum(line.usages) AS usages, catalogue_eur(sum(line.revenue), dsr.rate) AS revenue
        FROM {LINES} WHERE storage.dsp = resource.dsp GROUP BY dsr.id, dsr.rate
    ) AS report
),
known AS (
    SELECT reported.*, kept.territory, {", ".join(f"kept.{name}" for name in MONTH)}
    FROM reported JOIN (
        SELECT id, territory_id AS territory, {", ".join(f"{sql} AS {name}" for name, sql in MONTH.items())}
        FROM catalogue_dsr WHERE id = ANY(%(ids)s)
    ) AS kept USING (id)
)
SELECT isrc, dsp, dsp_id, territory, {", ".join(MONTH)}, sum(usages), sum(revenue), count(*),
    GROUPING(dsp) = 0, GROUPING(territory) = 0
FROM known
GROUP BY GROUPING SETS ((isrc, dsp, dsp_id), (isrc, territory), (isrc, {", ".join(MONTH)}))
"""  # noqa: S608 - no value is in it


def same_isrc(*, isrcs: Sequence[str], scope: Scope) -> Mapping[str, SameIsrc]:
    """The resources that have each ISRC in the catalogue and are in scope. A text that is no ISRC has none.

    Raises AnswerTooLarge where the texts of the resources are too long together.
    """
    wanted = list(dict.fromkeys(isrc for isrc in isrcs if ISRC.fullmatch(isrc)))
    found = {isrc: SameIsrc(isrc) for isrc in isrcs}
    known = _found(found, wanted, scope)
    for isrc, dsp, dsp_id, *group, usages, revenue, dsr_count, is_resource, is_territory in _sums(known, scope):
        sums = resource_sums_of(usages, revenue, dsr_count)
        if is_resource:
            known[isrc, dsp, dsp_id].sums = sums
            continue
        groups = found[isrc].territories if is_territory else found[isrc].months
        groups.append(IsrcSums(sums.usages or 0, sums.revenue_eur or Decimal(0), *group))
    for one in found.values():
        one.resources = [resource for resource in one.resources if resource.sums is not None]
        one.territories.sort(key=lambda sums: sums.key)
        one.months.sort(key=lambda sums: sums.key)
    return found


Known = dict[tuple[str, str, str], FoundResource]


def _found(found: Mapping[str, SameIsrc], isrcs: list[str], scope: Scope) -> Known:
    """The first MOST resources with each ISRC, which are added to `found`."""
    parameters: dict[str, Any] = {"isrcs": isrcs, "limit": MOST + 1}
    if not is_small(FIND, *TEXTS, **parameters):
        raise AnswerTooLarge(_("The texts of these recordings are too long for one answer. Request fewer at a time."))
    known: Known = {}
    for wanted, dsp, dsp_id, title, artists, isrc in rows_of(FIND, **parameters):
        one = found[wanted]
        one.has_more = len(one.resources) == MOST
        if not one.has_more:
            known[wanted, dsp, dsp_id] = FoundResource(dsp, dsp_id, title, artists, isrc, scope)
            one.resources.append(known[wanted, dsp, dsp_id])
    return known


def _sums(known: Known, scope: Scope) -> list[Any]:
    if not known:
        return []
    isrcs, dsps, dsp_ids = (list(part) for part in zip(*known, strict=True))
    keys = {"isrcs": isrcs, "resource_dsps": dsps, "resource_ids": dsp_ids}

    def answer(dsrs: Sequence[IngestedDSR]) -> list[Any]:
        with lines_gathered(["usages", "revenue"]) as lines:
            lines.add_of_keys("SELECT unnest(%(resource_ids)s::text[]) AS dsp_id", places_of(dsrs), **keys)
            return rows_of(lines.statement(SUMS), **dsr_arrays(dsrs), **keys)

    return consistent_answer(scope, answer)
