"""What differs between an earlier version and the DSR that stands in its place."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from django.db import transaction

from catalogue.exceptions import DifferenceNotReady, VersionNotFound
from catalogue.lines.gathering import lines_gathered, places_of
from catalogue.lines.lookups import lines_of_dsrs, lines_with_dsp_id, partitions_of
from catalogue.models import DSR, DSRDifference, SupersededDSR
from dsrhub.database.statements import rows_of
from dsrhub.database.time_limits import OutOfTime, answered_within
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.values.numbers import difference

# How many recordings of each kind are listed: those with the largest difference in revenue.
MOST_LISTED = 20
# Comparing 2 x 250,000 lines takes about half a second.
SECONDS = 5
KINDS = ("came", "went", "changed")

RECORDINGS = f"""
WITH recording AS (
    SELECT dsp_id,
        count(*) FILTER (WHERE dsr_id = %(before)s) AS lines_before,
        count(*) FILTER (WHERE dsr_id = %(after)s) AS lines_after,
        coalesce(sum(usages) FILTER (WHERE dsr_id = %(before)s), 0) AS usages_before,
        coalesce(sum(usages) FILTER (WHERE dsr_id = %(after)s), 0) AS usages_after,
        coalesce(sum(revenue) FILTER (WHERE dsr_id = %(before)s), 0) AS revenue_before,
        coalesce(sum(revenue) FILTER (WHERE dsr_id = %(after)s), 0) AS revenue_after
    FROM ({lines_of_dsrs("dsr_id, dsp_id, usages, revenue")}) AS line GROUP BY dsp_id
),
different AS (
    SELECT *, CASE WHEN lines_before = 0 THEN 'came' WHEN lines_after = 0 THEN 'went' ELSE 'changed' END AS kind
    FROM recording
    WHERE lines_before = 0 OR lines_after = 0
        OR (usages_before, revenue_before) IS DISTINCT FROM (usages_after, revenue_after)
),
placed AS (
    SELECT *, count(*) OVER (PARTITION BY kind) AS kind_count, row_number() OVER (
        PARTITION BY kind
        ORDER BY abs(revenue_after - revenue_before) DESC, abs(usages_after - usages_before) DESC, dsp_id
    ) AS place
    FROM different
)
SELECT kind, kind_count, dsp_id, usages_before, usages_after, trim_scale(revenue_before), trim_scale(revenue_after)
FROM placed WHERE place <= {MOST_LISTED} ORDER BY kind, place
"""  # noqa: S608 - no value is in it, here and below
TITLES = f"""
SELECT DISTINCT ON (key.dsp_id) key.dsp_id, line.title, line.artists
FROM unnest(%(dsp_ids)s::text[]) AS key (dsp_id) CROSS JOIN unnest(%(partitions)s::integer[]) AS storage (partition)
CROSS JOIN LATERAL ({lines_with_dsp_id("dsr_id, line_number, title, artists", key="key", ids="ids")}) AS line
ORDER BY key.dsp_id, line.title IS NULL, line.dsr_id DESC, line.line_number DESC
"""  # noqa: S608


@dataclass(frozen=True)
class DifferentRecording:
    """A recording that only one of two DSRs reports, or both with other sums. Revenue is in their currency."""

    dsp_id: str
    title: str | None
    artists: str | None
    usages_before: Decimal
    usages_after: Decimal
    revenue_before: Decimal
    revenue_after: Decimal

    @property
    def revenue_difference(self) -> Decimal:
        return difference(self.revenue_after, self.revenue_before)


@dataclass(frozen=True)
class DifferentRecordings:
    """The number of the recordings of one kind, and those with the largest difference in revenue."""

    count: int
    largest: list[DifferentRecording]


@dataclass(frozen=True)
class VersionDifference:
    """What the DSR that stands has more than an earlier version, or less. Revenue is in their currency."""

    line_count: int
    usages: Decimal
    revenue: Decimal


def version_difference(version: SupersededDSR) -> VersionDifference | None:
    """From the totals of both; None where no DSR stands in place of a version."""
    standing = version.standing
    if standing is None:
        return None
    return VersionDifference(
        standing.line_count - version.line_count,
        difference(standing.total_usages, version.total_usages),
        difference(standing.total_revenue, version.total_revenue),
    )


def recordings_difference(version: SupersededDSR) -> dict[str, DifferentRecordings]:
    """The recordings that came, went and changed from a version to the DSR that stands, by the name of the kind.

    They are found once and kept. Raises DifferenceNotReady if that takes too long: then a worker finds them.
    """
    if version.standing is None:
        return {kind: DifferentRecordings(0, []) for kind in KINDS}
    before, after = version.pk, version.standing.pk
    known = DSRDifference.objects.filter(before=before, after=after, found__isnull=False).first()
    if known is not None:
        return _recordings(cast(dict[str, Any], known.found))
    try:
        with answered_within(SECONDS), transaction.atomic():
            found = _find(version, version.standing)
    except OutOfTime as error:
        DSRDifference.objects.get_or_create(before=before, after=after)
        raise DifferenceNotReady(_("The recordings are being compared. Ask again in a minute.")) from error
    DSRDifference.objects.update_or_create(before=before, after=after, defaults={"found": found})
    return _recordings(found)


def wanted_differences_find() -> int:
    """Find the differences that requests had no time for, as a worker does, and return how many."""
    # SQL's NULL: None is a value of JSON, too.
    wanted = list(DSRDifference.objects.filter(found__isnull=True).order_by("pk"))
    for pair in wanted:
        version = SupersededDSR.objects.filter(pk=pair.before).first()
        standing = DSR.objects.ingested().filter(pk=pair.after).first()
        if version is None or standing is None:
            pair.delete()
        else:
            DSRDifference.objects.filter(pk=pair.pk).update(found=_find(version, standing))
    return len(wanted)


def _find(version: SupersededDSR, standing: DSR) -> dict[str, Any]:
    """The differences as JSON, with exact numbers as text. Raises VersionNotFound if one of both goes meanwhile."""
    both = {"ids": [version.pk, standing.pk], "partitions": partitions_of([version, standing])}
    with lines_gathered(["usages", "revenue", "title", "artists"]) as lines:
        lines.add_of_dsrs(places_of([version, standing]))
        rows = rows_of(lines.statement(RECORDINGS), before=version.pk, after=standing.pk, **both)
        dsp_ids = [row[2] for row in rows]
        texts = rows_of(lines.statement(TITLES), dsp_ids=dsp_ids, **both) if rows else []
    titles = {dsp_id: both_texts for dsp_id, *both_texts in texts}
    found: dict[str, Any] = {kind: {"count": 0, "largest": []} for kind in KINDS}
    for kind, count, dsp_id, *numbers in rows:
        found[kind]["count"] = count
        found[kind]["largest"].append([dsp_id, *titles.get(dsp_id, (None, None)), *(f"{one:f}" for one in numbers)])
    # Their lines are dropped only after their rows are gone.
    if not SupersededDSR.objects.filter(pk=version.pk).exists():
        raise VersionNotFound(_("There is no earlier version %(id)s any more.") % {"id": version.pk}, id=version.pk)
    return found


def _recordings(found: dict[str, Any]) -> dict[str, DifferentRecordings]:
    return {
        kind: DifferentRecordings(
            found[kind]["count"],
            [DifferentRecording(*row[:3], *map(Decimal, row[3:])) for row in found[kind]["largest"]],
        )
        for kind in KINDS
    }
