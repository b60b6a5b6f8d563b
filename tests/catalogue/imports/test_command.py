"""`import_dsr`: its output for each file, in the order of the files, for any number of jobs."""

import errno
import io
import os
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from threading import Event

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from catalogue.imports import many
from catalogue.management.commands import import_dsr as command
from catalogue.models import DSR, RejectedDelivery, Resource
from catalogue.reports.formats.tsv.name import parse_report_name
from dsrhub.database import locks
from dsrhub.database.statements import rows_of
from tests.catalogue.helpers import ENDINGS, line, other_transaction, write_report
from tests.catalogue.messages import FIRST, SECOND, write_message_file
from tests.waiting import PATIENCE

NAMES = [f"Spotify_Duo_ES_EUR_2020{month:02}01-2020{month:02}28.tsv.gz" for month in range(1, 8)]

pytestmark = pytest.mark.django_db(transaction=True)


def import_dsr(*paths, **options):
    """Return the lines on stdout and on stderr. The error of the command, if any, comes last."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("import_dsr", *paths, **options, stdout=out, stderr=err)
    except CommandError as failure:
        err.write(f"{failure}\n")
    return out.getvalue().splitlines(), err.getvalue().splitlines()


@pytest.mark.parametrize("jobs", [1, 3])
def test_files_are_imported_and_printed_in_their_order(tmp_path, jobs):
    for number, name in enumerate(NAMES, 1):
        write_report(tmp_path, name, *(line(f"{number} {nth}", revenue="1") for nth in range(number)))

    out, err = import_dsr(tmp_path, jobs=jobs)

    assert [text.split(":")[0] for text in out[:-1]] == NAMES
    assert [text.split(" line")[0][-1] for text in out[:-1]] == list("1234567")
    assert out[-1] == "7 files imported."
    assert err == []
    assert sorted(DSR.objects.values_list("line_count", flat=True)) == [1, 2, 3, 4, 5, 6, 7]
    assert Resource.objects.count() == 28
    assert not DSR.objects.uncatalogued().exists()


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_bad_file_does_not_stop_the_others(tmp_path, jobs):
    for name in NAMES:
        write_report(tmp_path, name, line(name, revenue="1e" if name == NAMES[2] else "1"))
    (tmp_path / NAMES[4]).write_bytes(b"\x1f\x8b")

    out, err = import_dsr(tmp_path, jobs=jobs)

    assert len(out) == 5
    assert err == [
        f"refused: {NAMES[2]}: 1 error, nothing is loaded. The first: The cell must have a number, and has "
        "something else. (line 2, column 'revenue', value '1e')",
        "  line 2, column revenue: not_a_number: '1e'",
        f"refused: {NAMES[4]}: 1 error, nothing is loaded. The first: The packed file is cut off.",
        "  file: gzip_truncated",
        "2 of 7 files refused.",
    ]
    assert DSR.objects.ingested().count() == 5


def test_a_file_that_is_already_imported_is_unchanged(tmp_path):
    path = write_report(tmp_path, NAMES[0], line("a"))
    import_dsr(path)

    assert import_dsr(path) == (
        [f"{NAMES[0]}: unchanged, already imported as DSR {DSR.objects.get().pk}", "1 file imported."],
        [],
    )


def test_an_error_of_the_database_takes_one_line_and_the_other_files_are_imported(tmp_path):
    for name in NAMES[:2]:
        write_report(tmp_path, name, line("a"))
    with other_transaction() as other, connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
        # Another session imports the first file.
        other.execute(
            "SELECT pg_advisory_lock(hashtextextended(%s, 0))",
            [locks.DSR_KEY.key(**asdict(parse_report_name(NAMES[0])))],
        )
        out, err = import_dsr(tmp_path, jobs=1)
        cursor.execute("RESET lock_timeout")

    assert [text.split(":")[0] for text in out] == [NAMES[1]]
    assert err == [
        f"failed: {tmp_path / NAMES[0]}: canceling statement due to lock timeout",
        "1 of 2 files refused.",
    ]
    assert [dsr.path for dsr in DSR.objects.all()] == [NAMES[1]]


def test_a_dry_run_keeps_nothing(tmp_path):
    out, _ = import_dsr(write_report(tmp_path, NAMES[0], line("a")), dry_run=True)

    assert out[0].startswith(f"{NAMES[0]}: checked, would be loaded: 1 line,")
    assert out[1] == "1 file checked."
    assert not DSR.objects.exists()


def test_different_content_under_the_same_key_needs_replace(tmp_path):
    import_dsr(write_report(tmp_path, NAMES[0], line("a")))
    path = write_report(tmp_path, NAMES[0], line("b"))

    assert import_dsr(path)[1][-1] == "1 of 1 file refused."
    assert import_dsr(path, replace=True)[1] == []
    assert Resource.objects.get().dsp_id == "b"


@pytest.mark.parametrize("what", ["missing", "empty"])
def test_without_any_file_the_command_fails(tmp_path, what):
    (tmp_path / "empty").mkdir()

    out, err = import_dsr(tmp_path / what)

    assert out == []
    assert err[0].startswith(str(tmp_path / what))


# --- Declared totals -------------------------------------------------------------------------------------------


def test_a_file_with_the_declared_totals_is_imported(tmp_path):
    path = write_report(tmp_path, NAMES[0], line("a", usages="3", revenue="-1.50"), line("b"))
    out, err = import_dsr(path, declared_lines=2, declared_usages=3, declared_revenue=Decimal("-1.5"))
    assert (out[-1], err) == ("1 file imported.", [])


def test_a_file_with_other_totals_is_refused_and_each_is_named(tmp_path):
    path = write_report(tmp_path, NAMES[0], line("a", usages="3", revenue="1.50"))
    out, err = import_dsr(path, "--declared-lines=2", "--declared-usages=3", "--declared-revenue=1.5001")
    assert out == []
    assert err == [
        f"refused: {NAMES[0]}: 2 errors, nothing is loaded. The first: The totals of the file are not those that "
        "were declared. (value 'lines: 2 declared, 1 found')",
        "  file: totals_differ: 'lines: 2 declared, 1 found'",
        "  file: totals_differ: 'revenue: 1.5001 declared, 1.50 found'",
        "1 of 1 file refused.",
    ]
    assert not DSR.objects.ingested().exists()


def test_totals_are_declared_of_one_delivery_alone(tmp_path):
    paths = [write_report(tmp_path, name, line("a")) for name in NAMES[:2]]
    (tmp_path / "folder").mkdir()
    alone = write_report(tmp_path / "folder", NAMES[0], line("a"))
    for named in (paths, [tmp_path], [tmp_path / "folder"]):
        _, err = import_dsr(*named, declared_lines=1)
        assert err == ["Totals are declared of one delivery: name its file, or the files of one message."]
    assert not DSR.objects.exists()
    assert import_dsr(alone, declared_lines=1)[1] == []


def test_totals_are_declared_of_all_files_of_a_message(tmp_path):
    paths = [write_message_file(tmp_path, **part) for part in (FIRST, SECOND)]
    assert import_dsr(*paths, declared_lines=4)[1][0].endswith("(value 'lines: 4 declared, 3 found')")
    assert import_dsr(*paths, declared_lines=3, declared_usages=8)[1] == []


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--declared-lines=1.0", "argument --declared-lines: '1.0' is not a whole number"),
        ("--declared-usages=1,000", "argument --declared-usages: '1,000' is not a whole number"),
        ("--declared-revenue=1e3", "argument --declared-revenue: '1e3' is not a number in plain digits, such as 12.50"),
        ("--declared-usages=-1", "Declared usages must be a whole number of zero or more, of at most 30 digits."),
    ],
)
def test_what_no_total_can_be_is_refused(tmp_path, option, reason):
    path = write_report(tmp_path, NAMES[0], line("a"))
    assert import_dsr(path, option) == ([], [f"Error: {reason}" if reason.startswith("argument") else reason])
    assert not DSR.objects.exists()


# --- Folders ---------------------------------------------------------------------------------------------------


def test_endings_count_in_any_case(tmp_path):
    stem = NAMES[0].removesuffix(".tsv.gz")
    for folder, ending in (("a", ".TSV"), ("b", ".tsv.GZ"), ("c", ".TSV.GZ")):
        (tmp_path / folder).mkdir()
        path = write_report(tmp_path, f"{folder}{ending.lower()}", line("a"))
        path.rename(tmp_path / folder / f"{stem}{ending}")

    out, err = import_dsr(tmp_path, jobs=1)

    assert out[0].startswith(f"{stem}.TSV: loaded as DSR ")
    again = f"unchanged, already imported as DSR {DSR.objects.get().pk}"
    assert out[1:] == [f"{stem}.tsv.GZ: {again}", f"{stem}.TSV.GZ: {again}", "3 files imported."]
    assert [text.split(":")[0] for text in err] == ["same key"]


def test_what_is_skipped_is_named_and_counted(tmp_path):
    write_report(tmp_path, NAMES[0], line("a"))
    skipped = ["ACK_a.tsv", "notes.txt", "report.tsv.zip", f"{NAMES[1]}.CTRL", f"{NAMES[1]}.ctrl"]
    for name in (*skipped, "._" + NAMES[1], ".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).touch()

    out, err = import_dsr(tmp_path)

    assert out[-1] == "1 file imported, 5 files skipped."
    semaphore, notes = "a semaphore of a delivery, not a report", "a text that no template recognises"
    reasons = [semaphore, notes, f"does not end in {ENDINGS}", semaphore, semaphore]
    assert sorted(err) == sorted(
        f"skipped: {tmp_path / name}: {reason}." for name, reason in zip(skipped, reasons, strict=True)
    )


def test_a_refusal_counts_what_is_skipped_too(tmp_path):
    write_report(tmp_path, NAMES[0], line("a", revenue="x"))
    (tmp_path / "notes.txt").touch()

    assert import_dsr(tmp_path)[1][-1] == "1 of 1 file refused, 1 file skipped."


def test_many_skipped_files_are_counted_and_the_first_named(tmp_path):
    write_report(tmp_path, NAMES[0], line("a"))
    for number in range(25):
        (tmp_path / f"{number}.txt").touch()

    out, err = import_dsr(tmp_path)

    assert out[-1] == "1 file imported, 25 files skipped."
    assert (len(err), err[-1]) == (21, "and 5 more skipped")


def test_named_files_that_cannot_be_reports_are_skipped_and_named(tmp_path):
    """A shell expands `*` to all files of a folder."""
    report = write_report(tmp_path, NAMES[0], line("a"))
    others = [tmp_path / name for name in (f"{NAMES[0]}.ctrl", "._a.tsv", "Thumbs.db")]
    for path in others:
        path.touch()

    out, err = import_dsr(*others, report)

    assert out[-1] == "1 file imported, 3 files skipped."
    assert [text.split(": ")[1] for text in err] == [str(path) for path in others]
    assert not RejectedDelivery.objects.exists()
    assert import_dsr(*others) == ([], [*err, "There is no report to import."])


def test_a_named_file_with_another_ending_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()

    assert import_dsr(tmp_path / "notes.txt")[1][-1] == "1 of 1 file refused."


@pytest.mark.parametrize("name", ["notes.txt", "._a.tsv", "__MACOSX/a.tsv"])
def test_a_folder_without_a_report_fails_and_names_what_it_has(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()

    out, err = import_dsr(tmp_path)

    assert (out, err[-1]) == ([], f"{tmp_path}: no {ENDINGS} file in this folder.")
    assert len(err) == (2 if name == "notes.txt" else 1)


def test_a_subfolder_that_cannot_be_read_is_named_and_fails_after_the_others(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    write_report(tmp_path, NAMES[0], line("a"))
    real = os.scandir

    def scandir(path):
        if Path(path).name == "closed":  # The tests may run as root, who may read everything.
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    out, err = import_dsr(tmp_path)

    assert len(out) == 1
    assert err == [
        f"skipped: {tmp_path / 'closed'}: cannot be read: Permission denied.",
        "1 file imported, 1 folder not read.",
    ]
    assert DSR.objects.count() == 1


def test_a_name_cannot_control_the_terminal(tmp_path):
    write_report(tmp_path, NAMES[0], line("a"))
    (tmp_path / "\x1b[2J.txt").touch()

    assert "\x1b" not in "".join(import_dsr(tmp_path)[1])


# --- Interruption and load -------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 3])
def test_ctrl_c_stops_the_files_that_are_being_read(tmp_path, jobs, monkeypatch):
    for name in NAMES:
        write_report(tmp_path, name, line("a"))

    is_stopped, stop, real = Event(), many._Importing.stop, many.delivery_import

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    def stop_and_notify(importing):
        stop(importing)
        is_stopped.set()

    def import_slowly(*, files, **options):
        """The first file is imported. The others are still being read when its result is printed."""
        assert files[0].name == NAMES[0] or is_stopped.wait(PATIENCE)
        return real(files=files, **options)

    monkeypatch.setattr(command.Command, "_print", interrupt)
    monkeypatch.setattr(many._Importing, "stop", stop_and_notify)
    monkeypatch.setattr(many, "delivery_import", import_slowly)
    with pytest.raises(KeyboardInterrupt):
        import_dsr(tmp_path, jobs=jobs)

    assert [dsr.path for dsr in DSR.objects.all()] == [NAMES[0]]


@pytest.mark.parametrize(("jobs", "is_alone"), [(1, True), (3, False)])
def test_only_one_file_at_a_time_may_have_parallel_workers(tmp_path, jobs, is_alone, monkeypatch):
    def workers():
        settings = ("max_parallel_maintenance_workers", "max_parallel_workers_per_gather")
        return tuple(rows_of("SELECT current_setting(%(name)s)", name=name)[0][0] for name in settings)

    def note_and_import(**options):
        seen.append(workers())
        return real(**options)

    seen, real, default = [], many.delivery_import, workers()
    monkeypatch.setattr(many, "delivery_import", note_and_import)
    for name in NAMES[:3]:
        write_report(tmp_path, name, line("a"))
    import_dsr(tmp_path, jobs=jobs)

    assert default != ("0", "0")
    assert seen == [default if is_alone else ("0", "0")] * 3
    assert workers() == default


def test_refresh_catalogue_registers_the_resources_of_uncatalogued_dsrs(tmp_path):
    import_dsr(write_report(tmp_path, NAMES[0], line("a"), line("b")))
    DSR.objects.update(is_catalogued=False)
    Resource.objects.all().delete()
    out = io.StringIO()

    call_command("refresh_catalogue", stdout=out)

    assert out.getvalue() == "1 DSRs catalogued, 0 deleted ones cleared up; 0 and 0 still to be done.\n"
    assert Resource.objects.count() == 2


def test_dsrs_are_imported_even_if_resources_cannot_be_registered(tmp_path):
    write_report(tmp_path, NAMES[0], line("a"))
    with other_transaction() as other, connection.cursor() as cursor:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended('resources', 0))")
        cursor.execute("SET lock_timeout = '50ms'")
        out, err = import_dsr(tmp_path, jobs=1)
        cursor.execute("RESET lock_timeout")

    assert [text.split(":")[0] for text in out] == [NAMES[0]]
    assert err == [
        "Not all resources are registered. Run refresh_catalogue to continue: canceling statement due to lock timeout"
    ]
    assert DSR.objects.uncatalogued().count() == 1
    assert not Resource.objects.exists()
