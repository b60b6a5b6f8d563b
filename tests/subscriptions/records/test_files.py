"""`usage_file_import` and its command: all records of a file are added, or none."""

import gzip
import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from subscriptions.exceptions import InvalidUsage, UsageConflict
from subscriptions.explanations import SENTENCES
from subscriptions.models import DataUsageRecord, VoiceUsageRecord
from subscriptions.records.services import UsageAdded, usage_file_import
from tests.subscriptions import recipes
from tests.subscriptions.helpers import marks, subscribe, sums

pytestmark = pytest.mark.django_db

DATA_HEADER = "subscription_id,usage_date,price,kilobytes_used,external_id"


def write(folder, *lines, name="usage.csv", end="\n", encoding="utf-8"):
    path = folder / name
    content = "".join(line + end for line in lines).encode(encoding)
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def problems(folder, *lines, **options):
    """The problems as (line, field, value, code). Nothing may have been added."""
    with pytest.raises(InvalidUsage) as refusal:
        usage_file_import(path=write(folder, *lines, **options))
    assert not DataUsageRecord.objects.exists()
    assert marks() == []
    return [(one.line, one.field, one.value, one.code) for one in refusal.value.extra["problems"]]


@pytest.fixture
def someone():
    return subscribe()


# --- Valid records ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["usage.csv", "usage.tsv", "usage.csv.gz", "usage.tsv.gz", "usage"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_file_is_read_in_every_packing_and_encoding(tmp_path, someone, name, end, encoding):
    separator = "\t" if "tsv" in name else ","
    lines = [
        DATA_HEADER.split(","),
        [str(someone.pk), "2026-01-05T12:00:00Z", "1.50", "2048", "a"],
        [str(someone.pk), "2026-01-05 23:30:00.5-01:00", "1e-3", "1", ""],
    ]
    path = write(tmp_path, *[separator.join(cells) for cells in lines], name=name, end=end, encoding=encoding)
    assert usage_file_import(path=path) == UsageAdded(added=2, repeated=0)
    rows = DataUsageRecord.objects.order_by("day").values_list("day", "price", "kilobytes_used", "external_id")
    assert list(rows) == [
        (date(2026, 1, 5), Decimal("1.50"), 2048, "a"),
        (date(2026, 1, 6), Decimal("0.001"), 1, None),
    ]


def test_columns_come_in_any_order_and_the_amount_tells_the_type(tmp_path, someone):
    path = write(tmp_path, "price,seconds_used,subscription_id,usage_date", f"2,61,{someone.pk},2026-01-05T00:00Z")
    usage_file_import(path=path)
    assert VoiceUsageRecord.objects.get().seconds_used == 61


def test_quotes_are_quotes_between_commas_and_data_between_tabs(tmp_path, someone):
    usage_file_import(path=write(tmp_path, DATA_HEADER, f'"{someone.pk}",2026-01-05T00:00Z,"1","2","a,""b"""'))
    tabs = write(tmp_path, DATA_HEADER.replace(",", "\t"), f'{someone.pk}\t2026-01-05T00:00Z\t1\t2\t"a', name="b")
    usage_file_import(path=tabs)
    assert sorted(DataUsageRecord.objects.values_list("external_id", flat=True)) == ['"a', 'a,"b"']


@pytest.mark.parametrize("header", [DATA_HEADER.upper(), DATA_HEADER.replace(",", " , "), DATA_HEADER.title()])
def test_headings_may_differ_in_case_and_outer_spaces(tmp_path, someone, header):
    usage_file_import(path=write(tmp_path, header, f"{someone.pk},2026-01-05T00:00Z,1,1,a"))
    assert DataUsageRecord.objects.get().external_id == "a"


@pytest.mark.parametrize("end", [["", ""], [",,,,"], ["\t\t\t\t", " "], ["\x1a"]])
def test_blank_lines_and_ctrl_z_at_the_end_are_no_records(tmp_path, someone, end):
    path = write(tmp_path, DATA_HEADER, f"{someone.pk},2026-01-05T00:00Z,1,1,a", *end)
    assert usage_file_import(path=path) == UsageAdded(added=1, repeated=0)


@pytest.mark.parametrize("external_id", ["", " ", "\xa0", "\u200b"])
def test_an_external_id_that_is_blank_to_a_person_is_none(tmp_path, someone, external_id):
    usage_file_import(path=write(tmp_path, DATA_HEADER, f"{someone.pk},2026-01-05T00:00Z,1,1,{external_id}"))
    assert DataUsageRecord.objects.get().external_id is None


def test_zeros_and_white_space_behind_gzip_are_skipped(tmp_path, someone):
    path = write(tmp_path, DATA_HEADER, f"{someone.pk},2026-01-05T00:00Z,1,1,a", name="a.gz")
    path.write_bytes(path.read_bytes() + b"\0\r\n" + gzip.compress(f"{someone.pk},2026-01-06T00:00Z,1,1,b".encode()))
    assert usage_file_import(path=path) == UsageAdded(added=2, repeated=0)


def test_a_header_alone_is_a_file(tmp_path):
    assert usage_file_import(path=write(tmp_path, DATA_HEADER)) == UsageAdded(added=0, repeated=0)


def test_a_file_may_come_again(tmp_path, someone):
    path = write(tmp_path, DATA_HEADER, *[f"{someone.pk},2026-01-05T00:00Z,1,1,a{number}" for number in range(3)])
    usage_file_import(path=path)
    assert usage_file_import(path=path) == UsageAdded(added=0, repeated=3)
    assert sums() == {(someone.pk, "data"): ("3.00", 3)}


def test_progress_tells_every_byte_once(tmp_path, someone):
    path = write(tmp_path, DATA_HEADER, *[f"{someone.pk},2026-01-05T00:00Z,1,1," for _ in range(12_000)])
    steps = []
    usage_file_import(path=path, progress=steps.append)
    assert sum(steps) == path.stat().st_size
    assert len(steps) > 1


# --- Invalid records -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "field", "value", "code"),
    [
        (["x", "2026-01-05T00:00Z", "1", "1"], "subscription_id", "x", "not_a_whole_number"),
        (["", "2026-01-05T00:00Z", "1", "1"], "subscription_id", "", "not_a_whole_number"),
        (["1.0", "2026-01-05T00:00Z", "1", "1"], "subscription_id", "1.0", "not_a_whole_number"),
        (["1", "yesterday", "1", "1"], "usage_date", "yesterday", "not_a_time"),
        (["1", "2026-01-05", "1", "1"], "usage_date", "2026-01-05", "not_a_time"),
        (["1", "2026-02-30T00:00Z", "1", "1"], "usage_date", "2026-02-30T00:00Z", "not_a_time"),
        (["1", "20260105T000000Z", "1", "1"], "usage_date", "20260105T000000Z", "not_a_time"),
        (["1", "2026-01-05T00:00", "1", "1"], "usage_date", "2026-01-05 00:00:00", "time_zone_missing"),
        (["1", "2026-01-05T00:00Z", "1,5", "1"], "price", "1,5", "not_a_number"),
        (["1", "2026-01-05T00:00Z", "1_0", "1"], "price", "1_0", "not_a_number"),
        (["1", "2026-01-05T00:00Z", "NaN", "1"], "price", "NaN", "not_a_number"),
        (["1", "2026-01-05T00:00Z", "١", "1"], "price", "١", "not_a_number"),
        (["1", "2026-01-05T00:00Z", "1e400", "1"], "price", "1E+400", "number_out_of_range"),
        (["1", "2026-01-05T00:00Z", "1", "-1"], "kilobytes_used", "-1", "not_a_whole_number"),
        (["1", "2026-01-05T00:00Z", "1", "1.5"], "kilobytes_used", "1.5", "not_a_whole_number"),
        (
            ["1", "2026-01-05T00:00Z", "1", "99999999999999999999"],
            "amount",
            "99999999999999999999",
            "number_out_of_range",
        ),
        (["1", "2026-01-05T00:00Z", "1", "1", "", ""], "line", "6 of 4 cells", "wrong_cell_count"),
        (["1"], "line", "1 of 4 cells", "wrong_cell_count"),
        ([], "line", "0 of 4 cells", "wrong_cell_count"),
        (["999999999", "2026-01-05T00:00Z", "1", "1"], "subscription", "999999999", "unknown_subscription"),
        (["1", "1950-01-05T00:00Z", "1", "1"], "usage_date", "1950-01-05 00:00:00+00:00", "time_out_of_range"),
    ],
)
def test_an_error_is_reported_with_its_line(tmp_path, someone, cells, field, value, code):
    right = f"{someone.pk}\t2026-01-05T00:00Z\t1\t1"
    cells = [str(someone.pk) if cell == "1" and at == 0 else cell for at, cell in enumerate(cells)]
    lines = [DATA_HEADER.replace(",", "\t").removesuffix("\texternal_id"), right, "\t".join(cells), right]
    found = problems(tmp_path, *lines)
    assert found == [(3, field, value.replace("1 of", f"{len(cells)} of"), code)]


def test_all_errors_are_reported_in_the_order_of_their_lines(tmp_path, someone):
    found = problems(
        tmp_path,
        DATA_HEADER,
        f"{someone.pk},2026-01-05T00:00Z,x,1,",
        "999999999,2026-01-05T00:00Z,1,1,",
        f"{someone.pk},2026-01-05T00:00Z,1,1,ok",
        f"{someone.pk},2026-01-05T00:00Z,1,x,",
    )
    assert [(line, code) for line, _, _, code in found] == [
        (2, "not_a_number"),
        (3, "unknown_subscription"),
        (5, "not_a_whole_number"),
    ]


@pytest.mark.parametrize(
    ("header", "field", "code"),
    [
        ("", "subscription_id", "column_missing"),
        ("subscription_id,usage_date,price", "kilobytes_used or seconds_used", "exactly_one_needed"),
        (f"{DATA_HEADER},seconds_used", "kilobytes_used or seconds_used", "exactly_one_needed"),
        (f"{DATA_HEADER},price", "price", "column_repeated"),
        (f"{DATA_HEADER},color", "color", "column_unknown"),
        ("usage_date,price,kilobytes_used", "subscription_id", "column_missing"),
    ],
)
def test_an_invalid_header_is_refused(tmp_path, header, field, code):
    assert [(line, name, why) for line, name, _, why in problems(tmp_path, header)] == [(1, field, code)]


QUOTED = "\t".join(f'"{column}"' for column in DATA_HEADER.split(","))


@pytest.mark.parametrize(
    ("header", "code", "advice"),
    [
        (DATA_HEADER.replace(",", ";"), "wrong_separator", "The headings are separated by semicolons."),
        (QUOTED.replace("\t", ";"), "wrong_separator", "separated by semicolons"),
        (QUOTED, "quoted_headings", "The headings are in quotes."),
        (DATA_HEADER.replace("usage_date", "Usage Date"), "misspelled_headings", "usage_date, not 'Usage Date'."),
    ],
)
def test_a_header_of_another_kind_is_one_error(tmp_path, header, code, advice):
    ((line, field, value, found),) = problems(tmp_path, header)
    assert (line, field, found) == (1, "line", code)
    assert advice in value


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (DATA_HEADER.encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04" + b"\0" * 100, "a zip archive"),
        (b"<html>", "a web page"),
        (gzip.compress(DATA_HEADER.encode(), mtime=0), "a gzip file inside a gzip file"),
    ],
)
def test_a_file_of_another_kind_is_one_error(tmp_path, content, kind):
    path = tmp_path / "usage.csv.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(InvalidUsage) as refusal:
        usage_file_import(path=path)
    ((field, code, value),) = [(one.field, one.code, one.value) for one in refusal.value.extra["problems"]]
    assert (field, code) == ("file", "wrong_file_kind")
    assert kind in value


def test_a_byte_order_mark_at_the_start_of_a_line_is_shown(tmp_path, someone):
    lines = [DATA_HEADER, f"{someone.pk},2026-01-05T00:00Z,1,1,ok", f"\ufeff{someone.pk},2026-01-05T00:00Z,1,1,b"]
    assert problems(tmp_path, *lines) == [(3, "subscription_id", rf"\ufeff{someone.pk}", "not_a_whole_number")]


def test_invalid_utf_8_is_reported_with_its_line(tmp_path, someone):
    lines = [DATA_HEADER, f"{someone.pk},2026-01-05T00:00Z,1,1,ok", f"{someone.pk},2026-01-05T00:00Z,1,1,caf\xe9"]
    ((line, field, _, code),) = problems(tmp_path, *lines, encoding="latin-1")
    assert (line, field, code) == (3, "external_id", "not_printable")


def test_a_line_break_in_a_cell_is_refused(tmp_path, someone):
    line = f'{someone.pk},2026-01-05T00:00Z,1,1,"a\nb"'
    assert problems(tmp_path, DATA_HEADER, line) == [(2, "line", "", "line_break_in_a_cell")]


@pytest.mark.parametrize("cut", [3, 60, -9])
def test_a_damaged_gzip_file_is_refused(tmp_path, someone, cut):
    path = write(tmp_path, DATA_HEADER, *[f"{someone.pk},2026-01-05T00:00Z,1,1,{n}" for n in range(5000)], name="a.gz")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InvalidUsage) as refusal:
        usage_file_import(path=path)
    assert [one.code for one in refusal.value.extra["problems"]] == ["gzip_damaged"]
    assert not DataUsageRecord.objects.exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda packed: packed[:-9], "The file is cut off."),
        (lambda packed: packed + b"x", "The content is complete, but other data follows: 'x'"),
        (lambda packed: packed[:-8] + b"\0" * 8, "checksum"),
    ],
)
def test_truncated_corrupt_and_followed_by_rubbish_are_told_apart(tmp_path, someone, change, why):
    path = write(tmp_path, DATA_HEADER, f"{someone.pk},2026-01-05T00:00Z,1,1,a", name="a.gz")
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InvalidUsage) as refusal:
        usage_file_import(path=path)
    (problem,) = refusal.value.extra["problems"]
    assert problem.code == "gzip_damaged"
    assert why in problem.value


def test_a_conflict_is_reported_with_its_position(tmp_path, someone):
    usage_file_import(path=write(tmp_path, DATA_HEADER, f"{someone.pk},2026-01-05T00:00Z,1,1,a"))
    with pytest.raises(UsageConflict, match=f"record 2: subscription {someone.pk} has another record .* 'a'"):
        usage_file_import(
            path=write(
                tmp_path,
                DATA_HEADER,
                f"{someone.pk},2026-01-05T00:00Z,1,1,b",
                f"{someone.pk},2026-01-05T00:00Z,2,1,a",
            )
        )
    assert DataUsageRecord.objects.count() == 1


# --- The command -----------------------------------------------------------------------------------------------


def test_the_command_imports_each_file_separately(tmp_path, someone, capsys):
    good = write(tmp_path, DATA_HEADER, f"{someone.pk},2026-01-05T00:00Z,1,1,a", name="good.csv")
    bad = write(tmp_path, DATA_HEADER, f"{someone.pk},2026-01-05T00:00Z,x,1,b", "y", name="bad.csv")
    conflict = write(tmp_path, DATA_HEADER, f"{someone.pk},2026-01-05T00:00Z,2,1,a", name="conflict.csv")
    with pytest.raises(CommandError, match="2 of 3 files refused"):
        call_command("import_usage", bad, good, conflict)
    output = capsys.readouterr().out
    assert "good.csv: 1 added, 0 were there already" in output
    assert "bad.csv: refused: 2 errors" in output
    assert "  line 2, price: not_a_number: 'x'\n  line 3, line: wrong_cell_count: '1 of 5 cells'\n" in output
    assert "conflict.csv: refused" in output
    assert "another record with the external id 'a'" in output
    assert "  line 2\n" in output
    assert sums() == {(someone.pk, "data"): ("1.00", 1)}


def test_the_command_shows_the_first_of_very_many_errors(tmp_path, capsys):
    path = write(tmp_path, DATA_HEADER, *["x"] * 150)
    with pytest.raises(CommandError):
        call_command("import_usage", path)
    output = capsys.readouterr().out.splitlines()
    assert output[1:] == [
        *[f"  line {line}, line: wrong_cell_count: '1 of 5 cells'" for line in range(2, 22)],
        "  and 130 more",
    ]


def test_the_command_backfills_with_its_option(tmp_path, someone):
    recipes.sealed_day.make(day=date(2026, 1, 5))
    path = write(tmp_path, DATA_HEADER, f"{someone.pk},2026-01-05T00:00Z,1,1,")
    with pytest.raises(CommandError):
        call_command("import_usage", path)
    call_command("import_usage", path, "--backfill")
    assert sums() == {(someone.pk, "data"): ("1.00", 1)}


def test_the_command_names_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CommandError, match=r"nothing\.csv: no such file"):
        call_command("import_usage", tmp_path / "nothing.csv")


# --- Times -----------------------------------------------------------------------------------------------------


def test_a_time_may_have_any_form_of_rfc_3339(tmp_path, someone):
    forms = ["2026-01-05T12:00:00.123456789Z", "2026-01-05t12:00:00.123456z", "2026-01-05T12:00:00.1234567+0000"]
    usage_file_import(path=write(tmp_path, DATA_HEADER, *[f"{someone.pk},{form},1,1," for form in forms]))
    assert [*DataUsageRecord.objects.values_list("usage_date", flat=True)] == [
        datetime(2026, 1, 5, 12, 0, 0, 123_456, UTC)
    ] * len(forms)


@pytest.mark.parametrize("lines", [1, 1_500])  # few records, and a COPY
@pytest.mark.parametrize(("most", "last", "late"), [(0, "05T23:59", "06T00:00"), (3, "08T23:59", "09T00:00")])
def test_a_day_in_the_future_is_refused_beyond_the_setting(
    tmp_path, someone, settings, monkeypatch, lines, most, last, late
):
    settings.DSRHUB_USAGE_FUTURE_DAYS = most
    # Clocks there are 14 hours ahead: the last minute of the 5th.
    settings.DSRHUB_USAGE_TIME_ZONE = "Pacific/Kiritimati"
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2026, 1, 5, 9, 59, tzinfo=UTC))

    def usage(time):
        return [DATA_HEADER, *[f"{someone.pk},2026-01-{time}+14:00,1,1," for _ in range(lines)]]

    value = f"2026-01-{late.replace('T', ' ')}:00+14:00"
    assert problems(tmp_path, *usage(late))[0] == (2, "usage_date", value, "time_in_future")
    assert usage_file_import(path=write(tmp_path, *usage(last))).added == lines


def test_every_documented_code_has_a_sentence():
    page = (settings.BASE_DIR / "docs" / "subscriptions.md").read_text()
    tables = (("one of these codes", "In Python"), ("those of a file, and these", "A record needs"))
    text = "".join(page.partition(start)[2].partition(end)[0] for start, end in tables)
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    # A conflict is an error of its own, which the page of an import shows as a problem.
    assert {*re.findall("`(.*?)`", " ".join(rows)), "usage_conflict"} == set(SENTENCES)
