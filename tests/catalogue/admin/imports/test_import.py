"""The Import button of DSRs: upload, preview, confirmation, the queue, and the uploaded files."""

import csv
import gzip
import io
import os
import re
import time
import tracemalloc
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalogue.imports.queue.worker import queue_drain, uploads_clear
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, ImportJob, RejectedDelivery, UsageLine
from catalogue.rates.services import operator_rate_set
from tests.catalogue.helpers import (
    ENDINGS,
    ES_JANUARY,
    HEADER,
    NO_JANUARY,
    import_report,
    line,
    staff_with,
    write_report,
)

IMPORT = "/admin/catalogue/dsr/import/"
PROCESS = "/admin/catalogue/dsr/process_import/"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """The upload folder."""
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"
    return settings.DSRHUB_UPLOAD_DIR


@pytest.fixture
def queued(settings):
    """Leave all files to a worker, also small ones."""
    settings.DSRHUB_IMPORT_AT_ONCE_BYTES = 0


def report(name, *lines):
    content = "".join(one + "\r\n" for one in (HEADER, *lines)).encode()
    return SimpleUploadedFile(name, gzip.compress(content) if name.endswith(".gz") else content)


def upload(client, *files):
    """Upload files and return the page of the upload."""
    response = client.post(IMPORT, {"import_file": files, "format": "0", "resource": "0"}, follow=True)
    assert response.status_code == 200
    return response


def process(client, page, **chosen):
    response = client.post(PROCESS, {"upload": page.context["upload"], **chosen}, follow=True)
    assert response.status_code == 200
    return response


def confirm(client, page, **chosen):
    """Confirm a page with the values of its hidden fields."""
    jobs = [card["job"].pk for card in page.context["cards"]]
    seen = dict(re.findall('name="(seen-[0-9]+)" value="(.*?)"', page.content.decode()))
    return process(client, page, confirm="yes", **{"job": jobs} | seen | chosen)


def states(page):
    return [(card["job"].name, card["job"].state) for card in page.context["cards"]]


def message(page):
    (card,) = page.context["cards"]
    return card["job"].message


def page_messages(page):
    return [str(message) for message in page.context["messages"]]


def stored(folder):
    return list(folder.iterdir())


# --- The preview -----------------------------------------------------------------------------------------------


def test_the_preview_shows_the_report_and_loads_nothing(admin_client):
    lines = [line(f"id{number}", title="Así", usages="2", revenue="0.10") for number in range(2, 24)]
    page = upload(admin_client, report(NO_JANUARY, *lines, line("id24", isrc="bad", revenue="-0.05")))
    (card,) = page.context["cards"]
    assert card["preview"]["report"] == [
        ["DSP", "Spotify"],
        ["offer", "SpotifyDuo"],
        ["society", None],
        ["territory", "NO"],
        ["currency", "NOK"],
        ["period", "2020-01-01 – 2020-01-31"],
    ]
    assert card["preview"]["rate"]["value"] == "9.9384227272727272727272727272727272727273"
    assert card["preview"]["columns"] == ["dsp_id", "title", "artists", "isrc", "usages", "revenue"]
    assert card["preview"]["lines"] == [[f"id{number}", "Así", "", "", "2", "0.10"] for number in range(2, 22)]
    assert card["totals"] == [
        ("lines", "23"),
        ("usages", "44"),
        ("revenue", "2.15 NOK"),
        ("blank titles", "1"),
        ("blank artists", "23"),
        ("blank ISRCs", "22"),
        ("blank usages", "1"),
        ("blank revenues", "0"),
    ]
    assert card["preview"]["problems"] == [
        {"level": "warning", "code": "isrc_invalid", "line": 24, "column": "isrc", "value": "bad"}
        | {"excerpt": ["id24\t\t\t", "bad", "\t\t-0.05"]}
    ]
    assert states(page) == [(NO_JANUARY, "checked")]
    text = page.content.decode()
    assert "Confirm import" in text
    assert "Así" in text
    assert not DSR.objects.exists()
    assert not UsageLine.objects.exists()


def test_a_file_with_errors_shows_the_first_100_and_cannot_be_confirmed(admin_client):
    bad = [line(f"id{number}", revenue="much") for number in range(2, 152)]
    page = upload(admin_client, report(NO_JANUARY, line("a", isrc="bad"), *bad))
    (card,) = page.context["cards"]
    assert card["job"].state == "refused"
    assert (card["preview"]["error_count"], card["preview"]["warning_count"]) == (150, 1)
    problems = card["preview"]["problems"]
    assert len(problems) == 100
    # Errors come before warnings, although the warning is first in the file.
    assert problems[0] == {
        "level": "error",
        "code": "not_a_number",
        "line": 3,
        "column": "revenue",
        "value": "much",
        "excerpt": ["id2\t\t\t\t\t", "much", ""],
    }
    assert [group["count"] for group in card["problem_groups"]] == ["150 errors"]
    marked = '<code class="delivered-line">id2 ⇥  ⇥  ⇥  ⇥  ⇥ <mark>much</mark></code>'
    assert card["problem_groups"][0]["problems"][0]["delivered_line"] == marked
    assert (card["problem_counts"], card["more_problems"]) == ("150 errors, 1 warning", "51")
    assert "Confirm import" not in page.content.decode()
    confirm(admin_client, page)
    assert not DSR.objects.exists()


def problems_of(client, page):
    """Download the problems. Return the address and the label of the link, and the rows."""
    ((path, label),) = re.findall('<a href="(.*?/problems/)">(.*?)</a>', page.content.decode())
    response = client.get(path)
    assert (response.status_code, response.streaming) == (200, True)
    content = b"".join(response.streaming_content).decode("utf-8-sig")
    return path, label, list(csv.reader(io.StringIO(content, newline="")))


def test_all_problems_of_a_refused_file_can_be_downloaded(admin_client):
    bad = [line(f"id{number}", revenue="=1+1") for number in range(1200)]
    page = upload(admin_client, report(NO_JANUARY, line("a", isrc="bad"), *bad))
    path, label, rows = problems_of(admin_client, page)
    assert label == "Download all problems (1,201) as CSV"
    assert rows[0] == ["path", "level", "code", "line", "column", "value", "before", "marked", "after"]
    # As in every export, a text like a formula gets an apostrophe.
    assert rows[1] == [
        *(NO_JANUARY, "error", "not_a_number", "3", "revenue", "'=1+1"),
        *("id0\t\t\t\t\t", "'=1+1", ""),
    ]
    assert [row[3] for row in rows[1:1201]] == [str(number) for number in range(3, 1203)]
    assert rows[1201:] == [[NO_JANUARY, "warning", "isrc_invalid", "2", "isrc", "bad", "a\t\t\t", "bad", "'\t\t"]]
    response = admin_client.get(path)
    assert next(iter(response.streaming_content)).startswith(b"\xef\xbb\xbf")  # For Excel.
    number = page.context["cards"][0]["job"].pk
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith(f'attachment; filename="problems-of-import-{number}_2')


def test_the_download_says_if_not_all_problems_are_stored(admin_client, settings):
    settings.DSRHUB_PROBLEM_LIMIT = 2
    page = upload(admin_client, report(NO_JANUARY, *(line("a", revenue="much") for _ in range(3))))
    _, label, rows = problems_of(admin_client, page)
    assert label == "Download the stored problems (2 of 3) as CSV"
    assert [row[3] for row in rows[1:]] == ["2", "3"]


def test_warnings_can_be_downloaded_before_the_confirmation(admin_client):
    page = upload(admin_client, report(NO_JANUARY, line("a", isrc="bad"), line("a", "=b")))
    _, label, rows = problems_of(admin_client, page)
    assert label == "Download all problems (2) as CSV"
    assert rows[1:] == [
        [NO_JANUARY, "warning", "isrc_invalid", "2", "isrc", "bad", "a\t\t\t", "bad", "'\t\t"],
        [NO_JANUARY, "warning", "dsp_id_repeated", "3", "dsp_id", "a", "", "a", "'\t'=b\t\t\t\t"],
    ]


def test_the_problems_that_earlier_workers_stored_can_be_downloaded(admin_client):
    page = upload(admin_client, report(NO_JANUARY, line("a", isrc="bad")))
    warning = ["warning", "isrc_invalid", 2, "isrc", "bad"]
    ImportJob.objects.update(problems=[warning, [*warning, "2.tsv"]])
    *_, rows = problems_of(admin_client, page)
    cells = ["warning", "isrc_invalid", "2", "isrc", "bad", "", "", ""]
    assert rows[1:] == [[NO_JANUARY, *cells], ["2.tsv", *cells]]


def test_discarding_a_file_removes_its_problems(admin_client):
    page = upload(admin_client, report(NO_JANUARY, line("a", revenue="much")))
    path, *_ = problems_of(admin_client, page)
    page = process(admin_client, page, abandon=page.context["cards"][0]["job"].pk)
    assert "/problems/" not in page.content.decode()
    assert admin_client.get(path).status_code == 404
    assert ImportJob.objects.values_list("problems", flat=True).get() is None


def test_problems_are_found_only_under_their_own_upload(admin_client):
    page = upload(admin_client, report(NO_JANUARY, line("a", revenue="much")))
    number = page.context["cards"][0]["job"].pk
    assert admin_client.get(f"{IMPORT}another/{number}/problems/").status_code == 404
    assert admin_client.get(f"{IMPORT}{page.context['upload']}/{number + 1}/problems/").status_code == 404


def test_the_page_of_an_upload_does_not_read_all_problems(admin_client):
    page = upload(admin_client, report(NO_JANUARY, line("a", revenue="much")))
    with CaptureQueriesContext(connection) as captured:
        admin_client.get(f"{IMPORT}{page.context['upload']}/")
    assert '"catalogue_importjob"."preview"' in str(captured.captured_queries)
    assert '"catalogue_importjob"."problems"' not in str(captured.captured_queries)


def test_several_files_are_checked_independently(admin_client):
    page = upload(
        admin_client,
        report(NO_JANUARY, line("a", revenue="1")),
        report(ES_JANUARY + ".gz", line("b", revenue="nothing")),
        report("hello.tsv", line("c")),
    )
    assert states(page) == [(NO_JANUARY, "checked"), (ES_JANUARY + ".gz", "refused"), ("hello.tsv", "refused")]
    page = confirm(admin_client, page)
    assert states(page) == [(NO_JANUARY, "done"), (ES_JANUARY + ".gz", "refused"), ("hello.tsv", "refused")]
    assert [dsr.path for dsr in DSR.objects.all()] == [NO_JANUARY]
    # A check stores no failed DSR, as nobody confirmed the import.
    assert not RejectedDelivery.objects.exists()


@pytest.mark.parametrize("name", ["report.pdf", "Spotify_SpotifyDuo_NO_NOK_20200101-20200131.tsv.zip"])
def test_files_with_other_endings_are_refused(admin_client, name, uploads):
    response = admin_client.post(IMPORT, {"import_file": report(name), "format": "0", "resource": "0"})
    assert response.context["form"].errors == {"import_file": [f"{name} does not end in {ENDINGS}."]}
    assert not uploads.exists()


def test_endings_count_in_any_case(admin_client):
    stem = NO_JANUARY.removesuffix(".tsv")
    packed = report(f"{stem}.tsv.gz", line("a", revenue="1"))
    packed.name = f"{stem}.TSV.GZ"
    page = confirm(admin_client, upload(admin_client, packed, report(f"{ES_JANUARY[:-4]}.TSV", line("b"))))
    assert states(page) == [(f"{stem}.TSV.GZ", "done"), (f"{ES_JANUARY[:-4]}.TSV", "done")]
    assert DSR.objects.ingested().count() == 2


def test_files_that_cannot_be_reports_are_left_out_and_named(admin_client, uploads):
    names = [f"{NO_JANUARY}.ctrl", "ACK_a.tsv", f"._{NO_JANUARY}", "Thumbs.db"]
    page = upload(admin_client, report(NO_JANUARY, line("a")), *map(report, names))
    assert states(page) == [(NO_JANUARY, "checked")]
    assert [text.split(": ")[1] for text in page_messages(page)] == names
    assert len(stored(uploads)) == 1

    response = admin_client.post(IMPORT, {"import_file": report("._a.tsv"), "format": "0", "resource": "0"})
    assert response.context["form"].errors == {
        "import_file": ["._a.tsv: a file of the operating system, not a report."]
    }


def test_a_file_above_the_limit_is_refused(admin_client, settings):
    settings.DSRHUB_UPLOAD_LIMIT_BYTES = 60
    response = admin_client.post(IMPORT, {"import_file": report(NO_JANUARY, line("a" * 40)), "format": "0"})
    assert response.context["form"].errors == {"import_file": [f"{NO_JANUARY} is larger than 60\xa0bytes."]}
    assert not ImportJob.objects.exists()


def test_unpacked_content_above_the_limit_is_refused_by_the_check(admin_client, settings):
    settings.DSRHUB_UPLOAD_UNPACKED_LIMIT_BYTES = 1000
    page = upload(admin_client, report(NO_JANUARY + ".gz", *[line("a" * 40)] * 100))
    assert states(page) == [(NO_JANUARY + ".gz", "refused")]
    (problem,) = page.context["cards"][0]["preview"]["problems"]
    assert (problem["code"], problem["value"]) == ("unpacked_too_large", "more than 1000 bytes")


def test_a_lower_limit_after_the_check_refuses_the_file(admin_client, settings):
    page = upload(admin_client, report(NO_JANUARY + ".gz", *[line("a" * 40)] * 100))
    settings.DSRHUB_UPLOAD_UNPACKED_LIMIT_BYTES = 1000
    assert states(confirm(admin_client, page)) == [(NO_JANUARY + ".gz", "refused")]
    assert not DSR.objects.ingested().exists()
    assert not UsageLine.objects.exists()


def test_a_file_is_required(admin_client):
    response = admin_client.post(IMPORT, {"format": "0", "resource": "0"})
    assert response.context["form"].errors == {"import_file": ["This field is required."]}


# --- Confirmation ----------------------------------------------------------------------------------------------


def test_a_confirmed_file_is_loaded_logged_and_removed(admin_client, uploads):
    page = upload(admin_client, report(NO_JANUARY + ".gz", line("a", revenue="1.5")))
    assert len(stored(uploads)) == 1
    page = confirm(admin_client, page)
    dsr = DSR.objects.get()
    assert (dsr.path, str(dsr.total_revenue), dsr.imported_by.username) == (NO_JANUARY + ".gz", "1.5", "admin")
    assert message(page) == f"Loaded as DSR {dsr.pk}."
    assert f"/admin/catalogue/dsr/{dsr.pk}/change/" in page.content.decode()
    assert stored(uploads) == []
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_id, entry.object_repr) == ("admin", str(dsr.pk), NO_JANUARY + ".gz")
    assert (entry.is_addition(), entry.change_message) == (True, "Imported: loaded.")


def test_the_same_content_again_needs_no_confirmation(admin_client, tmp_path, uploads):
    dsr = import_report(tmp_path, NO_JANUARY, line("a"))
    page = upload(admin_client, report(NO_JANUARY, line("a")))
    assert states(page) == [(NO_JANUARY, "done")]
    assert message(page) == f"Already imported as DSR {dsr.pk}."
    assert "Confirm import" not in page.content.decode()
    assert stored(uploads) == []
    assert not LogEntry.objects.exists()


def test_an_earlier_delivery_is_shown_and_replaced_only_by_choice(admin_client, tmp_path):
    earlier = import_report(tmp_path, NO_JANUARY, line("a", revenue="7"), line("b"))
    page = upload(admin_client, report(NO_JANUARY, line("a", revenue="8")))
    (card,) = page.context["cards"]
    shown = card["preview"]["earlier"]
    assert (shown["id"], shown["line_count"], shown["total_revenue"]) == (earlier.pk, 2, "7")
    page = confirm(admin_client, page)
    assert page_messages(page) == [f"{NO_JANUARY}: an earlier delivery exists. Tick “Replace” to overwrite it."]
    assert states(page) == [(NO_JANUARY, "checked")]
    assert DSR.objects.get() == earlier
    page = confirm(admin_client, page, replace=[card["job"].pk])
    dsr = DSR.objects.get()
    assert dsr.pk != earlier.pk
    assert message(page) == f"Replaced as DSR {dsr.pk}."
    assert LogEntry.objects.get().change_message == "Imported: replaced."


def test_users_who_may_import_but_not_change_cannot_replace(client, tmp_path):
    earlier = import_report(tmp_path, NO_JANUARY, line("a"))
    client.force_login(staff_with("import_dsr"))
    page = upload(client, report(NO_JANUARY, line("b")))
    assert 'name="replace"' not in page.content.decode()
    number = page.context["cards"][0]["job"].pk
    form = {"upload": page.context["upload"], "confirm": "yes", "job": number, "replace": number}
    assert client.post(PROCESS, form).status_code == 403
    assert DSR.objects.get() == earlier


def test_an_earlier_delivery_that_changed_after_the_preview_is_not_replaced(admin_client, tmp_path):
    import_report(tmp_path, NO_JANUARY, line("a"))
    page = upload(admin_client, report(NO_JANUARY, line("b")))
    newest = dsr_import(path=write_report(tmp_path, "x.tsv", line("c")), name=NO_JANUARY, replace=True).dsr
    page = confirm(admin_client, page, replace=[page.context["cards"][0]["job"].pk])
    assert message(page) == "The earlier delivery is not the one that was shown. Check the file again."
    assert DSR.objects.get() == newest
    page = process(admin_client, page, check=page.context["cards"][0]["job"].pk)
    assert page.context["cards"][0]["preview"]["earlier"]["id"] == newest.pk
    assert states(page) == [(NO_JANUARY, "checked")]


def test_a_replacement_that_another_user_had_checked_again_is_not_made_from_the_old_page(admin_client, tmp_path):
    import_report(tmp_path, NO_JANUARY, line("a"))
    page = upload(admin_client, report(NO_JANUARY, line("b")))
    number = page.context["cards"][0]["job"].pk
    newest = dsr_import(path=write_report(tmp_path, "x.tsv", line("c")), name=NO_JANUARY, replace=True).dsr
    process(admin_client, page, check=number)  # From now on, the job has the newest DSR as its earlier delivery.
    after = confirm(admin_client, page, replace=[number])
    assert page_messages(after) == [f"{NO_JANUARY} has changed since you saw it. Its state is now “to be confirmed”."]
    assert DSR.objects.get() == newest
    confirm(admin_client, after, replace=[number])
    assert DSR.objects.get() != newest


@pytest.mark.parametrize("seen", ["", "x", "2020-01-01", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-12:00"])
def test_a_replacement_without_the_state_that_was_seen_is_not_made(admin_client, tmp_path, seen):
    earlier = import_report(tmp_path, NO_JANUARY, line("a"))
    page = upload(admin_client, report(NO_JANUARY, line("b")))
    number = page.context["cards"][0]["job"].pk
    page = confirm(admin_client, page, **{"replace": [number], f"seen-{number}": seen})
    assert states(page) == [(NO_JANUARY, "checked")]
    assert DSR.objects.get() == earlier


def test_a_file_is_refused_if_its_report_was_imported_after_the_preview(admin_client, tmp_path):
    page = upload(admin_client, report(NO_JANUARY, line("a")))
    first = import_report(tmp_path, NO_JANUARY, line("b"))
    page = confirm(admin_client, page)
    assert states(page) == [(NO_JANUARY, "refused")]
    assert message(page).endswith("It stays, unless its replacement is asked for. Check the file again.")
    assert DSR.objects.get() == first


def test_a_file_that_changed_after_its_check_is_not_loaded(admin_client, uploads):
    page = upload(admin_client, report(NO_JANUARY, line("a")))
    (path,) = stored(uploads)
    path.write_bytes(path.read_bytes() + b"b\t\t\t\t\t\r\n")
    page = confirm(admin_client, page)
    assert message(page) == "The stored file is not the file that was checked. Nothing was loaded."
    assert not DSR.objects.exists()


def test_a_missing_stored_file_is_reported(admin_client, uploads):
    page = upload(admin_client, report(NO_JANUARY, line("a")))
    stored(uploads)[0].unlink()
    page = confirm(admin_client, page)
    assert message(page) == "The uploaded file cannot be read: No such file or directory"


def test_a_file_can_be_checked_again_after_its_missing_rate_is_set(admin_client):
    name = "Spotify_SpotifyDuo_XK_ALL_20200101-20200131.tsv"
    page = upload(admin_client, report(name, line("a", revenue="1")))
    assert page.context["cards"][0]["preview"]["problems"][0]["code"] == "exchange_rate_missing"
    period = {"period_start": date(2020, 1, 1), "period_end": date(2020, 1, 31)}
    operator_rate_set(currency="ALL", rate=Decimal(120), **period)
    page = process(admin_client, page, check=page.context["cards"][0]["job"].pk)
    assert states(page) == [(name, "checked")]


def test_an_abandoned_file_is_removed(admin_client, uploads):
    page = upload(admin_client, report(NO_JANUARY, line("a")))
    page = process(admin_client, page, abandon=page.context["cards"][0]["job"].pk)
    assert states(page) == [(NO_JANUARY, "abandoned")]
    assert stored(uploads) == []
    page = confirm(admin_client, page)
    assert not DSR.objects.exists()


def test_a_file_that_is_confirmed_twice_is_loaded_once(admin_client):
    page = upload(admin_client, report(NO_JANUARY, line("a")))
    confirm(admin_client, page)
    confirm(admin_client, page)
    assert DSR.objects.count() == 1
    assert LogEntry.objects.count() == 1


# --- The queue -------------------------------------------------------------------------------------------------


def progress(client, page):
    return client.get(f"{IMPORT}{page.context['upload']}/progress/").json()


@pytest.mark.usefixtures("queued")
def test_a_worker_checks_and_loads_a_large_file(admin_client, uploads):
    page = upload(admin_client, report(NO_JANUARY, line("a", revenue="3")))
    (job,) = ImportJob.objects.all()
    assert states(page) == [(NO_JANUARY, "to_check")]
    assert "No program is running that does the waiting work." in page.content.decode()
    assert progress(admin_client, page) == {
        "jobs": {
            str(job.pk): {"state": "to_check", "label": "to be checked", "share": 0.0, "text": "Waiting for a worker."}
        },
        "has_worker": False,
    }
    assert queue_drain() == 1
    page = admin_client.get(f"{IMPORT}{job.upload}/")
    assert states(page) == [(NO_JANUARY, "checked")]
    page = confirm(admin_client, page)
    assert states(page) == [(NO_JANUARY, "to_load")]
    assert not DSR.objects.exists()
    assert queue_drain() == 1
    dsr = DSR.objects.get()
    assert (dsr.imported_by.username, str(dsr.total_revenue)) == ("admin", "3")
    assert progress(admin_client, page)["jobs"][str(job.pk)]["state"] == "done"
    assert LogEntry.objects.get().object_id == str(dsr.pk)
    assert stored(uploads) == []


@pytest.mark.usefixtures("queued")
def test_the_list_of_imports_links_to_the_pages_of_uploads(admin_client):
    page = upload(admin_client, report(NO_JANUARY, line("a")))
    response = admin_client.get("/admin/catalogue/importjob/")
    assert f"{IMPORT}{page.context['upload']}/" in response.content.decode()
    number = ImportJob.objects.get().pk
    response = admin_client.get(f"/admin/catalogue/importjob/{number}/change/")
    assert response["Location"] == f"{IMPORT}{page.context['upload']}/"


def test_a_check_that_takes_too_long_is_left_to_a_worker(admin_client, monkeypatch):
    monkeypatch.setattr("catalogue.admin.imports.at_once.AT_ONCE_SECONDS", 0)
    page = upload(admin_client, report(NO_JANUARY, line("a")))
    assert states(page) == [(NO_JANUARY, "to_check")]


class Upload(io.RawIOBase):
    """The body of a form with a file of many megabytes, built while it is read."""

    start = (
        '--x\r\nContent-Disposition: form-data; name="format"\r\n\r\n0\r\n'
        f'--x\r\nContent-Disposition: form-data; name="import_file"; filename="{NO_JANUARY}"\r\n\r\n'
    ).encode()
    end = b"\r\n--x--\r\n"

    def __init__(self, megabytes):
        self.size = len(self.start) + megabytes * 1024**2 + len(self.end)
        self._left = iter([self.start, *[b"0123456\n" * (1024**2 // 8)] * megabytes, self.end])
        self._chunk = b""

    def readable(self):
        return True

    def readinto(self, buffer):
        self._chunk = self._chunk or next(self._left, b"")
        taken, self._chunk = self._chunk[: len(buffer)], self._chunk[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


@pytest.mark.usefixtures("queued")
def test_an_upload_is_not_held_in_memory(admin_client, uploads):
    body = Upload(megabytes=64)
    form = {"CONTENT_TYPE": "multipart/form-data; boundary=x", "CONTENT_LENGTH": str(body.size), "wsgi.input": body}
    tracemalloc.start()
    try:
        response = admin_client.generic("POST", IMPORT, **form)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert response.status_code == 302
    assert [path.stat().st_size for path in stored(uploads)] == [64 * 1024**2]
    assert most < 16 * 1024**2


# --- Cleanup ---------------------------------------------------------------------------------------------------


def test_unconfirmed_uploads_are_abandoned_after_some_days(admin_client, uploads):
    old = upload(admin_client, report(NO_JANUARY, line("a")))
    young = upload(admin_client, report(ES_JANUARY, line("a")))
    day = timezone.now() - timedelta(days=8)
    ImportJob.objects.filter(upload=old.context["upload"]).update(changed_at=day)
    uploads_clear()
    assert dict(ImportJob.objects.values_list("upload", "state")) == {
        old.context["upload"]: "abandoned",
        young.context["upload"]: "checked",
    }
    assert len(stored(uploads)) == 1


def test_old_files_without_a_job_are_removed(uploads):
    uploads.mkdir()
    for name, age in (("old", 90_000), ("young", 0)):
        (uploads / name).touch()
        os.utime(uploads / name, times=(time.time() - age,) * 2)
    uploads_clear()
    assert [path.name for path in stored(uploads)] == ["young"]
