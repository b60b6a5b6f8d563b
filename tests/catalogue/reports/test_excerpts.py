"""The delivered line of a problem, with the cells in question apart."""

from decimal import Decimal

import pytest

from catalogue.reports.formats.ddex.cells import line_cells, raw_cells
from catalogue.reports.formats.tsv.reader import ReportReader
from catalogue.reports.problems import CommonWarning, Problem, ProblemLog, RawCells

HEADER = b"dsp_id\ttitle\tartists\tisrc\tusages\trevenue\n"


def excerpts(*lines, header=HEADER, limit=100):
    log = ProblemLog(limit)
    for _block in ReportReader([header + b"\n".join(lines) + b"\n"], log):
        pass
    return [tuple(problem.excerpt) for problem in log.kept]


@pytest.mark.parametrize(
    ("line", "excerpt"),
    [
        (b"a\tb\tc\t\tmany\t1", ("a\tb\tc\t\t", "many", "\t1")),
        (b'a\t"b"\tc\tbad\t1\t1', ('a\t"b"\tc\t', "bad", "\t1\t1")),
        (b"\tb\tc\t\t1\t1", ("", "", "\tb\tc\t\t1\t1")),
        # The first byte that is no UTF-8 decides; all of them are shown in the same way.
        (b"a\tCaf\xe9\t\xff\t\t1\t1", ("a\t", "Caf\ufffd", "\t\ufffd\t\t1\t1")),
        (b"a\tb\x00\tc\t\t1\t1", ("a\t", "b\\x00", "\tc\t\t1\t1")),
        # Too many cells are marked, and the end of a line with too few.
        (b"a\tb\tc\t\t1\t1\tx\ty", ("a\tb\tc\t\t1\t1\t", "x\ty", "")),
        (b"a\tb", ("a\tb", "", "")),
    ],
)
def test_the_cell_in_question_is_apart(line, excerpt):
    assert excerpts(line) == [excerpt]


def test_headings_are_cells_too():
    assert excerpts(header=b"dsp_id\tTITEL\tartists\tisrc\tusages\trevenue\n") == [
        ("dsp_id\t", "TITEL", "\tartists\tisrc\tusages\trevenue"),
        ("dsp_id\tTITEL\tartists\tisrc\tusages\trevenue", "", ""),
    ]


def test_a_long_line_is_cut_around_the_cell():
    # 82 characters before the cell, its tab included, and 302 in it: of two bytes each.
    line = ("é" * 81 + "\t" + "ñ" * 302 + "\t" + "ü" * 81).encode()
    before, marked, after = RawCells(line, slice(1, 2)).excerpt()
    assert before == "…" + "é" * 79 + "\t"
    assert marked == "ñ" * 200 + "…"
    assert after == "\t" + "ü" * 79 + "…"


def test_what_just_fits_is_not_cut():
    line = b"a" * 79 + b"\t" + b"b" * 200 + b"\t" + b"c" * 79
    assert RawCells(line, slice(1, 2)).excerpt() == ("a" * 79 + "\t", "b" * 200, "\t" + "c" * 79)


def test_only_kept_problems_have_an_excerpt():
    class Counted(RawCells):
        count = 0

        def excerpt(self):
            Counted.count += 1
            return super().excerpt()

    log = ProblemLog(2)
    for line in range(5):
        log.add(Problem(CommonWarning.ISRC_INVALID, line), Counted(b"a", slice(1)))
    assert (Counted.count, len(log.kept), log.warning_count) == (2, 2, 5)


def test_a_report_without_problems_makes_no_excerpt(monkeypatch):
    monkeypatch.delattr(RawCells, "excerpt")
    log = ProblemLog(1)
    reader = ReportReader([HEADER + b"a\tb\tc\t\t5.0\t1\n"], log)
    assert b"".join(reader) == b"a\tb\tc\t\t5\t1\n"
    assert reader.last_line.revenue == Decimal(1)


def test_a_record_of_a_message_has_its_escapes_again_and_no_blank_end():
    cells = line_cells(rb"AS01" + b"\t" + rb"a\\b" + b"\t" + rb"c\|d" + b"\t\t")
    assert raw_cells([*cells, b"", b""], 3).excerpt() == ("AS01\t" + r"a\\b" + "\t", r"c\|d", "")
    assert raw_cells(cells, 0).excerpt().marked == "AS01\t" + r"a\\b" + "\t" + r"c\|d"
