"""Every error and every warning of DDEX messages: its code, and where it is."""

import pytest

from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.ddex import reader
from catalogue.reports.formats.ddex.codes import DdexError, DdexWarning
from catalogue.reports.formats.ddex.format import DdexFormat
from catalogue.reports.problems import CommonError, CommonWarning, ProblemLog
from tests.catalogue.reports.formats.ddex.messages import file_of, head, record, recording, stream, summary

NAME = "DSR_SocietyX_Tonbank_Premium_2020-01_GB_{}of{}_20200212T083000.tsv"
FIRST, SECOND = NAME.format(1, 2), NAME.format(2, 2)
# Two summaries, so that problems of a line name the context.
TWO = (summary("1"), summary("2", c7="SE"))
SRB = {"c3": "BasicAudioProfileSRB"}


def of_one(*records, **options):
    """A file of a message with one summary and one recording, to which these records are added: lines 4 and on."""
    return [file_of(head(), summary(), recording(), *records, **options)]


def with_head(**cells):
    return [file_of(head(**cells), summary(), recording(), stream())]


def with_summary(*args, **cells):
    return [file_of(head(), summary(*args, **cells), recording(), stream())]


def of_two(first=(), second=(), summaries=()):
    """The two files of a message.

    `first` and `second` are cells of HEAD that are not as they should be, and `summaries` those of the second file.
    """
    return [
        file_of(head(**{"c7": "1", "c8": "2"} | dict(first)), summary(), recording("B1"), stream("B1")),
        file_of(
            head(**{"c7": "2", "c8": "2"} | dict(second)), *(summaries or [summary()]), recording("B2"), stream("B2")
        ),
    ]


def sr02(**cells):
    return record("SR02.01", **{"c2": "1", "c3": "trk-1", "c34": "true", "c35": "2", "c39": ""} | cells)


# The code of the first error, and its line, column and value; then the number of the context, and the file.
ERRORS = [
    ([file_of(recording(), stream())], "head_missing", 1, None, "AS01.03\\tB1\\t1\\ttrk-1", None, None),
    ([b""], "head_missing", None, None, None, None, None),
    (with_head(c2="1.4"), "head_incomplete", 1, None, "16 cells, message version '1.4'", None, None),
    (with_head(c3="UGCProfile"), "profile_not_supported", 1, None, "UGCProfile 1.4", None, None),
    (with_head(c4="1.5"), "profile_not_supported", 1, None, "BasicAudioProfile 1.5", None, None),
    (of_one(stream(), foot=None), "foot_missing", 4, None, None, None, None),
    (of_one(("FOOT",), stream()), "record_after_foot", 5, None, "SU02", None, None),
    (of_one(("FOOT",), ("XX01",)), "record_after_foot", 5, None, "XX01", None, None),
    (of_one(head(), stream()), "record_not_expected", 4, None, "HEAD", None, None),
    (of_one(("SU03.01", "B1", "1")), "record_not_expected", 4, None, "SU03.01", None, None),
    (of_one(('SU02"', *stream()[1:])), "record_not_expected", 4, None, 'SU02"', None, None),
    (of_one(("DE01-x", "B1")), "record_not_expected", 4, None, "DE01-x", None, None),
    (of_one(("LI01", "B1", "1")), "record_not_expected", 4, None, "LI01", None, None),
    (of_one(("the rest of a title", "x")), "record_not_expected", 4, None, "the rest of a title", None, None),
    (with_head(c5=""), "value_missing", 1, "HEAD cell 5, message id", None, None, None),
    (with_head(c11="", c12="#unknown#"), "value_missing", 1, "HEAD cell 12, sender name", None, None, None),
    (with_summary(c7=""), "value_missing", 2, "SY01 cell 7, territory", None, None, None),
    (with_summary(c5=""), "value_missing", 2, "SY01 cell 5, commercial model", None, None, None),
    (with_summary(""), "value_missing", 2, "SY01 cell 2, summary id", None, None, None),
    (of_one(recording("", "2")), "value_missing", 4, "AS01 cell 2, block id", None, None, None),
    (of_one(recording("B1", "")), "value_missing", 4, "AS01 cell 3, reference", None, None, None),
    (with_head(c7="0"), "value_invalid", 1, "HEAD cell 7, file number", "0", None, None),
    (with_head(c7="3", c8="2"), "value_invalid", 1, "HEAD cell 7, file number", "3 of 2", None, None),
    (with_head(c9="2020-02-30"), "date_invalid", 1, "HEAD cell 9, usage start date", "2020-02-30", None, None),
    (with_head(c10="January"), "date_invalid", 1, "HEAD cell 10, usage end date", "January", None, None),
    (
        *(with_head(c9="2020-02-01"), "period_invalid", 1, "HEAD cell 10, usage end date"),
        *("2020-02-01 to 2020-01-31", None, None),
    ),
    (with_summary(c7="2120"), "territory_is_group", 2, "SY01 cell 7, territory", "2120", None, None),
    (with_summary(c7="Europe"), "territory_unknown", 2, "SY01 cell 7, territory", "Europe", None, None),
    (with_summary(c11="Euro"), "currency_unknown", 2, "SY01 cell 11, currency", "Euro", None, None),
    (with_summary("1", "many"), "not_a_number", 2, "SY01 cell 9, usages", "many", None, None),
    (with_summary(revenue="1,5"), "not_a_number", 2, "SY01 cell 12, net revenue", "1,5", None, None),
    ([file_of(head(), ("SY05.04", "1"), recording(), stream())], "summary_missing", None, None, None, None, None),
    (
        *([file_of(head(), summary(), summary(c7="SE"), recording(), stream())], "summary_repeated", 3),
        *("SY01 cell 2, summary id", "1, as on line 2", None, None),
    ),
    (
        *([file_of(head(), summary("1"), summary("2"), recording(), stream())], "summary_key_repeated", 3),
        "SY01 cell 2, summary id",
        "1 and 2: Tonbank Premium SocietyX, GB, GBP, 2020-01-01 to 2020-01-31, SubscriptionModel, OnDemandStream",
        *(None, None),
    ),
    (of_one(stream(), summary("2", c7="SE")), "summary_late", 5, None, "SY01", None, None),
    (
        *([file_of(head(**SRB), summary(), sr02(), summary("2", c7="SE"), foot=("SRFO",))], "summary_late", 4),
        *(None, "SY01", None, None),
    ),
    (of_one(stream("B1", "SY1")), "summary_unknown", 4, "SU02 cell 3, summary id", "SY1", None, None),
    (of_one(stream("B1", "")), "summary_unknown", 4, "SU02 cell 3, summary id", None, None, None),
    (
        *([file_of(head(), summary(), ("SY05.04", "9"), recording(), stream("B1", "9"))], "summary_without_revenue", 5),
        *("SU02 cell 3, summary id", "9", None, None),
    ),
    (
        *([file_of(head(), *TWO, recording(), stream("B1", "2", "2", ""))], "reference_missing", 5),
        *("SU02 cell 6, resource reference", None, 2, None),
    ),
    (
        *([file_of(head(), *TWO, recording(), stream("B1", "2", "2", "7"))], "reference_unknown", 5),
        *("SU02 cell 6, resource reference", "7", 2, None),
    ),
    (
        *(of_one(stream("B1", "1", "2", "", c5="R")), "reference_unknown", 4, "SU02 cell 5, release reference"),
        *("R", None, None),
    ),
    # References of one block are unknown in the next one.
    (of_one(stream("B2")), "reference_unknown", 4, "SU02 cell 6, resource reference", "1", None, None),
    (of_one(recording()), "reference_repeated", 4, "AS01 cell 3, reference", "1", None, None),
    (of_one(recording("B2"), recording("B1", "2")), "block_repeated", 5, None, None, None, None),
    (of_one(recording(dsp_id=""), stream()), "reference_repeated", 4, "AS01 cell 3, reference", "1", None, None),
    (
        *([file_of(head(), summary(), recording(dsp_id="#unknown#"), stream())], "dsp_id_missing", 4),
        *("SU02 cell 4, dsp_id, on line 3", None, None, None),
    ),
    # Nobody sees a value in a zero-width space.
    (
        *([file_of(head(), summary(), recording(dsp_id="\u200b"), stream())], "dsp_id_missing", 4),
        *("SU02 cell 4, dsp_id, on line 3", "\\u200b", None, None),
    ),
    (of_one(stream(usages="")), "usages_missing", 4, "SU02 cell 8, usages", None, None, None),
    (of_one(stream(usages="2.5")), "usages_not_whole", 4, "SU02 cell 8, usages", "2.5", None, None),
    (of_one(stream(usages="two")), "not_a_number", 4, "SU02 cell 8, usages", "two", None, None),
    (of_one(stream(usages=str(2**63))), "number_out_of_range", 4, "SU02 cell 8, usages", str(2**63), None, None),
    (of_one(stream(c7="yes")), "not_a_boolean", 4, "SU02 cell 7, royalty bearing", "yes", None, None),
    (
        *(of_one(record("SU01.03", c2="B1", c3="1", c6="1", c7="true", c9="2", c10="-1")), "returns_negative", 4),
        *("SU01 cell 10, returns", "-1", None, None),
    ),
    (of_two()[:1], "files_missing", None, None, "2 of 2", None, None),
    ([of_two()[0]] * 2, "file_repeated", 1, "file number", "1", None, SECOND),
    (of_two(second={"c5": "MSG-2"}), "files_differ", 1, "HEAD", FIRST, None, SECOND),
    (of_two(second={"c10": "2020-01-30"}), "files_differ", 1, "HEAD", FIRST, None, SECOND),
    (of_two(summaries=TWO), "files_differ", None, "summaries", FIRST, None, SECOND),
    (of_two(second={"c8": "3"}), "files_differ", 1, "HEAD", FIRST, None, SECOND),
    (
        *([*of_two(), file_of(head(c7="5", c8="2"), summary())], "value_invalid", 1, "HEAD cell 7, file number"),
        *("5 of 2", None, NAME.format(3, 3)),
    ),
    # An error in a file of several names the file.
    ([of_two()[0], b"\tno message"], "head_missing", 1, None, "\\tno message", None, SECOND),
    (
        *([of_two()[0], of_two()[1].replace(b"SU02.03\tB2\t1", b"SU02.03\tB2\t7")], "summary_unknown", 4),
        *("SU02 cell 3, summary id", "7", None, SECOND),
    ),
    (of_one(stream(c4="\x01")), "control_character", 4, None, None, None, None),
    (of_one(recording("B1", "2", c6="a" * 4097), stream(resource="2")), "cell_too_long", 5, None, None, None, None),
]

WARNINGS = [
    (of_two(first={"c7": "2"}, second={"c7": "1"}), "name_differs", None, None, "1of2, file 2 of 2", None, FIRST),
    (with_head(c9="2020-01"), "period_widened", 1, "HEAD cell 9, usage start date", "2020-01", None, None),
    (with_head(c10="2020"), "period_widened", 1, "HEAD cell 10, usage end date", "2020", None, None),
    (with_summary(c7="ES-CE"), "territory_widened", 2, "SY01 cell 7, territory", "ES-CE", None, None),
    (
        *(of_one(stream(), foot=("FOOT", "5", "5", "1", "2", "1")), "foot_differs", 5),
        *("FOOT cell 5, blocks of the file", "2 stated, 1 found", None, None),
    ),
    (
        *([file_of(head(), summary(), recording(dsp_id="trk\u200b1"), stream())], "invisible_character", 3),
        *("AS01 cell 4, dsp_id", "trk\\u200b1", None, None),
    ),
    (
        *([file_of(head(), summary(), recording(dsp_id="1.2E+11"), stream())], "dsp_id_rounded", 3),
        *("AS01 cell 4, dsp_id", "1.2E+11", None, None),
    ),
    (of_one(stream(), ("XX01", "B1"), ("XX01.02",)), "records_skipped", None, None, "XX01: 2", None, None),
    (*(of_one((*stream(), "", "more"), (*stream(), "again")), "cells_surplus", 4, "SU02.03", "more", None, None),),
    (
        *([file_of(head(), *TWO, recording(c5="QZABC2600001|GBABC2600002"), stream("B1", "2"))], "isrc_repeated", 4),
        *("AS01 cell 5, isrc", "QZABC2600001|GBABC2600002", 2, None),
    ),
    (
        *([file_of(head(**SRB), summary(), sr02(c4="x"), foot=("SRFO",))], "isrc_invalid", 3),
        *("SR02 cell 4, isrc", "X", None, None),
    ),
    (with_summary("1", "0", "5.00"), "declared_usages_zero", 2, "SY01 cell 9, usages", None, None, None),
    (
        *(with_summary(revenue="#unknown#"), "declared_revenue_unknown", 2, "SY01 cell 12, net revenue"),
        *(None, None, None),
    ),
    (
        *([file_of(head(), *TWO, recording(), stream("B1", "2", "11"))], "usages_above_declared", None),
        *(None, "11", 2, None),
    ),
]


def problems_of(folder, files):
    problems, deliveries = ProblemLog(100), []
    for number, content in enumerate(files, start=1):
        path = folder / NAME.format(number, len(files))
        path.write_bytes(content)
        deliveries.append(Delivery(path, path.name))
    contents = DdexFormat().describe(deliveries, problems)
    if contents is not None:
        for _ in DdexFormat().read(deliveries, contents, problems, None, [b"mark"] * len(contents.contexts)):
            pass
    return problems


def facts(problem):
    return problem.code, problem.line, problem.column, problem.value, problem.context_number, problem.file


def test_a_message_without_mistakes_has_no_problems(tmp_path):
    assert problems_of(tmp_path, of_one(stream())).kept == []
    assert problems_of(tmp_path, of_two()).kept == []
    # One of the files went through a spreadsheet.
    assert problems_of(tmp_path, of_two(summaries=[(*summary(), "", " ", "")])).kept == []


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: case[1])
def test_an_error_says_what_is_wrong_and_where(tmp_path, case):
    files, code, line, column, value, context_number, file = case
    problem = problems_of(tmp_path, files).errors[0]
    if code in ("head_missing", "control_character", "cell_too_long"):
        # The value, or the name of the column, is a part of the line.
        assert (problem.code, problem.line, problem.context_number, problem.file) == (code, line, context_number, file)
        assert (problem.value or "").startswith(value or "")
    else:
        assert facts(problem) == (code, line, column, value, context_number, file)
    # A repeated block is found when its line is no longer there: see tests/catalogue/imports/test_late_excerpts.py.
    assert (problem.excerpt is not None) == (line is not None and code != "block_repeated")


@pytest.mark.parametrize("case", WARNINGS, ids=lambda case: case[1])
def test_a_warning_says_what_to_look_at_and_where(tmp_path, case):
    files, code, *where = case
    problems = problems_of(tmp_path, files)
    assert problems.errors == []
    problem = next(problem for problem in problems.warnings if problem.code == code)
    assert facts(problem) == (code, *where)
    assert (problem.excerpt is not None) == (problem.line is not None)


@pytest.mark.parametrize(
    ("last", "excerpt"),
    [
        (b"SU02.03\tB1\t1\t\t\t1\ttrue\t2\r\n", ("", "SU02.03\tB1\t1\t\t\t1\ttrue\t2", "")),
        # A line that is cut off may be anything, and may end inside a character.
        (b"SU02\t\x02 \xff\xc3", ("", "SU02\t\\x02 \ufffd\ufffd", "")),
        (b"9" * 3_000_000, ("", "9" * 200 + "…", "")),
    ],
)
def test_a_file_without_foot_shows_its_last_line(tmp_path, last, excerpt):
    (content,) = of_one(foot=None)
    (problem,) = problems_of(tmp_path, [content + last]).errors
    assert facts(problem) == ("foot_missing", 4, None, None, None, None)
    assert problem.excerpt == excerpt


def test_heads_that_do_not_belong_together_are_shown(tmp_path):
    beginning = "HEAD\tdsrf/1.4/1/1.5\tBasicAudioProfile\t1.4\tMSG-1\t2020-02-12T08:30:00Z\t"
    # Behind the number of the file, 80 characters are kept.
    end = "\t2\t2020-01-01\t2020-01-31\tPADPIDA2026000001A\tTonbank\tPremium\tPADPIDA2026000002B\tS…"
    first = of_two()[0]
    (problem,) = problems_of(tmp_path, [first, first]).errors
    assert problem.excerpt == (beginning, "1", end)


@pytest.mark.parametrize("files", [of_one((*stream(), "", "more"), (*stream(), "again"))])
def test_surplus_cells_are_told_once(tmp_path, files):
    assert [problem.code for problem in problems_of(tmp_path, files).kept] == ["cells_surplus"]


def test_a_block_of_too_many_records_ends_the_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "MOST_IN_BLOCK", 4)
    problems = problems_of(tmp_path, of_one(*(recording("B1", str(number)) for number in range(2, 8))))
    assert [facts(problem) for problem in problems.errors] == [("block_too_large", 6, None, "B1", None, None)]


def test_a_byte_that_is_no_utf8_is_an_error_wherever_it_stands(tmp_path):
    (content,) = of_one(stream(), foot=("FOOT", "5", "5", "1", "1", "1"))
    for place in (place for place, byte in enumerate(content) if byte not in b"\r\n"):
        problems = problems_of(tmp_path, [content[:place] + b"\xff" + content[place + 1 :]])
        assert problems.errors, content[:place]


def test_a_summary_of_an_unreadable_type_is_an_error_beside_others(tmp_path):
    content = file_of(head(), *TWO, recording(), stream()).replace(b"SY01.03\t2", b"SY\xff1.03\t2")
    (problem,) = problems_of(tmp_path, [content]).errors
    assert (problem.code, problem.line) == ("not_utf8", 3)


def test_every_code_has_a_test():
    tested = {case[1] for case in (*ERRORS, *WARNINGS)} | {"block_too_large"}
    assert {*DdexError, *DdexWarning} <= tested
    assert tested <= {*DdexError, *DdexWarning, *CommonError, *CommonWarning}
