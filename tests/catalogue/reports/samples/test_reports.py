"""The samples in data/, and their generator, which also makes the files of benchmarks."""

import csv
import gzip
import hashlib
import io
import tracemalloc
from datetime import date
from itertools import accumulate
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from stdnum import isrc as stdnum_isrc

from catalogue.imports.loading.outcome import Outcome
from catalogue.imports.services import dsr_import
from catalogue.models import DSR
from catalogue.rates.periods import exchange_rate
from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.tsv.name import parse_report_name
from catalogue.reports.samples.lines import CONCENTRATED, EVEN, Shape, eleven_sixteenths
from catalogue.reports.samples.reports import sample_lines, sample_list, sample_write

DATA = settings.BASE_DIR / "data"
MESSAGE = "DSR_SGAE_Spotify_FamilyPlan-Duo_2020-03_ES_1of1_20200412T083000.tsv.gz"
REPORTS = sorted(path for path in DATA.iterdir() if path.name != MESSAGE)
LINES = 10_000
SPAIN, NORWAY = 0, 7  # the positions of a Spotify DSR in EUR and of a Deezer DSR in NOK in the list


def rows_of(place: int, *, lines: int = LINES, seed: int = 1, shape: Shape = CONCENTRATED) -> list[dict[str, str]]:
    sample = sample_list(8)[place]
    text = "".join(sample_lines(sample, seed=seed, lines=lines, recordings=2 * lines, shape=shape))
    columns = ["dsp_id", "title", "artists", "isrc", "usages", "revenue"]
    return list(csv.DictReader(io.StringIO(text), columns, delimiter="\t", quoting=csv.QUOTE_NONE))


def unpacked(folder: Path) -> dict[str, bytes]:
    return {path.name: gzip.decompress(path.read_bytes()) for path in folder.iterdir()}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return rows_of(SPAIN)


# --- The committed samples -------------------------------------------------------------------------------------


def test_the_data_folder_is_what_the_command_makes(tmp_path):
    for name in ("tsv", "ddex"):
        call_command("generate_dsrs", tmp_path, format=name, stdout=io.StringIO())

    # Not the packed bytes: other versions of zlib compress the same content differently.
    assert unpacked(tmp_path) == unpacked(DATA)


def test_the_data_folder_is_small_and_varied():
    names = [parse_report_name(path.name) for path in REPORTS]

    assert sum(path.stat().st_size for path in DATA.iterdir()) < 400_000
    assert (DATA / MESSAGE).stat().st_size < 60_000
    assert {(name.territory, name.currency) for name in names} == {
        ("CH", "CHF"),
        ("ES", "EUR"),
        ("GB", "GBP"),
        ("JP", "JPY"),
        ("NO", "NOK"),
        ("US", "USD"),
    }
    assert {name.dsp for name in names} == {"Deezer", "Spotify", "YouTube"}
    assert {(name.period_start, name.period_end) for name in names} == {
        (date(2020, 1, 1), date(2020, 1, 31)),
        (date(2020, 2, 1), date(2020, 2, 29)),
    }
    assert [name.society for name in names].count(None) == 6
    assert len({(name.dsp, name.offer) for name in names}) == 8


@pytest.mark.django_db
def test_the_data_folder_imports_without_a_problem():
    reports = [dsr_import(path=path, name=path.name) for path in REPORTS]

    assert [report.outcome for report in reports] == [Outcome.LOADED] * 8
    assert [report.dsr.line_count for report in reports] == [700] * 8
    assert [report.problems.kept for report in reports] == [[]] * 8
    assert DSR.objects.ingested().filter(total_revenue__gt=0).count() == 8
    # The samples have valid cells that must be rewritten for the database.
    assert sum(report.rewritten_count for report in reports) > 0


@pytest.mark.django_db(transaction=True)
def test_the_demo_imports_the_message_of_the_data_folder_with_the_reports():
    call_command("import_dsr", str(DATA), stdout=io.StringIO())

    assert DSR.objects.ingested().count() == 10
    dsrs = DSR.objects.filter(path=MESSAGE).order_by("summary_id")
    assert [(dsr.offer, dsr.territory_id, dsr.society, dsr.commercial_model, dsr.use_type) for dsr in dsrs] == [
        ("FamilyPlan", "ES", "SGAE", "SubscriptionModel", "OnDemandStream"),
        ("Duo", "ES", "SGAE", "SubscriptionModel", "OnDemandStream"),
    ]
    # The DSP is known by the reports, so nothing is to be said of it.
    assert {problem.code for dsr in dsrs for problem in dsr.problems.all()} <= {
        "isrc_repeated",
        "usages_below_declared",
    }
    assert sum(dsr.line_count for dsr in dsrs) == 600
    # Both contexts are cut to a repertoire.
    assert all(0 < dsr.unallocated_revenue == dsr.declared_revenue - dsr.total_revenue for dsr in dsrs)


# --- Which DSRs ------------------------------------------------------------------------------------------------


def test_no_two_dsrs_are_of_one_service_market_and_month():
    keys = {parse_report_name(sample.name) for sample in sample_list(19_008)}  # 11 services, 24 markets, 72 months

    assert len(keys) == 19_008


@pytest.mark.parametrize("dsrs", [0, 19_009])
def test_there_is_at_most_one_dsr_per_service_market_and_month(dsrs):
    with pytest.raises(ValueError, match="1 to 19008"):
        sample_list(dsrs)


@pytest.mark.django_db
def test_every_dsr_has_an_exchange_rate():
    names = [parse_report_name(sample.name) for sample in sample_list(19_008)]

    assert min(name.period_start for name in names) == date(2020, 1, 1)
    assert max(name.period_end for name in names) == date(2025, 12, 31)
    for currency in {name.currency for name in names}:
        # The rates are complete for the whole time, so they are complete for each month.
        assert exchange_rate(currency=currency, period_start=date(2020, 1, 1), period_end=date(2025, 12, 31))


# --- Reproducible output ---------------------------------------------------------------------------------------


def test_the_same_arguments_give_the_same_bytes(tmp_path):
    for folder in ("first", "second"):
        call_command("generate_dsrs", tmp_path / folder, dsrs=3, lines=50, seed=5, stdout=io.StringIO())

    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert len(names) == 3
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_another_seed_gives_other_recordings():
    first, second = ({row["dsp_id"] for row in rows_of(SPAIN, lines=100, seed=seed)} for seed in (1, 2))

    assert not first & second


def test_the_gzip_header_has_the_name_of_the_file_and_no_time(tmp_path):
    path = sample_write(tmp_path, sample_list(1)[0], seed=1, lines=1, recordings=1)

    assert Delivery(path, path.name).gzip_name == "Spotify_FamilyPlan_ES_EUR_20200101-20200131.tsv"
    assert path.read_bytes()[4:8] == b"\0\0\0\0"  # RFC 1952, section 2.3.1: MTIME


# --- The even shape --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [1, 2, 3, 610])
def test_the_even_shape_has_each_recording_once_and_the_same_bytes_again(lines):
    rows = rows_of(SPAIN, lines=lines, shape=EVEN)

    assert len({row["dsp_id"] for row in rows}) == lines
    assert rows == rows_of(SPAIN, lines=lines, shape=EVEN)


def test_the_bytes_of_the_even_shape_stay(tmp_path):
    path = sample_write(tmp_path, sample_list(1)[0], seed=1, lines=3, recordings=9, shape=EVEN)

    digest = hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()
    assert digest == "5c1fec857e1f0f77e22a10c8783be74177e84a85b44fc960847060fdde954bf4"


def test_the_even_shape_needs_more_recordings_for_half_of_the_usages():
    # Usages fall as 1 / rank ** 0.6875 instead of 1 / rank, so that the sum of the first ranks is a smaller share.
    concentrated, even = (half_of_usages(rows_of(SPAIN, lines=2000, shape=shape)) for shape in (CONCENTRATED, EVEN))

    assert even > 2 * concentrated


def half_of_usages(rows: list[dict[str, str]]) -> int:
    """How many recordings it takes to have half of all usages."""
    usages = sorted((int(float(row["usages"])) for row in rows if row["usages"]), reverse=True)
    return next(place for place, running in enumerate(accumulate(usages), start=1) if 2 * running >= sum(usages))


def test_a_power_of_eleven_sixteenths_is_made_of_square_roots():
    assert eleven_sixteenths(2.0**16) == 2.0**11  # all of its roots are exact
    assert eleven_sixteenths(1) == 1


# --- The content -----------------------------------------------------------------------------------------------


def test_lines_end_with_crlf_under_a_header(tmp_path):
    path = sample_write(tmp_path, sample_list(1)[0], seed=1, lines=3, recordings=6)

    content = gzip.decompress(path.read_bytes())
    header, *lines, rest = content.split(b"\r\n")
    assert header == b"dsp_id\ttitle\tartists\tisrc\tusages\trevenue"
    assert [line.count(b"\t") for line in lines] == [5, 5, 5]
    assert rest == b""
    assert content.count(b"\n") == 4


@pytest.mark.parametrize("lines", [1, 2, 3, 8, 610, 1000])
def test_no_dsp_id_is_repeated_in_a_dsr(lines):
    assert len({row["dsp_id"] for row in rows_of(SPAIN, lines=lines)}) == lines


@pytest.mark.parametrize(
    ("column", "share"),
    [("dsp_id", 0), ("title", 0.045), ("artists", 0.045), ("isrc", 0.04), ("usages", 0.012), ("revenue", 0.02)],
)
def test_cells_are_blank_as_often_as_in_real_reports(rows, column, share):
    blank = sum(row[column] == "" for row in rows) / LINES

    # Four standard deviations of the largest share, sqrt(0.045 * 0.955 / 10,000), are 0.0083.
    assert blank == 0 if share == 0 else blank == pytest.approx(share, abs=0.009)


def test_few_recordings_have_most_of_the_usages(rows):
    usages = sorted((int(float(row["usages"])) for row in rows if row["usages"]), reverse=True)

    assert usages[-1] >= 1
    assert sum(usages[: LINES // 100]) > 0.25 * sum(usages)
    assert sum(usages[: LINES // 10]) > 0.6 * sum(usages)


def test_hits_are_spread_over_the_file(rows):
    by_usages = sorted(range(LINES), key=lambda place: -float(rows[place]["usages"] or 0))

    in_first_half = sum(place < LINES // 2 for place in by_usages[: LINES // 10])
    assert 450 < in_first_half < 550


def test_a_usage_earns_a_fraction_of_a_cent(rows):
    earned = [
        float(row["revenue"]) / float(row["usages"])
        for row in rows
        if row["usages"] and row["revenue"] and "e" not in row["revenue"]
    ]

    assert 0.0005 < min(earned) < max(earned) < 0.006
    assert sum(len(row["revenue"].partition(".")[2]) >= 10 for row in rows) > 0.8 * LINES


def test_a_few_numbers_are_written_in_other_forms(rows):
    assert 5 <= sum(row["usages"].endswith(".0") for row in rows) <= 50
    assert 2 <= sum(row["revenue"] == "2.220446049250313e-16" for row in rows) <= 30


def test_titles_are_of_many_languages(rows):
    titles = "".join(row["title"] for row in rows)

    assert set("éñø日本") <= set(titles)
    assert sum(row["title"].isascii() for row in rows) > LINES / 2


def test_isrcs_are_valid(rows):
    assert all(stdnum_isrc.is_valid(row["isrc"]) for row in rows if row["isrc"])


def test_no_artist_appears_twice_on_a_recording(rows):
    artists = [row["artists"].split("|") for row in rows if row["artists"]]

    assert all(len(set(names)) == len(names) for names in artists)
    assert {len(names) for names in artists} == {1, 2, 3, 4}


def test_recordings_recur_only_in_the_dsrs_of_one_dsp():
    spain, britain, norway = ({row["dsp_id"]: row for row in rows_of(place)} for place in (SPAIN, 2, NORWAY))
    shared = spain.keys() & britain.keys()

    assert 0.3 * LINES < len(shared) < 0.9 * LINES
    assert not spain.keys() & norway.keys()
    for dsp_id in shared:
        for column in ("title", "artists"):
            assert spain[dsp_id][column] in (britain[dsp_id][column], "") or britain[dsp_id][column] == ""
    reported = [(spain[dsp_id]["isrc"], britain[dsp_id]["isrc"]) for dsp_id in shared]
    different = sum(first != second for first, second in reported if first and second)
    assert 0.02 < different / len(shared) < 0.1


def test_memory_does_not_grow_with_the_lines(tmp_path):
    sample = sample_list(1)[0]
    tracemalloc.start()
    try:
        path = sample_write(tmp_path, sample, seed=1, lines=LINES, recordings=2 * LINES)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert path.stat().st_size > 400_000
    # The content has over 900,000 bytes. Most of the memory is that of the compressor itself.
    assert peak < 500_000


# --- The command -----------------------------------------------------------------------------------------------


def test_the_command_makes_the_given_numbers_of_dsrs_and_lines(tmp_path):
    out = io.StringIO()
    call_command("generate_dsrs", str(tmp_path / "new" / "folder"), "--dsrs=12", "--lines=20", stdout=out)

    contents = unpacked(tmp_path / "new" / "folder")
    assert len(contents) == 12
    assert {content.count(b"\r\n") for content in contents.values()} == {21}
    assert "12 DSRs, 240 lines" in out.getvalue()


@pytest.mark.parametrize("options", [{"lines": 0}, {"lines": -1}, {"dsrs": 0}, {"dsrs": 19_009}])
def test_the_command_refuses_numbers_out_of_range(tmp_path, options):
    with pytest.raises(CommandError):
        call_command("generate_dsrs", tmp_path / "new", **options)

    assert not (tmp_path / "new").exists()


def test_the_command_reports_that_it_cannot_write(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(CommandError, match="file"):
        call_command("generate_dsrs", tmp_path / "file")
