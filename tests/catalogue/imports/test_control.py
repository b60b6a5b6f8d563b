"""What an import compares: with the previous report of its series, and with totals that the caller declares."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.dsrs.declared import DeclaredTotals
from catalogue.exceptions import DSRExists, ReportRefused
from catalogue.imports.loading.choices import Choices
from catalogue.imports.loading.outcome import Outcome
from catalogue.imports.services import DeliveredFile, delivery_import, dsr_import
from catalogue.models import DSR, RejectedDelivery, ReportMessage, ReportProblem, UsageLine
from catalogue.reports.problems import Problem
from dsrhub.exceptions import InvalidArgument
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, import_report, line, write_report
from tests.catalogue.messages import ITALY, NORWAY, SPAIN, write_message_file
from tests.catalogue.reports.formats.ddex.messages import file_of, head, recording, stream, summary

pytestmark = pytest.mark.django_db

ES_FEBRUARY = "Spotify_SpotifyFamilyPlan_ES_EUR_20200201-20200229.tsv"
ES_MARCH = "Spotify_SpotifyFamilyPlan_ES_EUR_20200301-20200331.tsv"


def imported(path, **options):
    return dsr_import(path=path, name=path.name, **options)


def message_imported(path, **choices):
    return delivery_import(files=[DeliveredFile(path, path.name)], choices=Choices(**choices))


def kept(dsr):
    return list(dsr.problems.values_list("level", "code", "value"))


# --- The previous report ---------------------------------------------------------------------------------------


def unlike(value):
    return ("warning", "unlike_previous_report", value)


def test_a_report_unlike_the_previous_one_is_loaded_with_a_warning_for_each_measure(tmp_path):
    before = import_report(tmp_path, ES_JANUARY, line("a", usages="100", revenue="10.00"))

    path = write_report(tmp_path, ES_FEBRUARY, line("a", usages="400", revenue="2.5"), line("b", revenue="0.5"))
    report = imported(path)

    values = [
        f"usages 400, previously 100 (DSR {before.pk}, {ES_JANUARY})",
        f"revenue 3.0, previously 10.00 (DSR {before.pk}, {ES_JANUARY})",
        f"revenue per usage 0.0075, previously 0.1 (DSR {before.pk}, {ES_JANUARY})",
    ]
    assert report.outcome == Outcome.LOADED
    assert report.problems.warnings == [Problem("unlike_previous_report", value=value) for value in values]
    assert kept(report.dsr) == [unlike(value) for value in values]
    assert report.dsr.warning_count == 3


def test_a_report_like_the_previous_one_has_no_warning(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", usages="100", revenue="10"))
    assert kept(import_report(tmp_path, ES_FEBRUARY, line("a", usages="299", revenue="29"))) == []


def test_a_dry_run_has_the_same_warnings(tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", usages="1", revenue="1"))
    path = write_report(tmp_path, ES_FEBRUARY, line("b", usages="9", revenue="9"))

    checked, loaded = imported(path, dry_run=True), imported(path)

    assert [problem.code for problem in checked.problems.kept] == ["unlike_previous_report"] * 2
    assert checked.problems == loaded.problems


def test_a_replacement_is_compared_with_the_report_before_and_not_with_what_it_replaces(tmp_path):
    january = import_report(tmp_path, ES_JANUARY, line("a", usages="10", revenue="10"))
    import_report(tmp_path, ES_FEBRUARY, line("a", usages="1000", revenue="1000"))

    path = write_report(tmp_path, ES_FEBRUARY, line("a", usages="100", revenue="10"))
    replaced = imported(path, replace=True)

    assert replaced.outcome == Outcome.REPLACED
    assert kept(replaced.dsr) == [
        unlike(f"usages 100, previously 10 (DSR {january.pk}, {ES_JANUARY})"),
        unlike(f"revenue per usage 0.1, previously 1 (DSR {january.pk}, {ES_JANUARY})"),
    ]


def test_a_report_that_a_delivery_replaces_is_never_the_previous_one(tmp_path):
    first = import_report(tmp_path, ES_JANUARY, line("a", usages="1", revenue="1"))
    again = write_report(tmp_path, ES_JANUARY, line("a", usages="9", revenue="9"))
    assert kept(imported(again, replace=True).dsr) == []
    assert not DSR.objects.filter(pk=first.pk).exists()


def test_revenue_is_compared_in_the_currency_of_the_report(tmp_path):
    """A rate that changes much is no fault of the service."""
    recipes.dsr.make(total_usages=Decimal(10), total_revenue=Decimal(100), exchange_rate=Decimal(1000))
    february = import_report(
        tmp_path, "Spotify_SpotifyDuo_NO_NOK_20200201-20200229.tsv", line("a", usages="10", revenue="100")
    )
    assert kept(february) == []


def test_warnings_of_the_whole_report_are_kept_beyond_the_limit(tmp_path, settings):
    settings.DSRHUB_PROBLEM_LIMIT = 2
    import_report(tmp_path, ES_JANUARY, line("a", usages="1"))
    february = import_report(tmp_path, ES_FEBRUARY, *(line(f"a{n}", isrc="bad", usages="1") for n in range(4)))
    assert [code for _, code, _ in kept(february)] == ["isrc_invalid", "isrc_invalid", "unlike_previous_report"]
    assert february.warning_count == 5


def previous_context(territory, **totals):
    """The DSR of December of a context of the messages of `tests.catalogue.messages`."""
    return recipes.dsr.make(
        dsp="Tonbank",
        offer="Premium",
        society="SocietyX",
        territory_id=territory,
        currency_id="EUR",
        commercial_model="SubscriptionModel",
        use_type="OnDemandStream",
        period_start=date(2019, 12, 1),
        period_end=date(2019, 12, 31),
        path="december.tsv",
        **totals,
    )


def test_each_context_of_a_message_is_compared_with_its_own_series(tmp_path):
    spain = previous_context("ES", total_usages=Decimal(100), total_revenue=Decimal("3.5"))
    previous_context("IT", total_usages=Decimal(4), total_revenue=Decimal(2))

    report = message_imported(write_message_file(tmp_path, sales=[(1, "a", 7), (2, "b", 4)]))

    # By hand: 7 of 10 usages in Spain have 3.50 of 5, so 0.5 per usage instead of 0.035.
    assert [(problem.context_number, problem.value) for problem in report.problems.warnings] == [
        (1, f"usages 7, previously 100 (DSR {spain.pk}, december.tsv)"),
        (1, f"revenue per usage 0.5, previously 0.035 (DSR {spain.pk}, december.tsv)"),
    ]
    assert [[code for _, code, _ in kept(one.dsr)] for one in report.imported] == [["unlike_previous_report"] * 2, []]
    assert [one.dsr.warning_count for one in report.imported] == [2, 0]
    assert list(report.message.problems.values_list("code")) == []


def message_of_contexts(count, message_id):
    """A message of contexts that differ in their use types, each with 2 usages."""
    numbers = [str(number) for number in range(count)]
    contexts = [summary(number, c6=f"Use{message_id}{number}", c7="ES", c11="EUR") for number in numbers]
    return file_of(head(message_id), *contexts, recording(), *(stream("B1", number) for number in numbers))


def test_a_message_of_100_unlike_contexts_takes_as_many_statements_as_one_of_two(tmp_path):
    counts = []
    for count, message_id in ((2, "A"), (100, "B")):
        for number in range(count):
            previous_context("ES", total_usages=Decimal(1000))
            DSR.objects.filter(use_type="OnDemandStream").update(use_type=f"Use{message_id}{number}")
        path = tmp_path / f"DSR_SocietyX_Tonbank_Premium_2020-01_{message_id}_1of1_20200212T083000.tsv"
        path.write_bytes(message_of_contexts(count, message_id))
        with CaptureQueriesContext(connection) as queries:
            report = message_imported(path)
        found = ReportProblem.objects.filter(dsr__message=report.message, code="unlike_previous_report")
        assert set(found.values_list("dsr", flat=True)) == {one.dsr.pk for one in report.imported}
        assert len(report.imported) == count
        counts.append(len(queries))
    assert counts[0] == counts[1]


# --- Declared totals -------------------------------------------------------------------------------------------

LINES = (line("a", usages="6", revenue="10.005"), line("b", usages="2", revenue="0.50"))
RIGHT = DeclaredTotals(lines=2, usages=8, revenue=Decimal("10.5050"))


@pytest.fixture(params=["shared partition", "own partition"])
def _either_partition(request, settings):
    settings.DSRHUB_SHARED_PARTITION_BYTES = 1024**2 if request.param == "shared partition" else 0


@pytest.mark.usefixtures("_either_partition")
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_report_with_the_declared_totals_is_loaded(tmp_path, dry_run):
    report = imported(write_report(tmp_path, ES_JANUARY, *LINES), declared=RIGHT, dry_run=dry_run)
    assert report.outcome == (Outcome.CHECKED if dry_run else Outcome.LOADED)
    assert report.problems.kept == []


@pytest.mark.usefixtures("_either_partition")
@pytest.mark.parametrize(
    ("declared", "values"),
    [
        (DeclaredTotals(lines=3), ["lines: 3 declared, 2 found"]),
        (DeclaredTotals(lines=2, usages=7), ["usages: 7 declared, 8 found"]),
        (DeclaredTotals(revenue=Decimal("10.50")), ["revenue: 10.50 declared, 10.505 found"]),
        (
            DeclaredTotals(lines=0, usages=0, revenue=Decimal("-1")),
            ["lines: 0 declared, 2 found", "usages: 0 declared, 8 found", "revenue: -1 declared, 10.505 found"],
        ),
    ],
)
def test_a_report_with_other_totals_is_refused_and_kept_as_a_failed_dsr(tmp_path, declared, values):
    with pytest.raises(ReportRefused) as refusal:
        imported(write_report(tmp_path, ES_JANUARY, *LINES), declared=declared)

    failed = DSR.objects.get()
    assert refusal.value.extra["problems"] == [Problem("totals_differ", value=value) for value in values]
    assert str(refusal.value).startswith(
        f"{ES_JANUARY}: {len(values)} error{'s' * (len(values) > 1)}, nothing is loaded. The first: The totals of "
        f"the file are not those that were declared. (value '{values[0]}'"
    )
    assert refusal.value.extra["dsr"] == failed.pk
    assert (failed.status, failed.error_count) == (DSR.Status.FAILED, len(values))
    assert kept(failed) == [("error", "totals_differ", value) for value in values]
    assert not UsageLine.objects.exists()
    # The right ones end the failure.
    assert imported(write_report(tmp_path, ES_JANUARY, *LINES), declared=RIGHT).outcome == Outcome.LOADED
    assert not DSR.objects.failed().exists()


def test_a_dry_run_with_other_totals_keeps_nothing(tmp_path):
    with pytest.raises(ReportRefused):
        imported(write_report(tmp_path, ES_JANUARY, *LINES), declared=DeclaredTotals(lines=3), dry_run=True)
    assert not DSR.objects.exists()


def test_warnings_help_to_see_why_totals_differ(tmp_path):
    import_report(tmp_path, ES_JANUARY, *LINES)
    with pytest.raises(ReportRefused) as refusal:
        imported(write_report(tmp_path, ES_FEBRUARY, *LINES * 5), declared=DeclaredTotals(lines=2))
    codes = [str(problem.code) for problem in refusal.value.extra["problems"]]
    assert {code for code in codes if code != "dsp_id_repeated"} == {"unlike_previous_report", "totals_differ"}


def test_a_replacement_with_other_totals_leaves_the_earlier_dsr(tmp_path):
    dsr = import_report(tmp_path, ES_JANUARY, *LINES)
    path = write_report(tmp_path, ES_JANUARY, line("c"))
    with pytest.raises(ReportRefused):
        imported(path, replace=True, declared=RIGHT)
    with pytest.raises(DSRExists):
        imported(path, declared=DeclaredTotals(lines=1))
    assert DSR.objects.ingested().get() == dsr


def test_the_same_content_again_is_compared_with_the_dsr_that_stands(tmp_path):
    dsr = import_report(tmp_path, ES_JANUARY, *LINES)
    path = write_report(tmp_path, ES_JANUARY, *LINES)

    assert imported(path, declared=RIGHT).outcome == Outcome.UNCHANGED
    with pytest.raises(ReportRefused) as refusal:
        imported(path, declared=DeclaredTotals(lines=2, usages=9))

    assert [problem.value for problem in refusal.value.extra["problems"]] == ["usages: 9 declared, 8 found"]
    assert DSR.objects.ingested().get() == dsr
    assert DSR.objects.failed().get().pk == refusal.value.extra["dsr"]


def test_totals_of_any_size_are_compared_to_the_last_digit(tmp_path):
    whole, part = "9" * 30, "9" * 60
    path = write_report(tmp_path, ES_JANUARY, line("a", usages="1", revenue=f"{whole}.{part}"))
    with pytest.raises(ReportRefused) as refusal:
        imported(path, declared=DeclaredTotals(revenue=Decimal(f"{whole}.{part[:-1]}8")))
    assert [problem.value for problem in refusal.value.extra["problems"]] == [
        f"revenue: {whole}.{part[:-1]}8 declared, {whole}.{part} found"
    ]
    assert imported(path, declared=DeclaredTotals(revenue=Decimal(f"{whole}.{part}"))).outcome == Outcome.LOADED


@pytest.mark.parametrize(
    ("total", "value"),
    [
        ("lines", -1),
        ("usages", -1),
        ("usages", 10**30),
        ("revenue", Decimal(10) ** 30),
        ("revenue", Decimal("1e-61")),
        ("revenue", Decimal("NaN")),
    ],
)
def test_what_no_total_can_be_is_refused_with_its_name(total, value):
    with pytest.raises(InvalidArgument, match=f"Declared {total} must be") as refusal:
        DeclaredTotals(**{total: value})
    assert refusal.value.extra == {"argument": total}


# --- Declared totals of several DSRs ---------------------------------------------------------------------------

SALES = [(1, "a", 3), (2, "b", 4)]


def test_declared_totals_are_those_of_all_contexts_of_a_message(tmp_path):
    # By hand: 3 of 10 usages have 1.50 of 5.00, and 4 of 4 have 2.00.
    path = write_message_file(tmp_path, contexts=[SPAIN, ITALY], sales=SALES)
    right = DeclaredTotals(lines=2, usages=7, revenue=Decimal("3.5"))

    with pytest.raises(ReportRefused) as refusal:
        message_imported(path, declared=DeclaredTotals(lines=1, revenue=Decimal(7)))
    errors = [problem for problem in refusal.value.extra["problems"] if problem.is_error]
    assert [(problem.context_number, problem.value) for problem in errors] == [
        (None, "lines: 1 declared, 2 found"),
        (None, "revenue: 7 declared, 3.5 found"),
    ]
    assert not DSR.objects.exists()
    assert not UsageLine.objects.exists()
    rejected = RejectedDelivery.objects.get()
    assert list(rejected.problems.filter(level="error").values_list("code", flat=True)) == ["totals_differ"] * 2

    assert message_imported(path, declared=right).outcome == Outcome.LOADED
    assert message_imported(path, declared=right).outcome == Outcome.UNCHANGED
    with pytest.raises(ReportRefused):
        message_imported(path, declared=DeclaredTotals(usages=8))
    assert ReportMessage.objects.count() == 1
    assert DSR.objects.count() == 2


def test_revenue_of_several_currencies_cannot_be_declared(tmp_path):
    path = write_message_file(tmp_path, contexts=[SPAIN, NORWAY], sales=SALES)
    with pytest.raises(InvalidArgument) as refusal:
        message_imported(path, declared=DeclaredTotals(revenue=Decimal(7)))
    assert refusal.value.extra == {"argument": "declared_revenue"}
    assert not RejectedDelivery.objects.exists()
    assert message_imported(path, declared=DeclaredTotals(lines=2, usages=7)).outcome == Outcome.LOADED


def test_more_usages_than_a_message_declares_are_only_a_warning(tmp_path):
    report = message_imported(write_message_file(tmp_path, sales=[(1, "a", 11), (2, "b", 3)]))
    warnings = [(str(problem.code), problem.context_number) for problem in report.problems.warnings]
    # Fewer are normal: a report often lists the recordings of one repertoire alone.
    assert sorted(warnings, key=str) == [("sender_unknown", None), ("usages_above_declared", 1)]
