"""What "the top N per cent of the revenue" means, with reports so small that answers can be calculated by hand."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.dsrs.services import dsr_delete
from catalogue.exceptions import ReportRefused
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, SHARED_PARTITION, EcbRate
from catalogue.ranking.cached.resources import RankedResource
from catalogue.rates.services import operator_rate_set
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, add_lines, line, write_report
from tests.catalogue.ranking.helpers import top_resources

NO_FEBRUARY = "Spotify_SpotifyDuo_NO_NOK_20200201-20200229.tsv"
JANUARY, FEBRUARY = (date(2020, 1, 1), date(2020, 1, 31)), (date(2020, 2, 1), date(2020, 2, 29))
LARGEST_USAGES = 9223372036854775807

pytestmark = pytest.mark.django_db


@pytest.fixture
def ingest(tmp_path):
    """Import a report with these lines under this name, and return the id of its DSR."""

    def ingest(name, *lines, replace=False):
        return dsr_import(path=write_report(tmp_path, name, *lines), name=name, replace=replace).dsr.pk

    return ingest


def nok_rate(rate, period=JANUARY):
    operator_rate_set(currency="NOK", period_start=period[0], period_end=period[1], rate=Decimal(rate))


def top(percentile=100, **question):
    return [resource.dsp_id for resource in top_resources(percentile=percentile, **question)]


def revenues(percentile=100):
    return {resource.dsp_id: resource.revenue for resource in top_resources(percentile=percentile)}


def test_the_answer_in_full(ingest):
    nok_rate("10")
    spain = ingest(
        ES_JANUARY,
        line("a", "Aurora", "Ana|Ben", "ESABC2000001", "100", "6.5"),
        line("b", "", "", "", "", "2"),
        line("c", "Sea", "", "", "7", "1"),
    )
    norway = ingest(
        NO_JANUARY,
        line("a", "Aurora", "", "NOABC2000001", "20", "5"),
        line("b", "", "", "", "", "-5.0"),
    )

    # In EUR, a has 6.5 + 0.5, b has 2 - 0.5 and c has 1. The total is 9.5, and 75 % of it is 7.125.
    assert top_resources(percentile=75) == [
        RankedResource(
            rank=1,
            dsp="Spotify",
            dsp_id="a",
            title="Aurora",
            artists="Ana|Ben",
            # Of two reports of the same period, the one with the greater file name describes the resource.
            isrc="ESABC2000001",
            usages=120,
            revenue=Decimal("7.0"),
            dsrs=[spain, norway],
            cumulative_share=Decimal("73.6842105263"),
        ),
        RankedResource(
            rank=2,
            dsp="Spotify",
            dsp_id="b",
            title=None,
            artists=None,
            isrc=None,
            usages=None,
            revenue=Decimal("1.5"),
            dsrs=[spain, norway],
            cumulative_share=Decimal("89.4736842105"),
        ),
    ]


# --- Which DSRs are in scope -----------------------------------------------------------------------------------


def test_a_dsr_is_in_scope_if_its_territory_and_its_whole_period_match(ingest):
    for dsp_id, territory, period in [
        ("january", "ES", "20200101-20200131"),
        ("day", "ES", "20200131-20200131"),
        ("midmonth", "ES", "20200115-20200215"),
        ("february", "ES", "20200201-20200229"),
        ("no-january", "NO", "20200101-20200131"),
        ("no-year", "NO", "20200101-20201231"),
    ]:
        ingest(f"Spotify_Free_{territory}_EUR_{period}.tsv", line(dsp_id, revenue="1"))

    def in_scope(territory=None, start=None, end=None):
        days = {"period_start": start, "period_end": end}
        return top(territory=territory, **{name: day and date.fromisoformat(day) for name, day in days.items()})

    assert in_scope() == ["day", "february", "january", "midmonth", "no-january", "no-year"]

    assert in_scope("ES") == ["day", "february", "january", "midmonth"]
    assert in_scope("NO") == ["no-january", "no-year"]
    assert in_scope("FR") == []

    assert in_scope(start="2020-01-01") == ["day", "february", "january", "midmonth", "no-january", "no-year"]
    assert in_scope(start="2020-01-02") == ["day", "february", "midmonth"]
    assert in_scope(start="2020-02-01") == ["february"]
    assert in_scope(start="2020-02-02") == []

    assert in_scope(end="2020-12-31") == ["day", "february", "january", "midmonth", "no-january", "no-year"]
    assert in_scope(end="2020-12-30") == ["day", "february", "january", "midmonth", "no-january"]
    assert in_scope(end="2020-01-31") == ["day", "january", "no-january"]
    assert in_scope(end="2020-01-30") == []

    assert in_scope(start="2020-01-15", end="2020-02-15") == ["day", "midmonth"]
    assert in_scope(start="2020-01-31", end="2020-01-31") == ["day"]
    assert in_scope("ES", start="2020-01-15") == ["day", "february", "midmonth"]
    assert in_scope("NO", end="2020-01-31") == ["no-january"]
    assert in_scope("ES", start="2020-01-01", end="2020-01-31") == ["day", "january"]
    assert in_scope("FR", start="2020-01-01", end="2020-12-31") == []


def test_the_share_is_of_the_revenue_in_scope(ingest):
    ingest("Spotify_Free_ES_EUR_20200101-20200131.tsv", line("a", revenue="6"), line("b", revenue="4"))
    ingest("Spotify_Free_NO_EUR_20200101-20200131.tsv", line("b", revenue="90"))

    assert top(60, territory="ES") == ["a"]
    assert top(60) == ["b"]


def test_a_failed_dsr_is_never_in_scope(ingest):
    ingest(ES_JANUARY, line("a", revenue="1"))
    with pytest.raises(ReportRefused):
        ingest(NO_JANUARY, line("b", revenue="9"), line("c", revenue="much"))

    assert DSR.objects.failed().count() == 1
    assert top() == ["a"]


def test_without_dsrs_lines_or_revenue_the_list_is_empty(ingest):
    assert top() == []
    ingest(ES_JANUARY)
    assert top() == []
    ingest(NO_JANUARY, line("a", usages="5"))
    assert top() == []


# --- Revenue in EUR --------------------------------------------------------------------------------------------


def test_each_dsr_is_converted_to_eur_at_its_own_rate(ingest):
    nok_rate("4", JANUARY)
    nok_rate("5", FEBRUARY)
    ingest(ES_JANUARY, line("a", revenue="1"))
    ingest(NO_JANUARY, line("a", revenue="10"))
    ingest(NO_FEBRUARY, line("a", revenue="10"))

    assert revenues() == {"a": Decimal("5.5")}


def test_the_rate_is_the_mean_of_the_ecb_rates_of_the_period(ingest):
    EcbRate.objects.filter(day__range=JANUARY).delete()
    recipes.ecb_rate.make(day=date(2020, 1, 1), rate=Decimal(9))
    recipes.ecb_rate.make(day=date(2020, 1, 31), rate=Decimal(11))
    ingest(NO_JANUARY, line("a", revenue="25"))

    assert revenues() == {"a": Decimal("2.5")}


def test_resources_are_ordered_in_eur_and_not_by_the_delivered_number(ingest):
    nok_rate("10")
    ingest(ES_JANUARY, line("a", revenue="2"))
    ingest(NO_JANUARY, line("b", revenue="19"), line("c", revenue="21"))

    assert top() == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("amounts", "rate", "eur"),
    [
        (["1"], "3", "0." + "3" * 40),
        (["2"], "3", "0." + "6" * 39 + "7"),
        # Half-even at the 40th decimal: 0.5 becomes 0, 1.5 becomes 2 and 2.5 becomes 2. More than a half is rounded up.
        (["2e-40"], "4", "0"),
        (["6e-40"], "4", "2e-40"),
        (["10e-40"], "4", "2e-40"),
        (["2.00000000000000000001e-40"], "4", "1e-40"),
        (["-6e-40"], "4", "-2e-40"),
        (["-10e-40"], "4", "-2e-40"),
        (["-3e-40"], "4", "-1e-40"),
        # The lines of a repeated dsp_id are added up first. Rounded one by one, 0.5 and 1 would give 1.
        (["2e-40", "4e-40"], "4", "2e-40"),
        (["2e-40", "-2e-40"], "4", "0"),
        (["999999999999999999999999999999"], "0.5", "1999999999999999999999999999998"),
        (["1"], "0." + "0" * 39 + "1", "1" + "0" * 40),
    ],
)
def test_the_lines_of_a_dsr_are_summed_divided_and_rounded_half_even_to_40_decimals(ingest, amounts, rate, eur):
    nok_rate(rate)
    ingest(ES_JANUARY, line("other", revenue="1"))  # so that the total is above zero
    ingest(NO_JANUARY, *(line("a", revenue=amount) for amount in amounts))

    assert revenues()["a"] == Decimal(eur)


def test_revenue_that_is_delivered_in_eur_is_rounded_too(ingest):
    ingest(ES_JANUARY, line("a", revenue="1.5e-40"), line("b", revenue="2.5e-40"), line("c", revenue="1e-60"))

    assert revenues() == {"a": Decimal("2e-40"), "b": Decimal("2e-40"), "c": 0}


def test_the_amounts_of_two_dsrs_are_rounded_separately(ingest):
    nok_rate("4", JANUARY)
    nok_rate("4", FEBRUARY)
    ingest(ES_JANUARY, line("other", revenue="1"))
    for name in (NO_JANUARY, NO_FEBRUARY):
        ingest(name, line("a", revenue="2e-40"), line("b", revenue="6e-40"))

    # Rounded together, they would be 1 (instead of 0 + 0) and 3 (instead of 2 + 2).
    assert revenues() == {"other": 1, "a": 0, "b": Decimal("4e-40")}


def test_amounts_that_are_equal_after_rounding_are_tied(ingest):
    ingest(ES_JANUARY, line("b", revenue="1.00000000000000000000000000000000000000002"), line("a", revenue="1"))

    assert top() == ["a", "b"]


# --- Resources and their sums ----------------------------------------------------------------------------------


def test_blank_cells_add_nothing_but_their_dsr_is_listed(ingest):
    first = ingest("Spotify_A_ES_EUR_20200101-20200131.tsv", line("a", usages="", revenue="3"))
    second = ingest("Spotify_B_ES_EUR_20200101-20200131.tsv", line("a", usages="5", revenue=""))
    third = ingest("Spotify_C_ES_EUR_20200101-20200131.tsv", line("a", usages="", revenue=""))
    ingest("Spotify_D_ES_EUR_20200101-20200131.tsv", line("b", usages="1", revenue="1"))

    a = top_resources(percentile=50)[0]

    assert (a.usages, a.revenue, a.dsrs) == (5, 3, [first, second, third])


def test_a_resource_with_blank_revenue_only_is_not_listed(ingest):
    ingest(ES_JANUARY, line("a", revenue="1"), line("b", usages="1000"))
    ingest("Spotify_Free_NO_EUR_20200101-20200131.tsv", line("b", revenue="1"))

    assert top(territory="ES") == ["a"]
    assert top() == ["a", "b"]


def test_zero_usages_are_not_blank(ingest):
    ingest(ES_JANUARY, line("a", usages="0", revenue="1"))

    assert top_resources(percentile=1)[0].usages == 0


def test_a_dsp_id_that_is_repeated_in_a_report_is_summed_and_listed_once(ingest):
    dsr = ingest(
        ES_JANUARY,
        line("a", usages="1", revenue="1"),
        line("b", revenue="2"),
        line("a", usages="2", revenue="1.5"),
        line("a", usages="", revenue=""),
    )

    a, b = top_resources(percentile=100)

    assert (a.dsp_id, a.usages, a.revenue, a.dsrs) == ("a", 3, Decimal("2.5"), [dsr])
    assert (b.dsp_id, b.revenue) == ("b", 2)


def test_the_same_dsp_id_of_two_dsps_is_two_resources(ingest):
    free = ingest("Spotify_Free_ES_EUR_20200101-20200131.tsv", line("a", isrc="ESABC2000001", revenue="1"))
    other = ingest("Deezer_Free_ES_EUR_20200101-20200131.tsv", line("a", isrc="ESABC2000001", revenue="3"))
    duo = ingest("Spotify_Duo_NO_EUR_20200201-20200229.tsv", line("a", isrc="NOABC2000001", revenue="1"))

    resources = top_resources(percentile=100)

    assert [(one.dsp, one.dsp_id, one.revenue, one.dsrs) for one in resources] == [
        ("Deezer", "a", 3, [other]),
        ("Spotify", "a", 2, [free, duo]),
    ]


def test_two_dsp_ids_with_the_same_isrc_are_two_resources(ingest):
    ingest(ES_JANUARY, line("a", isrc="ESABC2000001", revenue="1"), line("b", isrc="ESABC2000001", revenue="1"))

    assert top() == ["a", "b"]


def test_usages_are_summed_beyond_64_bits(ingest):
    usages = str(LARGEST_USAGES)
    ingest(ES_JANUARY, line("a", usages=usages, revenue="1"), line("a", usages=usages, revenue="1"))
    ingest("Spotify_Duo_ES_EUR_20200101-20200131.tsv", line("a", usages=usages, revenue="1"))

    (a,) = top_resources(percentile=100)

    assert a.usages == 27670116110564327421
    assert isinstance(a.usages, int)


# --- Where the list ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amounts", "answers"),
    [
        # The resources of the top 1, 50, 51, 99 and 100 %.
        pytest.param({"a": "1"}, ["a", "a", "a", "a", "a"], id="one resource"),
        pytest.param({"a": "20", "b": "50", "c": "30"}, ["b", "b", "bc", "bca", "bca"], id="boundary is hit"),
        pytest.param({"a": "20", "b": "51", "c": "29"}, ["b", "b", "b", "bca", "bca"], id="boundary is crossed"),
        pytest.param({"a": "1", "b": "1"}, ["a", "a", "ab", "ab", "ab"], id="tie"),
        pytest.param({"a": "98", "b": "1", "c": "1"}, ["a", "a", "a", "ab", "abc"], id="tie at the boundary"),
        pytest.param({"a": "1", "z": "0", "y": "0.00"}, ["a", "a", "a", "a", "ayz"], id="without revenue: at 100 only"),
        pytest.param({"a": "60", "b": "50", "c": "-10"}, ["a", "a", "a", "ab", "abc"], id="negative: at 100 only"),
        pytest.param({"a": "99", "b": "2", "c": "-1"}, ["a", "a", "a", "a", "abc"], id="the total has the negative"),
        pytest.param({"a": "5", "b": "-5"}, ["", "", "", "", ""], id="total of zero"),
        pytest.param({"a": "0"}, ["", "", "", "", ""], id="nothing but zero"),
        pytest.param({"a": "5", "b": "-6"}, ["", "", "", "", ""], id="negative total"),
        pytest.param({"a": "1e-39", "b": "1e-40"}, ["a", "a", "a", "ab", "ab"], id="tiny"),
    ],
)
def test_the_list_ends_with_the_first_resource_that_reaches_the_share(ingest, amounts, answers):
    ingest(ES_JANUARY, *(line(dsp_id, revenue=amount) for dsp_id, amount in amounts.items()))

    assert ["".join(top(percentile)) for percentile in (1, 50, 51, 99, 100)] == answers


def test_each_of_a_hundred_equal_resources_is_one_per_cent(ingest):
    dsp_ids = [f"r{number:03}" for number in range(1, 101)]
    ingest(ES_JANUARY, *(line(dsp_id, revenue="0.01") for dsp_id in reversed(dsp_ids)))

    # Among them those at which doubles fail: 0.29 * 100 is less than 29, and 0.07 * 100 is more than 7.
    for percentile in (1, 2, 3, 7, 10, 14, 28, 29, 33, 50, 55, 56, 57, 58, 66, 67, 90, 98, 99, 100):
        assert top(percentile) == dsp_ids[:percentile]


def test_an_adjustment_in_another_report_lowers_a_resource(ingest):
    ingest(ES_JANUARY, line("a", usages="10", revenue="10"), line("b", usages="8", revenue="8"))
    ingest("Spotify_Duo_ES_EUR_20200101-20200131.tsv", line("a", usages="-3", revenue="-3"))

    b, a = top_resources(percentile=100)

    assert (b.dsp_id, b.revenue) == ("b", 8)
    assert (a.dsp_id, a.revenue, a.usages) == ("a", 7, 7)


def test_many_small_lines_make_a_resource_the_first(ingest):
    """The first resource of each report is not the first of all reports."""
    for number in range(1, 5):
        name = f"Spotify_Offer{number}_ES_EUR_20200101-20200131.tsv"
        ingest(name, line(f"leader{number}", revenue="3"), line("all", revenue="2"), line("few", revenue="0.1"))

    # `all` has 8 of 20.4 EUR, which is 39.2 %. Each leader has 3.
    assert top(39) == ["all"]
    assert top(40) == ["all", "leader1"]


@pytest.mark.parametrize(
    ("amounts", "percentile", "answer"),
    [
        # The total is 10^29 + 1, and a is 0.5 short of half of it. Rounded to 28 digits, a has half of it.
        ({"a": "5" + "0" * 28, "b": "3" + "0" * 28, "c": "2" + "0" * 27 + "1"}, 50, ["a", "b"]),
        # The total is 1 + 10^-40.
        ({"a": "0.5", "b": "0.3", "c": "0.2" + "0" * 38 + "1"}, 50, ["a", "b"]),
        # The total is 10^30 + 10^-40, which has 71 digits. Only because of the last one, a and b have less than 70 %.
        ({"a": "4" + "0" * 29, "b": "3" + "0" * 29, "c": "3" + "0" * 29, "d": "1e-40"}, 70, ["a", "b", "c"]),
        # The total is 10^30 - 10^-40, and a has a little more than half of it.
        ({"a": "5" + "0" * 29, "b": "4" + "9" * 29 + "." + "9" * 40}, 50, ["a"]),
        # The order: as doubles or with 28 digits, these amounts would be equal.
        ({"a": "1" + "0" * 29, "b": "1" + "0" * 28 + "1", "c": "1" + "0" * 29 + ".1"}, 100, ["b", "c", "a"]),
        ({"a": "0.1", "b": "0.1" + "0" * 38 + "1", "c": "0.1" + "0" * 38 + "2"}, 100, ["c", "b", "a"]),
    ],
)
def test_every_digit_counts(ingest, amounts, percentile, answer):
    ingest(ES_JANUARY, *(line(dsp_id, revenue=amount) for dsp_id, amount in amounts.items()))

    assert top(percentile) == answer


def test_a_sum_keeps_every_digit(ingest):
    ingest(ES_JANUARY, line("a", revenue="9" * 30), line("a", revenue="1e-40"))
    ingest("Spotify_Duo_ES_EUR_20200101-20200131.tsv", line("a", revenue="9" * 30 + "." + "9" * 40))

    assert revenues() == {"a": Decimal("1999999999999999999999999999999")}


def test_ties_are_broken_by_dsp_id_bytewise(ingest):
    # In UTF-8: 2D, 41, 5A, 61, 61 62, 7A, C3 A9, EF AC 80, F0 9F 98 80.
    dsp_ids = ["-", "A", "Z", "a", "ab", "z", "é", "ﬀ", "😀"]
    ingest(ES_JANUARY, *(line(dsp_id, revenue="1") for dsp_id in sorted(dsp_ids, key=str.lower)))

    assert top() == dsp_ids


def test_ties_are_broken_by_dsp_id_before_the_dsp_bytewise(ingest):
    for dsp in ("apple", "Élan", "Deezer"):
        lines = line("b", revenue="1"), line("a", revenue="1")
        ingest(f"{dsp}_Free_ES_EUR_20200101-20200131.tsv", *lines)

    resources = top_resources(percentile=100)

    assert [(resource.dsp_id, resource.dsp) for resource in resources] == [
        ("a", "Deezer"),
        ("a", "apple"),
        ("a", "Élan"),
        ("b", "Deezer"),
        ("b", "apple"),
        ("b", "Élan"),
    ]


# --- Title, artists and ISRC -----------------------------------------------------------------------------------


def described(**question):
    (resource,) = top_resources(percentile=1, **question)
    return resource.title, resource.artists, resource.isrc


# Each report is once the first and once the last, in both directions.
ORDERS = [
    (0, 1, 2, 3),
    (1, 2, 3, 0),
    (2, 3, 0, 1),
    (3, 0, 1, 2),
    (3, 2, 1, 0),
    (2, 1, 0, 3),
    (1, 0, 3, 2),
    (0, 3, 2, 1),
]


@pytest.mark.parametrize("order", ORDERS)
def test_a_resource_is_described_by_its_most_recent_lines_in_any_order_of_imports(ingest, order):
    reports = [
        # The latest period end. It has an ISRC only.
        ("Spotify_A_ES_EUR_20200101-20200131.tsv", line("a", "", "", "ESABC2000001")),
        # Of the reports that end earlier, the latest period start. It adds the artists.
        ("Spotify_A_ES_EUR_20200102-20200130.tsv", line("a", "", "Ana", "ESABC2000002")),
        # Of the reports that start earlier, the greatest file name. Its last line adds the title.
        ("Spotify_b_ES_EUR_20200101-20200130.tsv", line("a", "Old", "Ben", "ESABC2000003"), line("a", "New", "Cem")),
        ("Spotify_Z_ES_EUR_20200101-20200130.tsv", line("a", "Other", "Dan", "ESABC2000004", revenue="1")),
    ]
    for number in order:
        ingest(*reports[number])

    assert described() == ("New", "Ana", "ESABC2000001")


def test_a_resource_is_described_by_all_ingested_dsrs_of_its_dsp(ingest):
    ingest(ES_JANUARY, line("a", "Aurora", "", "", revenue="1"))
    ingest("Spotify_Free_NO_EUR_20200101-20201231.tsv", line("a", "Borealis", "Ana", ""), line("b", "", "", ""))
    ingest("Deezer_Free_ES_EUR_20210101-20210131.tsv", line("a", "Cascade", "Ben", "ESABC2000001"))
    with pytest.raises(ReportRefused):
        ingest("Spotify_Free_ES_EUR_20220101-20220131.tsv", line("a", "Dune", "Cem", "ESABC2000002", revenue="x"))

    assert described(territory="ES", period_end=date(2020, 1, 31)) == ("Borealis", "Ana", None)


def test_a_description_follows_deletion_and_replacement(ingest):
    ingest(ES_JANUARY, line("a", "Aurora", "Ana", revenue="1"))
    later = ingest("Spotify_Free_NO_EUR_20200201-20200229.tsv", line("a", "Borealis"))
    assert described() == ("Borealis", "Ana", None)

    ingest("Spotify_Free_NO_EUR_20200201-20200229.tsv", line("a", "Cascade"), replace=True)
    assert described() == ("Cascade", "Ana", None)

    (later,) = DSR.objects.filter(territory="NO")
    dsr_delete(dsr_number=later.pk)
    assert described() == ("Aurora", "Ana", None)


# --- Partitions and changes ------------------------------------------------------------------------------------


def test_lines_of_shared_and_own_partitions_are_added_up_together(ingest, settings):
    dsrs = []
    for number, limit in enumerate([0, 1024**2, 0, 1024**2]):
        settings.DSRHUB_SHARED_PARTITION_BYTES = limit
        name = f"Spotify_Offer{number}_ES_EUR_20200101-2020012{number}.tsv"
        lines = line("a", f"title {number}", usages="1", revenue="1"), line(f"b{number}", revenue="1")
        dsrs.append(ingest(name, *lines))
    assert list(DSR.objects.order_by("id").values_list("partition", flat=True)) == [
        dsrs[0],
        SHARED_PARTITION,
        dsrs[2],
        SHARED_PARTITION,
    ]

    resources = top_resources(percentile=100)

    assert [(resource.dsp_id, resource.revenue, resource.dsrs) for resource in resources] == [
        ("a", 4, dsrs),
        *((f"b{number}", 1, [dsrs[number]]) for number in range(4)),
    ]
    assert (resources[0].title, resources[0].usages) == ("title 3", 4)
    # Lines of other DSRs in the same partition are not in scope.
    assert top(period_end=date(2020, 1, 21)) == ["a", "b0", "b1"]


@pytest.fixture(params=["shared partition", "own partition"])
def _either_partition(request, settings):
    settings.DSRHUB_SHARED_PARTITION_BYTES = 1024**2 if request.param == "shared partition" else 0


@pytest.mark.usefixtures("_either_partition")
def test_deletions_replacements_and_new_rates_are_in_the_next_answer(ingest):
    nok_rate("4")
    ingest(ES_JANUARY, line("a", revenue="3"))
    norway = ingest(NO_JANUARY, line("a", revenue="8"), line("b", revenue="4"))
    assert revenues() == {"a": 5, "b": 1}

    nok_rate("0.5")
    assert revenues() == {"a": 19, "b": 8}

    ingest(NO_JANUARY, line("b", revenue="1"), replace=True)
    assert revenues() == {"a": 3, "b": 2}

    with pytest.raises(ReportRefused):
        ingest(NO_JANUARY, line("b", revenue="many"), replace=True)
    assert revenues() == {"a": 3, "b": 2}

    dsr_delete(dsr_number=DSR.objects.ingested().get(territory="NO").pk)
    assert revenues() == {"a": 3}
    assert not DSR.objects.filter(pk=norway).exists()


def test_twenty_dsrs_and_a_hundred_resources_take_no_more_statements_than_one():
    def size_and_statements():
        with CaptureQueriesContext(connection) as statements:
            resources = top_resources(percentile=100, territory="NO", period_start=date(2020, 1, 1))
        return len(resources), len(statements)

    add_lines(recipes.dsr.make(), line("r0", revenue="1"))
    resources, statements_for_one = size_and_statements()
    assert resources == 1
    for number in range(0, 100, 5):
        lines = (line(f"r{each}", revenue="1") for each in range(number, number + 5))
        add_lines(recipes.dsr.make(offer=f"Offer {number}"), *lines)

    assert size_and_statements() == (100, statements_for_one)
