"""The top N per cent of random reports, compared with a slow and simple calculation in fractions."""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.dsrs.services import dsr_delete
from catalogue.ranking.building import adding_up, bounds, hashed, parts, threshold
from catalogue.ranking.building import ways as building
from catalogue.resources.services import catalogue_refresh
from tests.catalogue import recipes
from tests.catalogue.helpers import add_lines, line
from tests.catalogue.lines.spread import AS_ON_A_CLUSTER
from tests.catalogue.ranking.helpers import top_resources

STEP = Fraction(1, 10**40)
DAYS = [date(2020, 1, 1), date(2020, 1, 31), date(2020, 2, 1), date(2020, 2, 29)]

# Few names, so that DSRs share them. The emoji comes last in UTF-8, but not in UTF-16.
DSP_IDS = ["a", "B", "b", "ab", "é", "😀", "ﬀ"]
# Amounts that tie, some only after division and rounding, and amounts of every size that a report can have.
TYING = st.sampled_from(["0", "1", "1", "2", "2", "3", "4", "6", "0.5", "5e-41", "1.5e-40", "7e-40"]).map(Decimal)
ANY = st.builds(lambda digits, power: Decimal(f"{digits}e-{power}"), st.integers(0, 10**30 - 1), st.integers(0, 60))
NEGATIVE = st.sampled_from(["-1", "-0.5", "-4", "-2.5e-40"]).map(Decimal)
# With negative amounts, a running sum can decrease. Half of the examples have none.
AMOUNTS = st.sampled_from([TYING, ANY, st.one_of(TYING, TYING, TYING, NEGATIVE), st.one_of(ANY, ANY, ANY, NEGATIVE)])
RATES = st.sampled_from(["1", "1", "2", "3", "0.5", "9.9384227272727272727272727272727272727273"])
EXTREME_RATES = st.sampled_from(["1", "1e-40", f"{10**30 - 1}"])


def or_none(values):
    return st.none() | values


def lines(amounts):
    """Lines of one DSR, of which one in four has no revenue."""
    return st.lists(
        st.fixed_dictionaries(
            {
                "dsp_id": st.sampled_from(DSP_IDS),
                "title": or_none(st.sampled_from(["Aurora", "Sea"])),
                "artists": or_none(st.sampled_from(["Ana", "Ana|Ben"])),
                "isrc": or_none(st.sampled_from(["ESABC2000001", "ESABC2000002"])),
                "usages": or_none(st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1)),
                "revenue": st.one_of(amounts, amounts, amounts, st.none()),
            }
        ),
        min_size=2,
        max_size=9,
    )


@st.composite
def deliveries(draw):
    """One to four DSRs: their fields, their lines, and whether they have their own partition.

    Failed DSRs have lines too, which would change the answer if they were in scope.
    """
    amounts, rates = draw(AMOUNTS), draw(st.sampled_from([RATES, RATES, RATES, RATES, EXTREME_RATES]))
    # The DSRs of a message have one path, and a failed DSR has one of its own.
    paths = draw(st.lists(st.sampled_from(["A.tsv", "Z.tsv", "a.tsv", "é.tsv"]), min_size=1, max_size=4))
    drawn = []
    for number, path in enumerate(paths):
        status = draw(st.sampled_from(["ingested"] * 9 + ["failed"]))
        start, end = sorted(draw(st.tuples(st.sampled_from(DAYS), st.sampled_from(DAYS))))
        fields = {
            "path": path if status == "ingested" else f"{number} {path}",
            "dsp": draw(st.sampled_from(["Spotify", "Spotify", "Spotify", "apple", "Élan"])),
            "offer": f"Offer{number}",
            "territory_id": draw(st.sampled_from(["ES", "ES", "NO"])),
            "period_start": start,
            "period_end": end,
            "status": status,
            "exchange_rate": Decimal(draw(rates)),
        }
        drawn.append((fields, draw(lines(amounts)), draw(st.booleans())))
    return drawn


# --- The simple calculation. A report is a pair of a DSR and its lines -----------------------------------------


def is_in_scope(dsr, territory, period_start, period_end):
    return (
        dsr.status == "ingested"
        and territory in (None, dsr.territory_id)
        and (period_start is None or dsr.period_start >= period_start)
        and (period_end is None or dsr.period_end <= period_end)
    )


def sum_or_none(values):
    present = [Fraction(value) for value in values if value is not None]
    return sum(present) if present else None


def in_eur(amount, rate):
    """Python rounds a fraction to a whole number exactly, half-even."""
    return None if amount is None else round(amount / Fraction(rate) / STEP) * STEP


def sums(reports):
    """The usages, the revenue in EUR and the DSR ids of each resource, by (dsp_id, DSP)."""
    usages, revenues, dsrs = defaultdict(list), defaultdict(list), defaultdict(list)
    for dsr, lines in reports:
        for dsp_id in {cells["dsp_id"] for cells in lines}:
            resource, own = (dsp_id, dsr.dsp), [cells for cells in lines if cells["dsp_id"] == dsp_id]
            usages[resource].append(sum_or_none(cells["usages"] for cells in own))
            revenues[resource].append(in_eur(sum_or_none(cells["revenue"] for cells in own), dsr.exchange_rate))
            dsrs[resource].append(dsr.pk)
    return {one: (sum_or_none(usages[one]), sum_or_none(revenues[one]), sorted(dsrs[one])) for one in dsrs}


def described(reports, dsp_id, dsp):
    """Title, artists and ISRC, each from the most recent line that has one."""
    latest_first = sorted(
        (
            (dsr.period_end, dsr.period_start, dsr.path.encode(), dsr.offer.encode(), number, cells)
            for dsr, lines in reports
            for number, cells in enumerate(lines)
            if dsr.status == "ingested" and (cells["dsp_id"], dsr.dsp) == (dsp_id, dsp)
        ),
        reverse=True,
        key=lambda found: found[:5],
    )
    return [
        next((cells[column] for *_, cells in latest_first if cells[column] is not None), None)
        for column in ("title", "artists", "isrc")
    ]


def top_percentile(reports, percentile, **question):
    found = sums([(dsr, lines) for dsr, lines in reports if is_in_scope(dsr, **question)])
    with_revenue = {resource: found[resource] for resource in found if found[resource][1] is not None}
    total = sum(revenue for _, revenue, _ in with_revenue.values())
    running = Fraction(0)
    top = []
    for (dsp_id, dsp), (usages, revenue, dsrs) in sorted(
        with_revenue.items(), key=lambda item: (-item[1][1], item[0][0].encode(), item[0][1].encode())
    ):
        if total <= 0 or (percentile < 100 and running >= total * percentile / 100):
            break
        running += revenue
        top.append((dsp, dsp_id, *described(reports, dsp_id, dsp), usages, revenue, dsrs))
    return top


def reached_exactly(everything):
    """The whole percentages that the running sum of a ranking reaches exactly."""
    total = sum(revenue for *_, revenue, _ in everything)
    shares = {running * 100 / total for running in accumulate(revenue for *_, revenue, _ in everything)}
    return [int(share) for share in shares if share.denominator == 1 and 1 <= share <= 99]


def cumulative_shares(answer, everything):
    total = sum(revenue for *_, revenue, _ in everything)
    return [running * 100 / total for running in accumulate(revenue for *_, revenue, _ in answer)]


# --- The test --------------------------------------------------------------------------------------------------


def delivered(cells):
    return line(**{column: "" if value is None else str(value) for column, value in cells.items()})


def reported(fields, lines, own_partition, **other):
    dsr = recipes.dsr.make(**{**fields, **other})
    add_lines(dsr, *(delivered(one) for one in lines), own_partition=own_partition)
    return dsr


def with_few_hashes(statement):
    return statement.replace("hashtextextended(line.dsp_id, 0)", "(hashtextextended(line.dsp_id, 0) & 1)")


# Reports this small are usually added up.
BOUNDED = [(building, "FEW_LINES", 0), (bounds, "MOST_NEGATIVE", Decimal(1))]
BY_THRESHOLD = [*BOUNDED, (threshold, "LARGEST_HEAD", Decimal(4))]
BY_HASHED_SUMS = [*BOUNDED, (building, "rank_by_threshold", lambda *_: None), (hashed, "LARGEST_SHARE", 99)]
# In parts of a few lines, several for each DSP.
IN_OWN_TABLE = [(adding_up, "MANY_LINES", 0), (parts, "LINES_OF_PART", 2)]
WAYS = {
    "added up": [],
    "added up, in its own table": IN_OWN_TABLE,
    "by threshold": BY_THRESHOLD,
    "by threshold, from the first line on": [
        *BY_THRESHOLD,
        (threshold, "FIRST_HEAD", 1),
        (threshold, "HEAD_GROWTH", 2),
        (threshold, "MOST_FROM_FLOOR", Decimal(4)),
    ],
    "by threshold, in one pass": [*BY_THRESHOLD, (threshold, "FEW_LOOKUPS", 0), (threshold, "MOST_LOOKUPS", 0)],
    "by threshold, on a cluster": [*BY_THRESHOLD, *AS_ON_A_CLUSTER],
    "by threshold, in one pass, on a cluster": [*BY_THRESHOLD, *AS_ON_A_CLUSTER, (threshold, "FEW_LOOKUPS", 0)],
    "added up, on a cluster": [*IN_OWN_TABLE, *AS_ON_A_CLUSTER],
    "by hashed sums": BY_HASHED_SUMS,
    "by hashed sums, in its own table": [*BY_HASHED_SUMS, *IN_OWN_TABLE],
    "by hashed sums, many with one hash": [
        *BY_HASHED_SUMS,
        (parts, "MOST_PARTS", 1),
        (hashed, "UNITS", with_few_hashes(hashed.UNITS)),
        (adding_up, "OF_CANDIDATES", with_few_hashes(adding_up.OF_CANDIDATES)),
    ],
}


@pytest.fixture(scope="module", params=WAYS)
def _way(request):
    """The way to build a ranking, which must not change the answer."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in WAYS[request.param]:
            patch.setattr(module, name, value)
        yield


@pytest.mark.django_db
@pytest.mark.usefixtures("_way")
@settings(max_examples=12)
@given(
    drawn=deliveries(),
    percentile=st.sampled_from(range(1, 100)),
    catalogued=st.sampled_from(["none", "some", "all"]),
    is_one_gone=st.booleans(),
    question=st.fixed_dictionaries(
        {
            "territory": st.sampled_from([None, None, None, "ES", "ES", "NO"]),
            "period_start": st.sampled_from([*[None] * 8, *DAYS[:2]]),
            "period_end": st.sampled_from([*[None] * 8, *DAYS[2:]]),
        }
    ),
)
def test_the_answer_equals_that_of_a_simple_calculation(drawn, percentile, catalogued, is_one_gone, question):
    with transaction.atomic():
        gone = reported(*drawn[0], offer="Gone", status="ingested") if is_one_gone else None
        reports = []
        for number, (fields, lines, own_partition) in enumerate(drawn):
            reports.append((reported(fields, lines, own_partition), lines))
            if catalogued == "some" and number == 0:
                catalogue_refresh()
        if catalogued == "all":
            catalogue_refresh()
        if gone:
            dsr_delete(dsr_number=gone.pk)

        everything = top_percentile(reports, 100, **question)
        # The ranking of the first share answers the third, and that of 100 answers those that are reached exactly.
        for share in (percentile, 100, (percentile + 1) // 2, *reached_exactly(everything)):
            resources = top_resources(percentile=share, **question)
            answer = [
                (one.dsp, one.dsp_id, one.title, one.artists, one.isrc, one.usages, Fraction(one.revenue), one.dsrs)
                for one in resources
            ]
            assert answer == top_percentile(reports, share, **question)
            assert [one.rank for one in resources] == [*range(1, len(answer) + 1)]
            for one, cumulative_share in zip(resources, cumulative_shares(answer, everything), strict=True):
                assert abs(Fraction(one.cumulative_share) - cumulative_share) <= Fraction(1, 10**10)

        transaction.set_rollback(True)
