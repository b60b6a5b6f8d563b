"""The delivered lines of problems that are found after the lines were read."""

import gzip
import hashlib

import pytest

from catalogue.exceptions import ReportRefused
from catalogue.imports.loading.choices import Choices
from catalogue.imports.services import DeliveredFile, delivery_import, dsr_import
from catalogue.reports import excerpts
from catalogue.reports.delivery import DamagedDelivery, Delivery
from catalogue.reports.excerpts import excerpts_add, numbered_lines
from catalogue.reports.formats.ddex.format import DdexFormat
from catalogue.reports.problems import CommonError, CommonWarning, Problem, ProblemLog
from tests.catalogue.helpers import ES_JANUARY, line, write_report
from tests.catalogue.reports.formats.ddex.messages import file_of, head, recording, stream, summary

database = pytest.mark.django_db(transaction=True)

# The title stands before the id. Lines are rewritten, one begins with a byte order mark, and the last one has no end.
REPORT = (
    "title\tdsp_id\tartists\tisrc\tusages\trevenue\r\n"
    "Um\ta\tAna\t\t1\t1\r\n"
    "Dois\tb\t\t\t1\t1\r\n"
    "Três\ta\t\t\t1.0\t2\r\n"
    "\ufeffQuatro\tb\t\t\t2\t3"
).encode()
MESSAGE_NAME = "DSR_SocietyX_Tonbank_Premium_2020-01_GB_{}of{}_20200212T083000.tsv"


def write(folder, name, content):
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def excerpts_of(problems, code):
    return [(problem.line, tuple(problem.excerpt)) for problem in problems if problem.code == code]


# --- Reports ---------------------------------------------------------------------------------------------------


@database
@pytest.mark.parametrize("name", [ES_JANUARY, f"{ES_JANUARY}.gz"])
def test_a_repeated_id_is_marked_in_its_line(tmp_path, name):
    report = dsr_import(path=write(tmp_path, name, REPORT), name=name)

    lines = [(4, ("Três\t", "a", "\t\t\t1.0\t2")), (5, ("\\ufeffQuatro\t", "b", "\t\t\t2\t3"))]
    assert excerpts_of(report.problems.kept, "dsp_id_repeated") == lines
    assert excerpts_of(report.dsr.problems.order_by("id"), "dsp_id_repeated") == lines
    # The second pass over the file, which may end early, leaves the hash as it is.
    assert report.dsr.sha256 == hashlib.sha256(REPORT).hexdigest()


@database
def test_a_long_line_is_cut_around_the_repeated_id(tmp_path):
    long = line("a", "é" * 2048, "x" * 4096)
    report = dsr_import(path=write_report(tmp_path, ES_JANUARY, line("a"), long, line("b")), name=ES_JANUARY)

    assert excerpts_of(report.problems.kept, "dsp_id_repeated") == [(3, ("", "a", "\t" + "é" * 79 + "…"))]


@database
def test_only_kept_problems_are_looked_for(tmp_path, settings, monkeypatch):
    settings.DSRHUB_PROBLEM_LIMIT = 2
    asked = []

    def counted(delivery, numbers):
        asked.append(sorted(numbers))
        return numbered_lines(delivery, numbers)

    monkeypatch.setattr(excerpts, "numbered_lines", counted)
    dsr_import(path=write_report(tmp_path, ES_JANUARY, *[line("a")] * 5), name=ES_JANUARY)
    assert asked == [[3, 4]]


@database
def test_a_report_without_late_problems_is_read_once(tmp_path, monkeypatch):
    monkeypatch.delattr(Delivery, "content_again")
    lines = [line("a", isrc="bad", usages="1", revenue="1"), line("b", usages="2", revenue="1")]
    totals = line("Total", usages="3", revenue="2")
    report = dsr_import(path=write_report(tmp_path, ES_JANUARY, *lines, totals), name=ES_JANUARY)

    assert [(problem.code, problem.excerpt) for problem in report.problems.kept] == [
        ("isrc_invalid", ("a\t\t\t", "bad", "\t1\t1")),
        ("totals_row_suspected", ("", "Total\t\t\t\t3\t2", "")),
    ]


@database
def test_a_file_that_was_damaged_meanwhile_is_refused(tmp_path, monkeypatch):
    def damaged(delivery):
        raise DamagedDelivery(Problem(CommonError.GZIP_CORRUPT))

    monkeypatch.setattr(Delivery, "content_again", damaged)
    with pytest.raises(ReportRefused, match="The first: The packed file is damaged"):
        dsr_import(path=write_report(tmp_path, ES_JANUARY, *[line("a")] * 2), name=ES_JANUARY)


# --- Messages --------------------------------------------------------------------------------------------------


def part(number, *records):
    return file_of(head(c7=str(number), c8="2"), summary(), *records)


@database
@pytest.mark.parametrize("packed", ["", ".gz"])
def test_a_repeated_block_shows_the_line_of_its_file_on_which_it_begins(tmp_path, packed):
    names = [MESSAGE_NAME.format(number, 2) + packed for number in (1, 2)]
    again = recording("B1", "7", c6=r"A\\B \| é")
    files = [part(1, recording("B1"), stream("B1"), recording("B2")), part(2, recording("B3"), ("#",), again)]
    paths = [write(tmp_path, name, content) for name, content in zip(names, files, strict=True)]

    with pytest.raises(ReportRefused) as refusal:
        delivery_import(files=[DeliveredFile(path, path.name) for path in paths], choices=Choices())

    (problem,) = [one for one in refusal.value.extra["problems"] if one.is_error]
    assert (problem.code, problem.file, problem.line) == ("block_repeated", names[1], 5)
    marked = "AS01.03\tB1\t7\ttrk-1\t\t" + r"A\\B \| é" + "\t\tAna\t\t\tSoundRecording\t\t\t\t"
    assert problem.excerpt == ("", marked, "")


def message_with(folder, problem, *, times=1):
    """The problem after `excerpts_add`, in a message of as many files of one name."""
    content = file_of(head(), summary(), recording(c6=r"A\B \| é"), stream())
    delivery = Delivery(write(folder, "a.tsv", content), "a.tsv")
    log = ProblemLog(1)
    contents = DdexFormat().describe([delivery], log)
    log.add(problem)
    reader = DdexFormat().read([delivery], contents, log, None, [b"mark"])
    excerpts_add(log, [delivery] * times, reader)
    return log.kept[0]


def test_a_column_of_a_message_names_a_cell(tmp_path):
    found = message_with(tmp_path, Problem(CommonWarning.ISRC_INVALID, 3, "AS01 cell 6, title"))
    assert found.excerpt == ("AS01.03\tB1\t1\ttrk-1\t\t", r"A\B \| é", "\t\tAna\t\t\tSoundRecording")


def test_files_of_one_name_are_not_told_apart(tmp_path):
    problem = Problem(CommonWarning.ISRC_INVALID, 3, file="a.tsv")
    assert message_with(tmp_path, problem, times=2) == problem


# --- The second pass -------------------------------------------------------------------------------------------


def test_lines_are_found_by_their_numbers_however_long_others_are(tmp_path):
    content = b"one\r\n" + b"x" * 3_000_000 + b"\nthree \xff\n\r\nfive"
    for name in ("long.tsv", "long.tsv.gz"):
        delivery = Delivery(write(tmp_path, name, content), name)
        found = dict(numbered_lines(delivery, {5, 1, 3, 2}))
        assert (found.pop(2), found) == (b"x" * 3_000_000, {1: b"one", 3: b"three \xff", 5: b"five"})
        assert dict(numbered_lines(delivery, {4})) == {4: b""}


def test_nothing_behind_the_last_line_is_read(tmp_path, monkeypatch):
    def pieces(delivery):
        yield b"one\ntwo\n"
        raise AssertionError

    monkeypatch.setattr(Delivery, "content_again", pieces)
    assert list(numbered_lines(Delivery(write(tmp_path, "a.tsv", b""), "a.tsv"), {2})) == [(2, b"two")]
