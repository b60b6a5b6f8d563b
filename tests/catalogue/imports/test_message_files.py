"""The files of one message among the arguments of `import_dsr`, and what `--drop-missing` deletes."""

import gzip
import io
import re
from decimal import Decimal
from itertools import permutations

import pytest
from django.core.management import CommandError, call_command

from catalogue.imports.grouping import deliveries_of
from catalogue.models import DSR, RejectedDelivery, ReportMessage, UsageLine
from catalogue.reports.contexts import MessagePart
from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.registry import format_of
from dsrhub.files.disk import FoundFile
from dsrhub.models import Action, AuditEntry
from tests.catalogue.helpers import ES_JANUARY, line, write_report
from tests.catalogue.messages import FIRST, NORWAY, SECOND, SPAIN, file_name, message_file, write_message_file


def import_dsr(*paths, **options):
    """Return the lines on stdout and on stderr. The error of the command, if any, comes last."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("import_dsr", *paths, **options, stdout=out, stderr=err)
    except CommandError as failure:
        err.write(f"{failure}\n")
    return out.getvalue().splitlines(), err.getvalue().splitlines()


def ingested():
    """The revenue and the dsp_ids of each ingested DSR, by territory."""
    return {
        dsr.territory_id: (dsr.total_revenue, sorted(UsageLine.objects.of([dsr]).values_list("dsp_id", flat=True)))
        for dsr in DSR.objects.ingested()
    }


BOTH = {"ES": (Decimal(2), ["a", "b"]), "IT": (Decimal(2), ["a"])}


# --- Which file of a message ---------------------------------------------------------------------------------------


def part_of(folder, content, name="any.tsv"):
    path = folder / name
    path.write_bytes(content)
    delivery = Delivery(path, name)
    return format_of(delivery).message_part(delivery)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_head_says_which_part_of_which_message_a_file_is(tmp_path, pack):
    name = "any.tsv" if pack is bytes else "any.tsv.gz"
    content = message_file(number=2, count=3, message_id="M 7")
    assert part_of(tmp_path, pack(content), name) == MessagePart("PADPIDA2026000001A", "M 7", 2, 3)


def test_a_sender_without_a_party_id_is_known_by_its_name(tmp_path):
    assert part_of(tmp_path, message_file(sender=("", "Tonbank"))).sender == "Tonbank"


def test_only_the_beginning_of_a_file_is_read(tmp_path, monkeypatch):
    read, chunks = [], Delivery.chunks

    def counted(delivery, *arguments):
        for chunk in chunks(delivery, *arguments):
            read.append(len(chunk))
            yield chunk

    monkeypatch.setattr(Delivery, "chunks", counted)
    assert part_of(tmp_path, message_file() + b"# much\n" * 1_000_000).number == 1
    assert len(read) == 1  # One chunk of seven megabytes.


@pytest.mark.parametrize(
    "content",
    [
        b"HEAD\tdsrf/1.4/1/1.5\n",  # incomplete
        message_file().replace(b"BasicAudioProfile", b"UGCProfile"),
        message_file(message_id=""),
        message_file(number=3, count=2),
        message_file(number=0),
        message_file(count=201),
        message_file(number="x"),
        b"\xff" + message_file(),
    ],
)
def test_a_file_that_does_not_say_its_part_is_a_delivery_of_its_own(tmp_path, content):
    assert part_of(tmp_path, content, file_name()) is None


def test_a_tsv_is_no_part_of_a_message(tmp_path):
    path = write_report(tmp_path, ES_JANUARY, line("a"))
    delivery = Delivery(path, path.name)
    assert format_of(delivery).message_part(delivery) is None


# --- Grouping ------------------------------------------------------------------------------------------------------


def names(deliveries):
    return [[file.path.name for file in delivery.files] for delivery in deliveries]


def test_the_files_of_a_message_are_one_delivery_at_the_place_of_the_first(tmp_path):
    tsv = write_report(tmp_path, ES_JANUARY, line("a"))
    three = [write_message_file(tmp_path, f"{number}.tsv", number=number, count=3) for number in (1, 2, 3)]
    alone = write_message_file(tmp_path, "alone.tsv", message_id="MSG-2")
    for order in permutations(three):
        files = [FoundFile(path) for path in (order[0], tsv, order[1], alone, order[2])]
        assert names(deliveries_of(files)) == [["1.tsv", "2.tsv", "3.tsv"], [ES_JANUARY], ["alone.tsv"]]


def test_other_senders_and_other_message_ids_are_other_messages(tmp_path):
    files = [
        write_message_file(tmp_path, "a1.tsv", **FIRST),
        write_message_file(tmp_path, "b1.tsv", **FIRST, message_id="MSG-2"),
        write_message_file(tmp_path, "c1.tsv", **FIRST, sender=("PADPIDA2026000009Z", "Tonbank")),
        write_message_file(tmp_path, "a2.tsv", **SECOND),
        write_message_file(tmp_path, "b2.tsv", **SECOND, message_id="MSG-2"),
    ]
    assert names(deliveries_of([FoundFile(path) for path in files])) == [
        ["a1.tsv", "a2.tsv"],
        ["b1.tsv", "b2.tsv"],
        ["c1.tsv"],
    ]


def test_a_message_of_one_file_that_is_named_twice_is_two_deliveries(tmp_path):
    file = FoundFile(write_message_file(tmp_path, "a.tsv"))
    assert names(deliveries_of([file, file])) == [["a.tsv"], ["a.tsv"]]


def test_what_cannot_be_opened_is_left_to_its_import(tmp_path):
    (tmp_path / "link.tsv").symlink_to(tmp_path / "nowhere")
    files = [FoundFile(tmp_path / "missing.tsv"), FoundFile(tmp_path / "link.tsv", tmp_path)]
    assert names(deliveries_of(files)) == [["missing.tsv"], ["link.tsv"]]


# --- The command -----------------------------------------------------------------------------------------------

database = pytest.mark.django_db(transaction=True)


@database
@pytest.mark.parametrize("jobs", [1, 3])
def test_a_message_of_two_files_is_imported_beside_reports_with_one_summary_line(tmp_path, jobs):
    write_message_file(tmp_path, **SECOND)
    write_message_file(tmp_path, **FIRST)
    write_report(tmp_path, ES_JANUARY, line("t", revenue="9"))

    out, err = import_dsr(tmp_path, jobs=jobs)

    assert err == []
    spain, italy = DSR.objects.filter(message__isnull=False).order_by("id")
    assert re.sub(r"[\d.]+ s, [\d,]+ lines/s", "_", out[0]) == (
        f"{file_name(1, 2)} and 1 more file: loaded as message MSG-1 of Tonbank: 2 DSRs, 3 lines, 1 warning, _"
    )
    key = "Tonbank Premium SocietyX, {}, EUR, 2020-01-01 to 2020-01-31, SubscriptionModel, OnDemandStream"
    assert out[1:4] == [
        f"  loaded as DSR {spain.pk}: {key.format('ES')}: 2 lines",
        f"  loaded as DSR {italy.pk}: {key.format('IT')}: 1 line",
        "  file: sender_unknown: 'Tonbank (PADPIDA2026000001A)'",
    ]
    assert out[4].startswith(f"{ES_JANUARY}: loaded as DSR ")
    assert out[5] == "3 files imported."
    DSR.objects.filter(message=None).delete()
    assert ingested() == BOTH
    assert {spain.path, italy.path} == {file_name(1, 2)}
    assert [file["name"] for file in spain.message.files] == [file_name(1, 2), file_name(2, 2)]


@database
def test_the_same_files_again_change_nothing_in_any_order(tmp_path):
    paths = [write_message_file(tmp_path, **FIRST), write_message_file(tmp_path, **SECOND)]
    import_dsr(*paths)

    assert import_dsr(*reversed(paths)) == (
        [
            f"{file_name(1, 2)} and 1 more file: unchanged, already imported as message MSG-1 of Tonbank: 2 DSRs",
            "2 files imported.",
        ],
        [],
    )
    assert ReportMessage.objects.count() == 1


@database
def test_an_incomplete_message_is_refused_and_names_what_is_missing(tmp_path):
    paths = [write_message_file(tmp_path, number=number, count=5) for number in (2, 4)]

    out, err = import_dsr(*paths)

    assert out == []
    assert err == [
        f"refused: {file_name(2, 5)}: 1 error, nothing is loaded. The first: Files of the message are missing. "
        "(value '1, 3, 5 of 5')",
        "  file: files_missing: '1, 3, 5 of 5'",
        "2 of 2 files refused.",
    ]
    assert not DSR.objects.exists()
    assert RejectedDelivery.objects.get().name == file_name(2, 5)


@database
def test_the_complete_message_outdates_the_refusal_of_one_of_its_files(tmp_path):
    second = write_message_file(tmp_path, **SECOND)
    import_dsr(second)
    assert RejectedDelivery.objects.count() == 1

    assert import_dsr(write_message_file(tmp_path, **FIRST), second)[1] == []

    assert not RejectedDelivery.objects.exists()


@database
@pytest.mark.parametrize(
    ("other", "place", "problem"),
    [
        ({**SECOND, "contexts": [SPAIN, ("IT", "EUR", 4, "3")]}, "file", "files_differ"),
        ({**SECOND, "contexts": [SPAIN]}, "file", "files_differ"),
        ({**SECOND, "count": 3}, "line 1", "files_differ"),
        ({**FIRST, "sales": [(1, "c", 1)]}, "line 1", "file_repeated"),
    ],
)
def test_wrong_siblings_are_refused_and_other_files_are_imported(tmp_path, other, place, problem):
    write_message_file(tmp_path, "1.tsv", **FIRST)
    write_message_file(tmp_path, "2.tsv", **other)
    write_report(tmp_path, ES_JANUARY, line("t", revenue="9"))

    out, err = import_dsr(tmp_path)

    assert len(out) == 1
    assert err[1].startswith(f"  2.tsv: {place}, column ")
    assert f": {problem}: " in err[1]
    assert err[-1] == "2 of 3 files refused."
    assert not DSR.objects.filter(message__isnull=False).exists()


@database
def test_a_message_of_many_contexts_takes_some_lines_of_the_output(tmp_path):
    codes = ["AT", "BE", "CY", "DE", "EE", "ES", "FI", "FR", "GR", "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PT"]
    codes += ["SI", "SK", "AD", "MC", "SM", "VA"]
    path = write_message_file(tmp_path, contexts=[(code, "EUR", 1, "1") for code in codes], sales=[(1, "a", 1)])

    out, _ = import_dsr(path)

    assert "AD, EUR" in out[20]
    assert out[21] == "  and 3 more DSRs"
    assert len(out) == 24  # The summary, 20 DSRs, the further ones, the unknown sender, and the outcome.


# --- Missing contexts ------------------------------------------------------------------------------------------


def missing_line(dsr, fate):
    return (
        f"  missing: DSR {dsr.pk} ({file_name()}; Tonbank Premium SocietyX, IT, EUR, 2020-01-01 to 2020-01-31, "
        f"SubscriptionModel, OnDemandStream): {fate}"
    )


@pytest.fixture
def replaced(tmp_path, db):
    """A message of Spain and Italy is imported. Return the DSR of Italy and a message of Spain and Norway."""
    write_message_file(tmp_path / "old", sales=[(1, "a", 1)])
    import_dsr(tmp_path / "old")
    new = write_message_file(tmp_path / "new", message_id="MSG-2", contexts=[SPAIN, NORWAY], sales=[(1, "b", 10)])
    return DSR.objects.get(territory="IT"), new


@database
def test_a_dry_run_lists_the_contexts_that_the_new_message_lacks(replaced):
    italy, new = replaced
    assert missing_line(italy, "stays; --drop-missing deletes it") in import_dsr(new, replace=True, dry_run=True)[0]
    out, _ = import_dsr(new, replace=True, dry_run=True, drop_missing=True)
    assert out[0].startswith(f"{file_name()}: checked, would be loaded as message MSG-2 of Tonbank: 2 DSRs, 1 line, ")
    assert missing_line(italy, "would be deleted") in out
    assert {name: ids for name, (_, ids) in ingested().items()} == {"ES": ["a"], "IT": []}


@database
def test_missing_contexts_stay_unless_they_are_dropped(replaced):
    italy, new = replaced

    assert missing_line(italy, "stays; --drop-missing deletes it") in import_dsr(new, replace=True)[0]

    assert set(ingested()) == {"ES", "IT", "NO"}
    assert not AuditEntry.objects.filter(action=Action.DSR_DELETED).exists()
    # The first message stands as long as Italy does.
    assert ReportMessage.objects.count() == 2


@database
def test_drop_missing_deletes_them_in_the_same_step(replaced):
    italy, new = replaced

    out, err = import_dsr(new, replace=True, drop_missing=True)

    assert err == []
    assert missing_line(italy, "deleted") in out
    assert set(ingested()) == {"ES", "NO"}
    assert ReportMessage.objects.get().message_id == "MSG-2"
    assert AuditEntry.objects.get(action=Action.DSR_DELETED).details["old"]["territory_id"] == "IT"


@database
def test_drop_missing_needs_replace(replaced):
    _, new = replaced
    assert import_dsr(new, drop_missing=True) == ([], ["--drop-missing needs --replace."])
    assert set(ingested()) == {"ES", "IT"}


@database
def test_another_content_of_the_message_needs_replace_and_tells_what_stands(tmp_path):
    import_dsr(write_message_file(tmp_path, sales=[(1, "a", 1)]))
    changed = write_message_file(tmp_path, contexts=[SPAIN], sales=[(1, "b", 1)])

    assert "message Tonbank MSG-1 is imported already" in import_dsr(changed)[1][0]
    assert "Drop the missing contexts too." in import_dsr(changed, replace=True)[1][0]
    assert import_dsr(changed, replace=True, drop_missing=True)[1] == []

    assert {name: ids for name, (_, ids) in ingested().items()} == {"ES": ["b"]}
