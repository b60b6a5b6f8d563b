"""What `dsr_import` guarantees, and what it keeps of a refused file."""

import gzip
from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from catalogue.exceptions import DSRExists, InvalidReportName, ReportRefused
from catalogue.imports.loading.outcome import Outcome
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, LeftoverLines, RejectedDelivery, ReportProblem, UsageLine
from catalogue.reports import delivery
from catalogue.reports.problems import Problem
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, HEADER, NO_JANUARY, SHARED_STORAGE, line, line_storage, write_report
from tests.recipes import user

pytestmark = pytest.mark.django_db

ES_FEBRUARY = "Spotify_SpotifyFamilyPlan_ES_EUR_20200201-20200229.tsv"
ES_MID_JANUARY = "Spotify_SpotifyFamilyPlan_ES_EUR_20200115-20200214.tsv"
AR_JANUARY = "Spotify_SpotifyDuo_AR_ARS_20200101-20200131.tsv"
RU_MARCH = "Spotify_SpotifyDuo_RU_RUB_20220301-20220331.tsv"

ONE_LINE = line("a", "One", "Ana", "", "1", "1.50")
OTHER_LINE = line("b", "Two", "Bo", "", "2", "9.25")

# All kinds of cells, among them a number with the most digits: 30 before the decimal point and 60 after it.
LINES = (
    line("sp001", "Canción", "Ana|Eva", "ESABC2000001", "10", "1.25"),
    line("sp002", 'The "Best" of', "", "", "", ""),
    line("sp003", "", "Bo", "ISRC us-abc-19-00002", "5.0", "2.220446049250313e-16"),
    line("sp004", r"日本 \N", "Cy", "", "9223372036854775807", "-0.10"),
    line("sp005", " x ", "", "", "0", f"{'1234567890' * 3}.{'1234567890' * 6}"),
)
CELLS = [
    (2, "sp001", "Canción", "Ana|Eva", "ESABC2000001", 10, "1.25"),
    (3, "sp002", 'The "Best" of', None, None, None, None),
    (4, "sp003", None, "Bo", "USABC1900002", 5, "0.0000000000000002220446049250313"),
    (5, "sp004", r"日本 \N", "Cy", None, 9223372036854775807, "-0.10"),
    (6, "sp005", " x ", None, None, 0, f"{'1234567890' * 3}.{'1234567890' * 6}"),
]


@pytest.fixture(params=["shared partition", "own partition"])
def either_partition(request, settings):
    settings.DSRHUB_SHARED_PARTITION_BYTES = 1024**2 if request.param == "shared partition" else 0


def imported(path, **options):
    return dsr_import(path=path, name=path.name, **options)


def cells_of(dsr):
    """Every stored cell of a DSR, numbers with all their digits."""
    return [
        (
            one.line_number,
            one.dsp_id,
            one.title,
            one.artists,
            one.isrc,
            one.usages,
            None if one.revenue is None else format(one.revenue, "f"),
        )
        for one in UsageLine.objects.of([dsr]).order_by("line_number")
    ]


def everything():
    """Everything that an import can write."""
    tables = (DSR, ReportProblem, RejectedDelivery, LeftoverLines, UsageLine)
    return [list(table.objects.order_by("pk").values()) for table in tables], line_storage()


def problems_of(dsr):
    return list(dsr.problems.values_list("level", "code", "line", "column", "value"))


# --- A report that is loaded -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("either_partition")
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", [ES_JANUARY, f"{ES_JANUARY}.gz"])
def test_every_cell_is_kept_as_delivered(tmp_path, name, line_end):
    report = imported(write_report(tmp_path, name, *LINES, line_end=line_end))

    assert report.outcome == Outcome.LOADED
    assert cells_of(report.dsr) == CELLS
    assert UsageLine.objects.count() == 5


@pytest.mark.usefixtures("either_partition")
def test_columns_are_identified_by_their_names(tmp_path):
    path = write_report(
        tmp_path, ES_JANUARY, "1.50\ta\t7\t\tOne\t", header="revenue\tdsp_id\tusages\tisrc\ttitle\tartists"
    )

    assert cells_of(imported(path).dsr) == [(2, "a", "One", None, None, 7, "1.50")]


@pytest.mark.usefixtures("either_partition")
def test_totals_and_counts_of_a_report(tmp_path):
    dsr = DSR.objects.get(pk=imported(write_report(tmp_path, ES_JANUARY, *LINES)).dsr.pk)

    assert dsr.line_count == 5
    assert dsr.total_usages == 9223372036854775822
    # 1.25 + 2.220446049250313e-16 - 0.10 + 1234567...
    assert str(dsr.total_revenue) == (
        "123456789012345678901234567891.273456789012345900945839492921423456789012345678901234567890"
    )
    assert str(dsr.lowest_revenue) == "-0.10"
    assert (dsr.blank_title_count, dsr.blank_artists_count, dsr.blank_isrc_count) == (1, 2, 3)
    assert (dsr.blank_usages_count, dsr.blank_revenue_count, dsr.blank_count) == (1, 1, 8)
    assert (dsr.error_count, dsr.warning_count) == (0, 0)


def test_the_fields_of_a_dsr_come_from_its_name(tmp_path):
    path = write_report(tmp_path, "Spotify_Free_SGAE_NO_EUR_20200105-20200228.tsv", ONE_LINE)

    dsr = DSR.objects.get(pk=imported(path).dsr.pk)

    assert dsr.path == "Spotify_Free_SGAE_NO_EUR_20200105-20200228.tsv"
    assert (dsr.dsp, dsr.offer, dsr.society) == ("Spotify", "Free", "SGAE")
    assert (dsr.territory_id, dsr.currency_id) == ("NO", "EUR")
    assert (dsr.period_start, dsr.period_end) == (date(2020, 1, 5), date(2020, 2, 28))
    assert dsr.status == DSR.Status.INGESTED
    assert (dsr.exchange_rate, dsr.rate_method) == (1, "euro")
    assert dsr.gzip_name is None


def test_the_hash_is_that_of_the_unpacked_content(tmp_path):
    # printf 'dsp_id\ttitle\tartists\tisrc\tusages\trevenue\n' | sha256sum
    header_alone = "653a57ff6fac1672537b53e80d1321ba1d49101cd8df102fda6a9e0d595f76ae"

    assert imported(write_report(tmp_path, ES_JANUARY, line_end="\n")).dsr.sha256 == header_alone
    assert imported(write_report(tmp_path, f"{ES_FEBRUARY}.gz", line_end="\n")).dsr.sha256 == header_alone


def test_an_operators_rate_takes_precedence(tmp_path):
    recipes.operator_rate.make(rate=Decimal("9.5"), note="bank")

    dsr = imported(write_report(tmp_path, NO_JANUARY, ONE_LINE)).dsr

    assert (dsr.exchange_rate, dsr.rate_method, dsr.rate_source) == (Decimal("9.5"), "operator", "bank")


@pytest.mark.usefixtures("either_partition")
def test_a_header_alone_is_an_empty_report(tmp_path):
    report = imported(write_report(tmp_path, ES_JANUARY))

    dsr = DSR.objects.ingested().get(pk=report.dsr.pk)
    assert report.outcome == Outcome.LOADED
    assert (dsr.line_count, dsr.total_usages, dsr.total_revenue, dsr.lowest_revenue) == (0, 0, 0, None)
    assert dsr.blank_count == 0


def test_only_a_report_above_the_limit_gets_a_table_of_its_own(tmp_path, settings):
    # The line has 10 bytes with its line end.
    settings.DSRHUB_SHARED_PARTITION_BYTES = 10
    small = imported(write_report(tmp_path, ES_JANUARY, line("a", "One"), line_end="\n")).dsr
    assert line_storage() == SHARED_STORAGE
    large = imported(write_report(tmp_path, ES_FEBRUARY, line("a", "Five"), line_end="\n")).dsr

    assert small.partition == 0
    assert large.partition == large.pk
    assert line_storage() == sorted([*SHARED_STORAGE, f"catalogue_usageline_{large.pk}"])
    assert [one[2] for one in cells_of(small) + cells_of(large)] == ["One", "Five"]


@pytest.mark.on_one_server(reason="a cluster has no unique index on a hash")
@pytest.mark.parametrize(("lines", "unique"), [(["a", "b"], "UNIQUE "), (["a", "a"], "")])
def test_a_table_of_its_own_has_its_indexes_whether_or_not_a_dsp_id_is_repeated(tmp_path, settings, lines, unique):
    settings.DSRHUB_SHARED_PARTITION_BYTES = 0
    dsr = imported(write_report(tmp_path, ES_JANUARY, *(line(dsp_id) for dsp_id in lines))).dsr

    table = f"catalogue_usageline_{dsr.pk}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = %s ORDER BY indexname", [table])
        definitions = [definition.split(f" ON public.{table} USING ") for (definition,) in cursor.fetchall()]
    assert [(made.partition("INDEX")[0], on) for made, on in definitions] == [
        (f"CREATE {unique}", "btree (hashtextextended(dsp_id, (0)::bigint))"),
        ("CREATE ", "brin (line_number) WITH (pages_per_range='32')"),
        ("CREATE ", "btree (revenue DESC NULLS LAST)"),
    ]


def test_the_user_who_imported_is_kept(tmp_path):
    ana = user.make(username="ana")

    assert imported(write_report(tmp_path, ES_JANUARY, ONE_LINE), user=ana).dsr.imported_by == ana
    assert imported(write_report(tmp_path, ES_FEBRUARY, OTHER_LINE)).dsr.imported_by is None
    with pytest.raises(ReportRefused):
        imported(write_report(tmp_path, NO_JANUARY, line("", "No id")), user=ana)
    assert DSR.objects.failed().get().imported_by == ana
    with pytest.raises(InvalidReportName):
        imported(write_report(tmp_path, "report.tsv", ONE_LINE), user=ana)
    assert RejectedDelivery.objects.get().delivered_by == ana


@pytest.mark.parametrize("name", [ES_JANUARY, f"{ES_JANUARY}.gz"])
def test_progress_adds_up_to_the_bytes_of_the_file(tmp_path, name):
    path = write_report(tmp_path, name, *LINES)
    steps = []

    imported(path, progress=steps.append)

    assert sum(steps) == path.stat().st_size


@pytest.mark.parametrize("limit", [0, 10 * 1024**2])
def test_as_many_queries_for_10_lines_as_for_10_000(tmp_path, settings, monkeypatch, limit):
    settings.DSRHUB_SHARED_PARTITION_BYTES = limit
    # Without those of statistics, which are made where a table has grown by so much.
    monkeypatch.setattr("dsrhub.database.planner.FEW_CHANGES", 100_000)
    few = write_report(tmp_path, ES_JANUARY, *(line(f"a{n}", revenue="10") for n in range(10)))
    many = write_report(tmp_path, ES_FEBRUARY, *(line(f"a{n}", revenue="0.01") for n in range(10_000)))

    with CaptureQueriesContext(connection) as for_few:
        imported(few)
    with CaptureQueriesContext(connection) as for_many:
        report = imported(many)

    assert report.dsr.total_revenue == 100
    assert len(for_many) == len(for_few)


def test_an_import_never_runs_inside_another_transaction(tmp_path):
    # If the outer transaction failed, the failed DSR would be rolled back too.
    path = write_report(tmp_path, ES_JANUARY, ONE_LINE)

    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        imported(path)

    assert not DSR.objects.exists()


# --- A report that is refused ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("either_partition")
def test_a_report_with_errors_leaves_only_its_problems(tmp_path):
    path = write_report(
        tmp_path, ES_JANUARY, ONE_LINE, line("", "No id"), "too\tfew", line("c", usages="abc", revenue="1,5")
    )

    with pytest.raises(ReportRefused) as refusal:
        imported(path)

    assert refusal.value.extra["problems"] == [
        Problem("dsp_id_missing", 3, "dsp_id", "", excerpt=("", "", "\tNo id\t\t\t\t")),
        Problem("wrong_cell_count", 4, None, "2", excerpt=("too\tfew", "", "")),
        Problem("not_a_number", 5, "usages", "abc", excerpt=("c\t\t\t\t", "abc", "\t1,5")),
        Problem("not_a_number", 5, "revenue", "1,5", excerpt=("c\t\t\t\tabc\t", "1,5", "")),
    ]
    assert [problem.excerpt for problem in DSR.objects.get().problems.order_by("id")] == [
        *(["", "", "\tNo id\t\t\t\t"], ["too\tfew", "", ""]),
        *(["c\t\t\t\t", "abc", "\t1,5"], ["c\t\t\t\tabc\t", "1,5", ""]),
    ]
    dsr = DSR.objects.get()
    assert refusal.value.extra["dsr"] == dsr.pk
    assert refusal.value.extra["error_count"] == dsr.error_count == 4
    assert problems_of(dsr) == [
        ("error", "dsp_id_missing", 3, "dsp_id", ""),
        ("error", "wrong_cell_count", 4, None, "2"),
        ("error", "not_a_number", 5, "usages", "abc"),
        ("error", "not_a_number", 5, "revenue", "1,5"),
    ]
    assert (dsr.status, dsr.path, dsr.dsp, dsr.territory_id) == ("failed", ES_JANUARY, "Spotify", "ES")
    assert (dsr.period_start, dsr.line_count, dsr.exchange_rate, dsr.sha256) == (date(2020, 1, 1), 0, None, None)
    assert not UsageLine.objects.exists()
    assert line_storage() == SHARED_STORAGE


@pytest.mark.usefixtures("either_partition")
def test_an_error_after_many_loaded_lines_removes_all_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(delivery, "CHUNK_BYTES", 1000)
    path = write_report(tmp_path, ES_JANUARY, *(line(f"a{n}") for n in range(1000)), line("z", revenue="NaN"))

    with pytest.raises(ReportRefused, match="1 error, nothing is loaded"):
        imported(path)

    assert problems_of(DSR.objects.get()) == [("error", "not_a_number", 1002, "revenue", "NaN")]
    assert not UsageLine.objects.exists()
    assert line_storage() == SHARED_STORAGE


@pytest.mark.usefixtures("either_partition")
def test_errors_beyond_the_limit_are_counted_and_not_kept(tmp_path, settings):
    settings.DSRHUB_PROBLEM_LIMIT = 2

    with pytest.raises(ReportRefused, match="5 errors") as refusal:
        imported(write_report(tmp_path, ES_JANUARY, *[line("", "No id")] * 5))

    dsr = DSR.objects.get()
    assert dsr.error_count == refusal.value.extra["error_count"] == 5
    assert [problem.line for problem in dsr.problems.all()] == [2, 3]


@pytest.mark.parametrize("content", [b"", b"dsp_id\ttitle\r\na\tb\r\n", b"dsp_id\0\ttitle\r\n"])
def test_a_report_without_its_columns_is_refused(tmp_path, content):
    path = tmp_path / ES_JANUARY
    path.write_bytes(content)

    with pytest.raises(ReportRefused):
        imported(path)

    assert DSR.objects.failed().get().problems.count() > 0


@pytest.mark.usefixtures("either_partition")
def test_a_gzip_file_that_is_cut_off_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(delivery, "CHUNK_BYTES", 1000)
    path = write_report(tmp_path, f"{ES_JANUARY}.gz", *(line(f"a{n}") for n in range(1000)))
    path.write_bytes(path.read_bytes()[:-10])

    with pytest.raises(ReportRefused, match="The packed file is cut off"):
        imported(path)

    assert problems_of(DSR.objects.get()) == [("error", "gzip_truncated", None, None, None)]
    assert not UsageLine.objects.exists()
    assert line_storage() == SHARED_STORAGE


@pytest.mark.usefixtures("either_partition")
def test_a_totals_row_is_a_warning_on_its_line(tmp_path):
    lines = [line("a", usages="1", revenue="0.104"), line("b", usages="2", revenue="0.254"), line("c")]
    total = line("Total", usages="3", revenue="0.36")

    report = imported(write_report(tmp_path, ES_JANUARY, *lines, total, ""))

    assert problems_of(report.dsr) == [("warning", "totals_row_suspected", 5, None, "usages 3, revenue 0.36")]
    assert report.dsr.problems.get().excerpt == ["", "Total\t\t\t\t3\t0.36", ""]
    assert (report.dsr.line_count, report.dsr.total_usages) == (4, 6)


def test_padding_behind_gzip_is_a_warning(tmp_path):
    path = write_report(tmp_path, f"{ES_JANUARY}.gz", ONE_LINE)
    with path.open("ab") as file:
        file.write(b"\r\n")

    assert problems_of(imported(path).dsr) == [("warning", "gzip_padding", None, None, "2 bytes")]


def test_ids_that_look_alike_count_apart_with_a_warning(tmp_path):
    path = write_report(tmp_path, ES_JANUARY, line("abc", revenue="1"), line("abc\u200b", revenue="2"))

    dsr = imported(path).dsr

    assert problems_of(dsr) == [("warning", "invisible_character", 3, "dsp_id", r"abc\u200b")]
    assert dsr.total_revenue == 3
    assert list(UsageLine.objects.order_by("line_number").values_list("dsp_id", flat=True)) == ["abc", "abc\u200b"]


def test_a_file_of_another_kind_is_one_error(tmp_path):
    path = tmp_path / ES_JANUARY
    path.write_bytes("dsp_id\ttitle\n".encode("utf-16"))

    with pytest.raises(ReportRefused, match=r"than its name says\. \(value 'This is UTF-16") as refusal:
        imported(path)

    assert refusal.value.extra["error_count"] == 1
    advice = "This is UTF-16 text (“Unicode text” of Excel). Save it as UTF-8 text."
    assert problems_of(DSR.objects.get()) == [("error", "wrong_file_kind", None, None, advice)]


def test_a_file_that_fails_again_replaces_its_failure(tmp_path):
    for content in (line("", "No id"), line("a", usages="x")):
        with pytest.raises(ReportRefused):
            imported(write_report(tmp_path, ES_JANUARY, content))

    assert problems_of(DSR.objects.get()) == [("error", "not_a_number", 2, "usages", "x")]
    assert ReportProblem.objects.count() == 1


def test_success_removes_only_the_failure_of_the_same_file(tmp_path):
    for name in (ES_JANUARY, ES_FEBRUARY):
        with pytest.raises(ReportRefused):
            imported(write_report(tmp_path, name, line("", "No id")))

    imported(write_report(tmp_path, ES_JANUARY, ONE_LINE))

    assert list(DSR.objects.order_by("path").values_list("path", "status")) == [
        (ES_JANUARY, "ingested"),
        (ES_FEBRUARY, "failed"),
    ]
    assert ReportProblem.objects.count() == 1


def test_an_unchanged_file_removes_its_failure_too(tmp_path):
    imported(write_report(tmp_path, ES_JANUARY, ONE_LINE))
    with pytest.raises(ReportRefused):
        imported(write_report(tmp_path, ES_JANUARY, line("", "No id")), replace=True)

    assert imported(write_report(tmp_path, ES_JANUARY, ONE_LINE)).outcome == Outcome.UNCHANGED

    assert not DSR.objects.failed().exists()


# --- Invalid names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("report.tsv", "doesn't match the pattern"),
        ("Spotify_Free_ES_EUR_20200101-20200131.csv", "doesn't match the pattern"),  # It has the columns of a report.
        ("Spotify_Free_ES_EUR_20200131-20200101.tsv", "ends before it starts"),
        ("Spotify_Free_ES_EUR_20200101-20200230.tsv", "does not exist"),
        ("Spotify_Free_XX_EUR_20200101-20200131.tsv", "unknown territory 'XX'"),
        ("Spotify_Free_ES_QQQ_20200101-20200131.tsv", "unknown currency 'QQQ'"),
    ],
)
def test_an_invalid_name_is_kept_once_as_a_rejected_delivery(tmp_path, name, reason):
    path = write_report(tmp_path, ES_JANUARY, ONE_LINE)

    for _ in range(2):
        with pytest.raises(InvalidReportName, match=reason):
            dsr_import(path=path, name=name)

    rejected = RejectedDelivery.objects.get()
    assert rejected.name == name
    assert reason in rejected.reason
    assert not DSR.objects.exists()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Spot\udce9fy_Free_ES_EUR_20200101-20200131.tsv", r"Spot\udce9fy_Free_ES_EUR_20200101-20200131.tsv"),
        ("a\0b", r"a\x00b"),
        ("a" * 300, "a" * 255),
        (f"{'S' * 101}_Free_ES_EUR_20200101-20200131.tsv", f"{'S' * 101}_Free_ES_EUR_20200101-20200131.tsv"),
    ],
)
def test_a_name_that_cannot_be_stored_is_rejected_too(tmp_path, name, kept):
    with pytest.raises(InvalidReportName):
        dsr_import(path=write_report(tmp_path, ES_JANUARY, ONE_LINE), name=name)

    assert RejectedDelivery.objects.get().name == kept


# --- No exchange rate ------------------------------------------------------------------------------------------


def test_without_an_exchange_rate_the_report_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(ReportRefused, match=r"Enter a rate of ARS from 2020-01-01 to 2020-01-31\."):
        imported(write_report(tmp_path, AR_JANUARY, ONE_LINE))

    assert problems_of(DSR.objects.failed().get()) == [("error", "exchange_rate_missing", None, None, "ARS")]
    assert not UsageLine.objects.exists()


def test_with_only_some_days_of_the_exchange_rate_the_report_is_refused(tmp_path):
    # The ECB published rates on 23 days of March 2022, but a rate of the rouble only on the first of them.
    with pytest.raises(ReportRefused, match="has 1 of 23 published rates of RUB"):
        imported(write_report(tmp_path, RU_MARCH, ONE_LINE))

    assert problems_of(DSR.objects.failed().get()) == [
        ("error", "exchange_rate_incomplete", None, None, "RUB: 1 of 23 days, the ECB suspended RUB after 2022-03-01")
    ]


# --- A report with the key of an earlier DSR -------------------------------------------------------------------


def test_the_same_content_again_changes_nothing(tmp_path):
    first = imported(write_report(tmp_path, ES_JANUARY, ONE_LINE)).dsr
    before = everything()

    # Compressed or not, with or without `replace`, it is the same content under the same key.
    for name in (ES_JANUARY, f"{ES_JANUARY}.gz"):
        for replace in (False, True):
            report = imported(write_report(tmp_path, name, ONE_LINE), replace=replace)
            assert (report.outcome, report.dsr) == (Outcome.UNCHANGED, first)

    assert everything() == before


def test_different_content_under_the_same_key_is_refused_and_changes_nothing(tmp_path):
    first = imported(write_report(tmp_path, ES_JANUARY, ONE_LINE)).dsr
    before = everything()

    with pytest.raises(DSRExists, match="is an earlier delivery of this report with different content") as refusal:
        imported(write_report(tmp_path, f"{ES_JANUARY}.gz", OTHER_LINE))

    assert refusal.value.extra == {"id": first.pk, "path": ES_JANUARY, "ids": [first.pk]}
    assert everything() == before


@pytest.mark.usefixtures("either_partition", "without_versions")
def test_a_replacement_takes_the_place_of_the_earlier_dsr(tmp_path):
    beside = imported(write_report(tmp_path, ES_FEBRUARY, line("c", revenue="5"))).dsr
    first = imported(write_report(tmp_path, ES_JANUARY, ONE_LINE)).dsr

    report = imported(write_report(tmp_path, f"{ES_JANUARY}.gz", OTHER_LINE), replace=True)

    assert report.outcome == Outcome.REPLACED
    assert problems_of(report.dsr) == []
    assert set(DSR.objects.values_list("pk", "total_revenue")) == {
        (beside.pk, Decimal(5)),
        (report.dsr.pk, Decimal("9.25")),
    }
    assert cells_of(report.dsr) == [(2, "b", "Two", "Bo", None, 2, "9.25")]
    assert not UsageLine.objects.filter(dsr=first.pk).exists()
    assert f"catalogue_usageline_{first.pk}" not in line_storage()
    assert not LeftoverLines.objects.exists()
    assert len(cells_of(report.dsr)) == len(cells_of(beside)) == 1


@pytest.mark.usefixtures("either_partition")
def test_a_replacement_that_fails_leaves_the_earlier_dsr_as_it_was(tmp_path):
    imported(write_report(tmp_path, ES_JANUARY, ONE_LINE))
    dsrs, lines = list(DSR.objects.values()), list(UsageLine.objects.values())
    storage = line_storage()

    with pytest.raises(ReportRefused):
        imported(write_report(tmp_path, ES_JANUARY, OTHER_LINE, line("", "No id")), replace=True)

    assert list(DSR.objects.ingested().values()) == dsrs
    assert list(UsageLine.objects.values()) == lines
    assert line_storage() == storage
    assert not LeftoverLines.objects.exists()
    assert DSR.objects.failed().get().path == ES_JANUARY


def test_replace_without_an_earlier_dsr_imports(tmp_path):
    assert imported(write_report(tmp_path, ES_JANUARY, ONE_LINE), replace=True).outcome == Outcome.LOADED


def test_without_a_society_a_key_is_unique_too(tmp_path):
    dsr = imported(write_report(tmp_path, "Spotify_Free_ES_EUR_20200101-20200131.tsv", ONE_LINE)).dsr
    imported(write_report(tmp_path, "Spotify_Free_SGAE_ES_EUR_20200101-20200131.tsv", OTHER_LINE))
    assert DSR.objects.ingested().count() == 2

    dsr.pk, dsr._state.adding = None, True
    with pytest.raises(IntegrityError, match="dsr_key_once_ingested"):
        dsr.save()


# --- Warnings --------------------------------------------------------------------------------------------------


def test_the_same_content_under_another_key_is_a_warning(tmp_path):
    imported(write_report(tmp_path, ES_JANUARY, ONE_LINE))

    report = imported(write_report(tmp_path, f"{NO_JANUARY}.gz", ONE_LINE))

    assert report.outcome == Outcome.LOADED
    assert report.problems.warnings == [Problem("content_seen_before", value=ES_JANUARY)]
    assert problems_of(report.dsr) == [("warning", "content_seen_before", None, None, ES_JANUARY)]
    assert report.dsr.warning_count == 1


def test_an_overlapping_period_of_an_otherwise_equal_key_is_a_warning(tmp_path):
    imported(write_report(tmp_path, ES_JANUARY, ONE_LINE))
    imported(write_report(tmp_path, "Spotify_Other_ES_EUR_20200101-20200131.tsv", OTHER_LINE))

    overlapping = imported(write_report(tmp_path, ES_MID_JANUARY, line("c")))
    beside = imported(write_report(tmp_path, "Spotify_SpotifyFamilyPlan_ES_EUR_20200215-20200229.tsv", line("d")))

    assert problems_of(overlapping.dsr) == [("warning", "period_overlaps", None, None, ES_JANUARY)]
    assert problems_of(beside.dsr) == []


@pytest.mark.usefixtures("either_partition")
def test_a_repeated_dsp_id_is_a_warning_and_all_its_lines_count(tmp_path):
    dsr = imported(
        write_report(
            tmp_path,
            ES_JANUARY,
            *(line(dsp_id, usages="1", revenue="0.10") for dsp_id in ("a", "b", "A", "a", "c", "b", "a", "A")),
        )
    ).dsr

    assert problems_of(dsr) == [
        ("warning", "dsp_id_repeated", 5, "dsp_id", "a"),
        ("warning", "dsp_id_repeated", 7, "dsp_id", "b"),
        ("warning", "dsp_id_repeated", 8, "dsp_id", "a"),
        ("warning", "dsp_id_repeated", 9, "dsp_id", "A"),
    ]
    assert (dsr.line_count, dsr.total_usages, dsr.total_revenue) == (8, 8, Decimal("0.80"))


def test_warnings_beyond_the_limit_are_counted_and_not_kept(tmp_path, settings):
    settings.DSRHUB_PROBLEM_LIMIT = 2

    # An invalid ISRC, and a dsp_id that is repeated five times.
    report = imported(write_report(tmp_path, ES_JANUARY, line("a", isrc="bad"), *[line("a")] * 5))

    assert report.dsr.warning_count == report.problems.warning_count == 6
    assert problems_of(report.dsr) == [
        ("warning", "isrc_invalid", 2, "isrc", "bad"),
        ("warning", "dsp_id_repeated", 3, "dsp_id", "a"),
    ]


@pytest.mark.parametrize(
    ("stored", "warnings"),
    [
        (ES_JANUARY, []),
        (ES_FEBRUARY, [("warning", "gzip_name_differs", None, None, ES_FEBRUARY)]),
        (None, []),
    ],
)
def test_a_different_name_inside_gzip_is_kept_and_a_warning(tmp_path, stored, warnings):
    path = tmp_path / f"{ES_JANUARY}.gz"
    with path.open("wb") as file, gzip.GzipFile(stored or "", "wb", fileobj=file) as packed:
        packed.write(f"{HEADER}\n{ONE_LINE}\n".encode())

    dsr = imported(path).dsr

    assert (dsr.path, dsr.period_start, dsr.gzip_name) == (f"{ES_JANUARY}.gz", date(2020, 1, 1), stored)
    assert problems_of(dsr) == warnings


# --- A dry run -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("either_partition")
def test_a_dry_run_reports_what_a_real_run_does_and_keeps_nothing(tmp_path):
    imported(write_report(tmp_path, ES_MID_JANUARY, ONE_LINE))
    before = everything()
    path = write_report(tmp_path, ES_JANUARY, *LINES, line("sp001", isrc="bad"))

    checked = imported(path, dry_run=True)
    assert everything() == before
    loaded = imported(path)

    assert (checked.outcome, loaded.outcome) == (Outcome.CHECKED, Outcome.LOADED)
    assert checked.problems == loaded.problems
    assert [problem.code for problem in checked.problems.kept] == ["isrc_invalid", "period_overlaps", "dsp_id_repeated"]
    for field in ("line_count", "total_usages", "total_revenue", "lowest_revenue", "sha256", "warning_count"):
        assert getattr(checked.dsr, field) == getattr(loaded.dsr, field)
    assert (checked.dsr.blank_count, checked.dsr.exchange_rate, checked.rewritten_count) == (
        loaded.dsr.blank_count,
        loaded.dsr.exchange_rate,
        loaded.rewritten_count,
    )


@pytest.mark.usefixtures("either_partition")
def test_a_dry_run_of_a_report_with_errors_finds_the_same_errors_and_keeps_nothing(tmp_path):
    path = write_report(tmp_path, ES_JANUARY, ONE_LINE, line("", usages="x"))
    before = everything()

    with pytest.raises(ReportRefused) as checked:
        imported(path, dry_run=True)
    assert everything() == before
    with pytest.raises(ReportRefused) as loaded:
        imported(path)

    assert str(checked.value) == str(loaded.value)
    assert checked.value.extra["problems"] == loaded.value.extra["problems"]


@pytest.mark.usefixtures("either_partition")
def test_a_dry_run_of_a_replacement_keeps_the_earlier_dsr(tmp_path, django_capture_on_commit_callbacks):
    imported(write_report(tmp_path, ES_JANUARY, ONE_LINE))
    path = write_report(tmp_path, ES_JANUARY, OTHER_LINE)
    before = everything()

    with pytest.raises(DSRExists):
        imported(path, dry_run=True)
    with django_capture_on_commit_callbacks() as after_commit:
        assert imported(path, dry_run=True, replace=True).outcome == Outcome.CHECKED

    assert after_commit == []
    assert everything() == before


@pytest.mark.parametrize("name", ["report.tsv", "Spotify_Free_XX_EUR_20200101-20200131.tsv"])
def test_a_dry_run_of_an_invalid_name_keeps_nothing(tmp_path, name):
    with pytest.raises(InvalidReportName):
        dsr_import(path=write_report(tmp_path, ES_JANUARY, ONE_LINE), name=name, dry_run=True)

    assert not RejectedDelivery.objects.exists()


def test_a_dry_run_leaves_an_earlier_failure_alone(tmp_path):
    with pytest.raises(ReportRefused):
        imported(write_report(tmp_path, ES_JANUARY, line("", "No id")))
    before = everything()

    assert imported(write_report(tmp_path, ES_JANUARY, ONE_LINE), dry_run=True).outcome == Outcome.CHECKED

    assert everything() == before
