"""The generator of sample messages. These tests split its lines themselves, without the reader of the product."""

import gzip
import io
import re
import tracemalloc
from collections import Counter, defaultdict
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum
from stdnum import ean

from catalogue.imports.loading.choices import Choices
from catalogue.imports.loading.outcome import Outcome
from catalogue.imports.services import DeliveredFile, delivery_import
from catalogue.models import DSR, UsageLine
from catalogue.reports.samples.messages import message_list
from catalogue.reports.samples.recordings import recording
from catalogue.reports.samples.writing import message_write

SENDERS = ["Spotify", "Deezer", "AmazonMusic", "YouTube", "AppleMusic", "Tidal"]
DSRS, LINES = 8, 4000
# The types of records that each sender may use, by its version of Basic Audio.
RECORD_TYPES = {
    "Spotify": "HEAD SY01.01 SY02.02 RE01 AS01.01 MW01.01 SU02 FOOT",
    "Deezer": "HEAD SY01.03 RE01.03 AS01.03 MW01.03 SU02.03 FOOT",
    "AmazonMusic": "HEAD SY01 RE01 AS02.01 SU01 SU02 FOOT",
    "YouTube": "HEAD SY01.02 SY02.03 RE01.02 RE02 AS01.02 MW01.02 SU02.02 FOOT",
    "AppleMusic": "HEAD SY01.02 RE01.02 AS01.02 MW01.02 SU01.02 SU02.02 FOOT",
    "Tidal": "HEAD SY01.03 RE01.03 AS02.04 SU02.03 FOOT",
}
USE_TYPE_CELL = {"SU01": 13, "SU02": 11}


class Message:
    """The lines of the files of a message, split at tabs."""

    def __init__(self, paths):
        self.contents = [gzip.decompress(path.read_bytes()).decode() for path in paths]
        self.files = [[line.split("\t") for line in content.splitlines()] for content in self.contents]
        self.lines = [cells for lines in self.files for cells in lines]

    def records(self, *families):
        return [cells for cells in self.lines if cells[0][:4] in families]

    @property
    def sales(self):
        return self.records("SU01", "SU02")


def usages_of(cells):
    return Decimal(cells[8 if cells[0].startswith("SU01") else 7])


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    """A message of each sender, by its DSP."""
    folder = tmp_path_factory.mktemp("messages")
    return {
        message.sender.dsp: Message(message_write(folder, message, seed=1, lines=LINES))
        for message in message_list(len(SENDERS), dsrs=DSRS)
    }


# --- The structure ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dsp", SENDERS)
def test_each_sender_has_the_records_of_its_version(messages, dsp):
    message = messages[dsp]

    assert {cells[0] for cells in message.lines if cells[0][0] != "#"} == set(RECORD_TYPES[dsp].split())
    (head,) = message.records("HEAD")
    assert head[1].startswith("dsrf/1.")
    assert head[2] == "BasicAudioProfile"
    assert head[6:10] == ["1", "1", "2020-03-01", "2020-03-31"]
    assert head[11] == dsp


def test_all_versions_from_1_1_to_1_4_are_there(messages):
    versions = {message.records("HEAD")[0][3] for message in messages.values()}

    assert versions == {"1.1", "1.2", "1.3", "1.4"}


@pytest.mark.parametrize("dsp", SENDERS)
def test_the_last_record_counts_lines_summaries_and_blocks(messages, dsp):
    message = messages[dsp]
    lines, blocks = len(message.lines), len({cells[1] for cells in message.records("AS01", "AS02")})

    (foot,) = message.records("FOOT")
    assert list(map(int, foot[1:6])) == [lines, lines, DSRS, blocks, blocks]
    assert len(message.sales) == LINES


@pytest.mark.parametrize("dsp", SENDERS)
def test_a_block_has_one_recording_and_its_sales_lines(messages, dsp):
    blocks = defaultdict(Counter)
    for cells in messages[dsp].records("RE01", "AS01", "AS02", "SU01", "SU02"):
        blocks[cells[1]][cells[0][:2]] += 1

    assert {block["AS"] for block in blocks.values()} == {1}
    assert {block["RE"] for block in blocks.values()} == {0, 1}
    with_many = sum(block["SU"] >= 3 for block in blocks.values()) / len(blocks)
    # 1.6 / sqrt(1 - u) is at least 3 with a probability of (1.6 / 3) ** 2 = 0.28.
    assert 0.2 < with_many < 0.36
    assert min(block["SU"] for block in blocks.values()) == 1
    # Blocks follow each other: none of them comes back.
    in_order = [cells[1] for cells in messages[dsp].records("AS01", "AS02")]
    assert len(set(in_order)) == len(in_order)


@pytest.mark.parametrize("dsp", SENDERS)
def test_sales_lines_refer_to_their_block(messages, dsp):
    references = {(cells[1], cells[2]) for cells in messages[dsp].records("AS01", "AS02", "RE01", "RE02")}

    for cells in messages[dsp].sales:
        (reference,) = filter(None, cells[4:6])
        assert (cells[1], reference) in references
    assert len({cells[3] for cells in messages[dsp].sales}) == LINES


# --- Usages and revenue ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dsp", SENDERS)
def test_lines_have_a_part_of_the_declared_usages(messages, dsp):
    usages = defaultdict(Decimal)
    for cells in messages[dsp].sales:
        usages[cells[2]] += usages_of(cells)
    shares = {"1": "0.62", "2": "0.35", "3": "1", "4": "0.08", "5": "1", "6": "0.62", "7": None, "8": "1"}

    for cells in messages[dsp].records("SY01", "SY02"):
        declared, revenue, share = Decimal(cells[8]), Decimal(cells[11]), shares[cells[1]]
        if share is None:  # a context without sales
            assert (declared, revenue, usages[cells[1]]) == (0, 0, 0)
        else:
            # The declared usages are rounded down to a whole number.
            assert declared <= usages[cells[1]] / Decimal(share) < declared + 1
            assert revenue > 0


@pytest.mark.parametrize("dsp", SENDERS)
def test_a_few_lines_are_adjustments(messages, dsp):
    negative = sum(usages_of(cells) < 0 for cells in messages[dsp].sales)

    # Three standard deviations of 0.002 of 4,000 lines, sqrt(8), are 8.5.
    assert 0 < negative < 17


def test_only_downloads_have_returns(messages):
    downloads = messages["AmazonMusic"].records("SU01")

    assert {cells[9] for cells in downloads} == {"0", "1"}
    # A few are of the whole release.
    assert 0 < sum(cells[4] == "R1" for cells in downloads) < 0.1 * len(downloads)
    models = {cells[4] for cells in messages["AmazonMusic"].records("SY01")}
    assert models == {"SubscriptionModel", "PayAsYouGoModel"}


def test_sales_lines_have_a_use_type_where_the_summary_has_none(messages):
    for dsp, message in messages.items():
        on_lines = {
            cells[USE_TYPE_CELL[cells[0][:4]] - 1] if len(cells) >= USE_TYPE_CELL[cells[0][:4]] else ""
            for cells in message.sales
        }
        on_summaries = {cells[5] for cells in message.records("SY01", "SY02")}
        if dsp in ("Spotify", "AmazonMusic"):
            assert on_lines == {""}
            assert "OnDemandStream" in on_summaries
        else:
            assert on_summaries == {""}
            assert {"OnDemandStream", "ConditionalDownload"} <= on_lines


# --- Recordings ------------------------------------------------------------------------------------------------


def test_the_recordings_are_those_of_the_tsv_samples(messages):
    sold = messages["Spotify"].records("AS01")
    # Of twice as many recordings as there are blocks.
    catalogue = {found.dsp_id: found for found in (recording("1 Spotify", rank) for rank in range(2 * len(sold)))}

    for cells in sold:
        found = catalogue[cells[3]]
        assert cells[4] in (found.isrc, found.other_isrc, f"{found.isrc}|{found.other_isrc}", "")
        assert cells[5][:4] == found.title[:4]


def test_codes_have_valid_check_digits(messages):
    icpns = [cells[6] for cells in messages["Deezer"].records("RE01")]
    iswcs = [cells[3] for cells in messages["Deezer"].records("MW01") if cells[3]]

    assert all(map(ean.is_valid, icpns))
    # ISO 15707: the digits, each times its place, and the check digit make a multiple of 10 with one more.
    for iswc in iswcs:
        digits = list(map(int, iswc[1:]))
        assert (1 + sum(place * digit for place, digit in enumerate(digits[:9], 1)) + digits[9]) % 10 == 0
    assert icpns
    assert iswcs


# --- Habits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dsp", "pipe", "backslash"),
    [
        ("Spotify", r"\\|", "\\" * 3),
        ("Deezer", r"\|", "\\" * 3),
        ("AmazonMusic", r"\|", "\\" * 2),
        ("YouTube", r"\\|", "\\" * 3),
        ("AppleMusic", r"\|", "\\" * 2),
        ("Tidal", r"\\|", "\\" * 2),
    ],
)
def test_senders_escape_in_their_own_manner(messages, dsp, pipe, backslash):
    titles = "\t".join(cells[5] for cells in messages[dsp].records("AS01", "AS02"))

    assert set(re.findall(r"\\+\|?|\|", titles)) == {pipe, backslash}


@pytest.mark.parametrize("dsp", SENDERS)
def test_lines_end_in_the_manner_of_the_sender(messages, dsp):
    (content,) = messages[dsp].contents

    expected = content.count("\n") if dsp in ("Deezer", "AmazonMusic", "Tidal") else 0
    assert content.count("\r\n") == content.count("\r") == expected
    assert content.endswith("\n")


@pytest.mark.parametrize("dsp", ["AmazonMusic", "AppleMusic"])
def test_some_senders_drop_blank_cells(messages, dsp):
    assert {cells[-1] != "" for cells in messages[dsp].lines} == {True}
    assert len({len(cells) for cells in messages[dsp].records("SY01")}) == 1


@pytest.mark.parametrize(("dsp", "count"), [("Deezer", 26), ("Tidal", 25)])
def test_some_senders_pad_all_records(messages, dsp, count):
    assert {len(cells) for cells in messages[dsp].lines} == {count}


def test_other_senders_have_all_cells(messages):
    counts = {cells[0]: len(cells) for cells in messages["Spotify"].lines if cells[0][0] != "#"}

    assert counts == {
        "HEAD": 16,
        "SY01.01": 15,
        "SY02.02": 22,
        "RE01": 15,
        "AS01.01": 12,
        "MW01.01": 16,
        "SU02": 10,
        "FOOT": 6,
    }


@pytest.mark.parametrize("dsp", SENDERS)
def test_unknown_artists_are_marked_in_earlier_versions(messages, dsp):
    artists = [cells[7] for cells in messages[dsp].records("AS01", "AS02")]
    unknown, others = ("#unknown#", "") if dsp in ("Spotify", "AmazonMusic") else ("", "#unknown#")

    assert others not in artists
    # The share is 0.045, and four standard deviations of 1,500 recordings are 0.022.
    assert 0.02 < artists.count(unknown) / len(artists) < 0.07


def test_some_senders_have_headings(messages):
    with_headings = {dsp for dsp, message in messages.items() if any(cells[0][0] == "#" for cells in message.lines)}

    assert with_headings == {"Spotify", "AppleMusic"}


def test_some_senders_count_blocks(messages):
    counted = {dsp for dsp, message in messages.items() if message.sales[0][1] == "1"}

    assert counted == {*SENDERS} - {"Tidal"}


# --- Files -----------------------------------------------------------------------------------------------------


def test_blocks_are_divided_among_the_files(tmp_path):
    (whole,) = message_list(1, dsrs=3)
    one = Message(message_write(tmp_path, whole, seed=1, lines=500))
    paths = message_write(tmp_path, whole, seed=1, lines=500, files=3)
    three = Message(paths)

    assert [path.name.split("_")[6] for path in paths] == ["1of3", "2of3", "3of3"]
    assert three.sales == one.sales
    summaries = [[cells for cells in lines if cells[0].startswith("SY")] for lines in three.files]
    assert summaries == [one.records("SY01", "SY02")] * 3
    assert [cells[6:8] for cells in three.records("HEAD")] == [["1", "3"], ["2", "3"], ["3", "3"]]
    of_file = [len({cells[1] for cells in lines if cells[0].startswith("AS01")}) for lines in three.files]
    assert max(of_file) - min(of_file) <= 1
    lines_before = blocks_before = 0
    for lines, blocks, foot in zip(three.files, of_file, three.records("FOOT"), strict=True):
        lines_before, blocks_before = lines_before + len(lines), blocks_before + blocks
        assert list(map(int, foot[1:])) == [len(lines), lines_before, 3, blocks, blocks_before]


def test_contexts_of_thousands_have_different_keys():
    for message in message_list(len(SENDERS), dsrs=5000):
        keys = {
            (context.market.territory, context.sales.offer, context.sales.model, *context.sales.use_types)
            for context in message.contexts
        }
        assert len(keys) == 5000


def test_the_same_arguments_give_the_same_bytes(tmp_path):
    options = {"format": "ddex", "messages": 3, "dsrs": 4, "lines": 30, "files": 2, "seed": 5, "stdout": io.StringIO()}
    for folder in ("first", "second"):
        call_command("generate_dsrs", tmp_path / folder, **options)

    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert len(names) == 6
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_memory_does_not_grow_with_the_lines(tmp_path):
    (message,) = message_list(1, dsrs=3)
    tracemalloc.start()
    try:
        (path,) = message_write(tmp_path, message, seed=1, lines=LINES)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert len(gzip.decompress(path.read_bytes())) > 600_000
    assert peak < 500_000


@pytest.mark.parametrize(
    "options", [{"lines": 0}, {"dsrs": 0}, {"messages": 0}, {"messages": 421}, {"files": 0}, {"lines": 1, "files": 9}]
)
def test_the_command_refuses_numbers_out_of_range(tmp_path, options):
    with pytest.raises(CommandError):
        call_command("generate_dsrs", tmp_path / "new", format="ddex", stdout=io.StringIO(), **options)

    assert not list(tmp_path.glob("new/*"))


# --- Imports ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_generated_messages_import_and_add_up(tmp_path):
    for files, message in enumerate(message_list(len(SENDERS), dsrs=DSRS), start=1):
        paths = message_write(tmp_path, message, seed=1, lines=300, files=files)

        report = delivery_import(
            files=[DeliveredFile(path, path.name) for path in paths], choices=Choices(), and_catalogue=False
        )

        assert report.outcome == Outcome.LOADED
        codes = {problem.code.value for problem in report.problems.kept}
        assert codes <= {"sender_unknown", "isrc_repeated", "usages_below_declared"}
        dsrs = [imported.dsr for imported in report.imported]
        assert sum(dsr.line_count for dsr in dsrs) == 300
        assert [dsr.line_count for dsr in dsrs if dsr.summary_id == "7"] == [0]
        for dsr in DSR.objects.filter(message=report.message):
            lines = UsageLine.objects.of([dsr]).aggregate(usages=Sum("usages"), revenue=Sum("revenue"))
            assert (lines["revenue"] or 0) + dsr.unallocated_revenue == dsr.declared_revenue
            assert (lines["usages"] or 0) <= dsr.declared_usages
