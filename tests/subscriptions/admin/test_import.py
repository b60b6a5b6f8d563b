"""The Import button of raw records: upload, preview, confirm, and what is refused."""

import gzip
from datetime import date
from threading import Barrier

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from psycopg2.errors import LockNotAvailable

from subscriptions.admin import imports
from subscriptions.aggregates.ranges import Step
from subscriptions.models import DataUsageRecord, VoiceUsageRecord
from subscriptions.records import services
from tests.subscriptions import recipes
from tests.subscriptions.helpers import add, event, marks, noon, partitions, subscribe, sums
from tests.waiting import PATIENCE

pytestmark = pytest.mark.django_db

DATA = "/admin/subscriptions/datausagerecord/"
VOICE = "/admin/subscriptions/voiceusagerecord/"
HEADER = "subscription_id,usage_date,price,kilobytes_used,external_id"


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """The upload folder."""
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"
    return settings.DSRHUB_UPLOAD_DIR


@pytest.fixture
def someone():
    return subscribe()


def usage(*lines, name="usage.csv", header=HEADER):
    content = "".join(line + "\n" for line in (header, *lines)).encode()
    return SimpleUploadedFile(name, gzip.compress(content) if name.endswith(".gz") else content)


def record(someone, day=5, price="1", kilobytes="1", external_id=""):
    return f"{someone.pk},2026-01-{day:02}T12:00:00Z,{price},{kilobytes},{external_id}"


def upload(client, file, at=DATA, **more):
    response = client.post(f"{at}import/", {"import_file": file, "format": "0", "resource": "0", **more})
    assert response.status_code == 200
    return response


def file_errors(page):
    return page.context["form"].errors.get("import_file")


def confirm(client, page, at=DATA, **changed):
    form = page.context["confirm_form"].initial | {"confirm": "yes"} | changed
    return client.post(f"{at}process_import/", {name: value for name, value in form.items() if value is not False})


def shown_messages(client, response):
    """The messages on the page after a confirmation."""
    return [str(message) for message in client.get(response["Location"]).context["messages"]]


def refusal(page):
    assert "confirm_form" not in page.context
    assert "Confirm import" not in page.content.decode()
    return page.context["result"].refusal


def stored(folder):
    return list(folder.iterdir())


# --- The preview -----------------------------------------------------------------------------------------------


def test_the_preview_shows_the_first_records_and_totals_and_adds_nothing(admin_client, someone):
    add(event(someone, 5, "0.5", 7, external_id="a"))
    before = marks(), partitions()
    lines = [record(someone, 6 + number // 20, "1.25", "1000") for number in range(40)]
    page = upload(admin_client, usage(record(someone, 5, "0.50", "7", "a"), *lines))
    result = page.context["result"]
    assert result.columns == HEADER.split(",")
    assert result.records == [
        [str(someone.pk), "2026-01-05T12:00:00Z", "0.50", "7", "a"],
        *[[str(someone.pk), "2026-01-06T12:00:00Z", "1.25", "1000", ""]] * 19,
    ]
    assert result.facts == [
        ("records", "41"),
        ("already stored", "1"),
        ("price", "50.50"),
        ("kilobytes", "40,007"),
        ("days", "3 (2026-01-05 – 2026-01-07)"),
    ]
    assert "Confirm import" in page.content.decode()
    assert DataUsageRecord.objects.count() == 1
    assert (marks(), partitions()) == before


def test_prices_are_added_up_with_all_digits(admin_client, someone):
    prices = ["1" + "0" * 29, "0." + "0" * 59 + "1", "-0.5"]
    page = upload(admin_client, usage(*[record(someone, price=price) for price in prices]))
    expected = "99,999" + ",999" * 8 + ".5" + "0" * 58 + "1"
    assert dict(page.context["result"].facts)["price"] == expected


def test_amounts_beyond_64_bits_in_sum_are_added_up(admin_client, someone):
    page = upload(admin_client, usage(*[record(someone, kilobytes=str(2**63 - 1))] * 2))
    assert dict(page.context["result"].facts)["kilobytes"] == "18,446,744,073,709,551,614"


def test_an_external_id_that_comes_twice_is_added_once(admin_client, someone):
    page = upload(admin_client, usage(*[record(someone, external_id="a")] * 3))
    assert page.context["result"].facts[:2] == [("records", "3"), ("already stored", "2")]


def test_the_first_100_problems_are_shown_by_line_with_column_and_value(admin_client, someone, uploads):
    bad = [record(someone, price="much")] * 150
    page = upload(admin_client, usage(record(someone), *bad))
    result = page.context["result"]
    assert refusal(page).startswith("150 errors, nothing was added.")
    first = result.problems[0]
    assert (first.line, first.field, first.value, first.code) == (3, "price", "much", "not_a_number")
    assert (len(result.problems), result.error_count, result.more_problems) == (100, 150, 50)
    assert result.records[1] == [str(someone.pk), "2026-01-05T12:00:00Z", "much", "1", ""]
    assert "and 50 more" in page.content.decode()
    # People read what the code means.
    assert "<td>The cell must have a number, and has something else.</td>" in page.content.decode()
    assert "not_a_number" not in page.content.decode()
    assert stored(uploads) == []


@pytest.mark.parametrize(
    ("header", "line", "expected"),
    [
        (HEADER, "999,2026-01-05T12:00:00Z,1,1,", (2, "subscription", "999", "unknown_subscription")),
        (HEADER, "1,2026-01-05T12:00:00,1,1,", (2, "usage_date", "2026-01-05 12:00:00", "time_zone_missing")),
        (HEADER, "1,2026-01-05T12:00:00Z,1", (2, "line", "3 of 5 cells", "wrong_cell_count")),
        (HEADER.replace("kilobytes", "seconds"), "", (1, "seconds_used", "", "other_usage_type")),
        ("subscription_id,usage_date", "", (1, "price", "", "column_missing")),
        ('subscription_id,"usage"_date', "", (1, "line", "',' expected after '\"'", "not_readable")),
        ("", "", (1, "subscription_id", "", "column_missing")),
    ],
)
def test_an_invalid_file_is_reported(admin_client, header, line, expected):
    (problem,) = upload(admin_client, usage(line, header=header)).context["result"].problems
    assert (problem.line, problem.field, problem.value, problem.code) == expected


def test_an_empty_file_is_reported(admin_client):
    (problem,) = upload(admin_client, SimpleUploadedFile("usage.csv", b"")).context["result"].problems
    assert (problem.line, problem.code) == (1, "column_missing")


def test_records_before_an_unreadable_line_are_shown(admin_client, someone):
    page = upload(admin_client, usage(record(someone), '"a"b,,,,'))
    assert page.context["result"].records == [[str(someone.pk), "2026-01-05T12:00:00Z", "1", "1", ""]]
    (problem,) = page.context["result"].problems
    assert (problem.line, problem.code) == (3, "not_readable")


@pytest.mark.parametrize("as_header", [True, False])
def test_a_line_that_has_no_end_is_not_read_into_memory(admin_client, as_header):
    content = gzip.compress(("" if as_header else HEADER + "\n").encode() + b"1" * 10_000_000)
    page = upload(admin_client, SimpleUploadedFile("usage.csv.gz", content))
    (problem,) = page.context["result"].problems
    assert (problem.value, problem.code) == ("a line is longer than 65,536 bytes", "not_readable")


def test_damaged_gzip_is_reported(admin_client, someone):
    content = gzip.compress("\n".join([HEADER, *[record(someone)] * 1000]).encode())
    page = upload(admin_client, SimpleUploadedFile("usage.csv.gz", content[:-20]))
    assert page.context["result"].problems[-1].code == "gzip_damaged"


def test_a_conflict_with_a_record_that_exists_is_reported(admin_client, someone):
    add(event(someone, external_id="a"))
    page = upload(admin_client, usage(record(someone), record(someone, price="2", external_id="a")))
    assert "has another record with the external id 'a'" in refusal(page)
    (problem,) = page.context["result"].problems
    assert (problem.line, problem.field, problem.value, problem.code) == (3, "external_id", "a", "usage_conflict")


def test_a_file_without_new_records_needs_no_confirmation(admin_client, someone, uploads):
    add(event(someone, external_id="a"))
    page = upload(admin_client, usage(record(someone, external_id="a")))
    assert refusal(page) == "All records are already stored."
    assert "<strong>Done</strong>" in page.content.decode()
    assert stored(uploads) == []


@pytest.mark.parametrize("name", ["usage.xlsx", "usage.csv.zip", "usage"])
def test_other_kinds_of_files_are_not_taken(admin_client, name, uploads):
    page = upload(admin_client, usage(name=name))
    assert file_errors(page) == [f"{name} is not a .csv, .tsv, .csv.gz or .tsv.gz file."]
    assert not uploads.exists()


def test_a_file_that_is_too_large_for_a_page_is_left_to_the_command(admin_client, settings, uploads):
    settings.DSRHUB_IMPORT_AT_ONCE_BYTES = 60
    page = upload(admin_client, usage("1" * 60))
    assert file_errors(page) == [
        "usage.csv is larger than 60\xa0bytes. Import it on the server: manage.py import_usage usage.csv"
    ]
    assert not uploads.exists()


def test_a_file_that_takes_too_long_is_left_to_the_command(admin_client, someone, monkeypatch, uploads):
    monkeypatch.setattr(imports, "AT_ONCE_SECONDS", -1)
    page = upload(admin_client, usage(*[record(someone)] * 5000))
    assert refusal(page) == (
        "The import takes too long for a page. Import it on the server: manage.py import_usage usage.csv"
    )
    assert stored(uploads) == []


def test_a_form_without_a_file_says_so(admin_client):
    page = admin_client.post(f"{DATA}import/", {"format": "0", "resource": "0"})
    assert file_errors(page) == ["This field is required."]


# --- Confirm ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["usage.csv", "usage.tsv", "usage.CSV.gz", "usage.tsv.GZ"])
def test_a_confirmed_file_is_added_and_logged_and_deleted(admin_client, someone, uploads, name):
    add(event(someone, 5, "2", 3, external_id="a"))
    separated = [
        text.replace(",", "\t" if ".tsv" in name else ",")
        for text in (HEADER, record(someone, 5, "2", "3", "a"), record(someone, 6, "0.001", "10"))
    ]
    page = upload(admin_client, usage(*separated[1:], name=name, header=separated[0]))
    assert len(stored(uploads)) == 1
    response = confirm(admin_client, page)
    assert response["Location"] == DATA
    assert shown_messages(admin_client, response) == [f"Imported {name}: 1 records added, 1 already stored."]
    assert sums(by=Step.DAY) == {
        (someone.pk, "data", date(2026, 1, 5)): ("2.00", 3),
        (someone.pk, "data", date(2026, 1, 6)): ("0.001", 10),
    }
    assert stored(uploads) == []
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_repr, entry.is_addition()) == ("admin", name, True)
    assert entry.change_message == "Imported: 1 added, 1 already stored."
    assert admin_client.get("/admin/").status_code == 200  # which shows the log


def test_a_file_of_voice_is_imported_among_voice(admin_client, someone):
    file = usage(record(someone, kilobytes="61"), header=HEADER.replace("kilobytes", "seconds"))
    page = upload(admin_client, file, at=VOICE)
    assert ("seconds", "61") in page.context["result"].facts
    assert confirm(admin_client, page, at=VOICE)["Location"] == VOICE
    assert VoiceUsageRecord.objects.get().seconds_used == 61


def test_a_checked_file_cannot_be_confirmed_as_another_type(admin_client, someone):
    page = upload(admin_client, usage(record(someone)))
    (message,) = shown_messages(admin_client, confirm(admin_client, page, at=VOICE))
    assert "records of the other usage type" in message
    assert not DataUsageRecord.objects.exists()


def test_a_file_is_added_once_however_often_it_is_confirmed(admin_client, someone):
    page = upload(admin_client, usage(record(someone)))
    confirm(admin_client, page)
    again = confirm(admin_client, page)
    assert again["Location"] == f"{DATA}import/"
    assert shown_messages(admin_client, again)[-1] == "usage.csv has already been confirmed, or is no longer stored."
    assert DataUsageRecord.objects.count() == 1
    assert LogEntry.objects.count() == 1


def test_a_file_that_changed_since_its_check_is_not_added(admin_client, someone, uploads):
    page = upload(admin_client, usage(record(someone)))
    (path,) = stored(uploads)
    path.write_bytes(path.read_bytes() + record(someone, 6).encode())
    message = "The stored file has changed since the check. Nothing was added."
    assert shown_messages(admin_client, confirm(admin_client, page)) == [message]
    assert not DataUsageRecord.objects.exists()


def test_a_file_of_which_others_have_added_records_since_its_check_is_not_added(admin_client, someone, uploads):
    page = upload(admin_client, usage(record(someone, 5, external_id="a"), record(someone, 6, external_id="b")))
    assert page.context["result"].facts[:2] == [("records", "2"), ("already stored", "0")]
    add(event(someone, 5, external_id="a"))
    (message,) = shown_messages(admin_client, confirm(admin_client, page))
    assert message == "The check found 2 new records, and now there are 1. Nothing was added."
    assert DataUsageRecord.objects.count() == 1
    assert not LogEntry.objects.exists()
    assert stored(uploads) == []


@pytest.mark.django_db(transaction=True)
def test_of_two_confirmations_at_once_one_adds_the_file(admin_client, in_thread, monkeypatch):
    page = upload(admin_client, usage(record(subscribe())))
    both = Barrier(2, timeout=PATIENCE)
    import_data = imports.UsageFile.import_data

    def together(self, *arguments, **options):
        both.wait()
        return import_data(self, *arguments, **options)

    monkeypatch.setattr(imports.UsageFile, "import_data", together)
    asked = [in_thread(confirm, admin_client, page) for _ in range(2)]
    assert {one.result(PATIENCE)["Location"] for one in asked} == {DATA, f"{DATA}import/"}
    assert DataUsageRecord.objects.count() == 1


def test_a_file_that_is_refused_since_its_check_is_not_added(admin_client, someone, uploads):
    page = upload(admin_client, usage(record(someone, 5), record(someone, 6)))
    recipes.sealed_day.make(day=date(2026, 1, 6))
    (message,) = shown_messages(admin_client, confirm(admin_client, page))
    assert "only a backfill can add to it" in message
    assert not DataUsageRecord.objects.exists()
    assert not LogEntry.objects.exists()
    assert stored(uploads) == []


def test_a_sealed_day_takes_a_backfill_alone(admin_client, someone):
    recipes.sealed_day.make(day=date(2026, 1, 6))
    page = upload(admin_client, usage(record(someone, 6)))
    assert page.context["result"].problems[0].code == "day_sealed"
    page = upload(admin_client, usage(record(someone, 6)), backfill="on")
    confirm(admin_client, page)
    assert DataUsageRecord.objects.get().usage_date == noon(6)


def test_a_confirmation_that_waits_too_long_for_a_lock_is_reported(admin_client, someone, monkeypatch):
    def busy(**_):
        raise OperationalError from LockNotAvailable()

    page = upload(admin_client, usage(record(someone)))
    monkeypatch.setattr(services, "usage_file_import", busy)
    message = "Another import is adding the same usage. Nothing was added. Upload the file again."
    assert shown_messages(admin_client, confirm(admin_client, page)) == [message]


@pytest.mark.parametrize(
    "changed",
    [
        {"import_file_name": ".."},
        {"import_file_name": "../../etc/passwd"},
        {"import_file_name": ""},
        {"format": "x"},
        {"format": "7"},
        {"sha256": "x"},
        {"to_add": ""},
        {"to_add": "1_0"},
        {"to_add": "-1"},
        {"to_add": "9" * 19},
    ],
)
def test_a_confirmation_that_is_made_up_is_refused(admin_client, someone, uploads, changed):
    page = upload(admin_client, usage(record(someone)))
    response = confirm(admin_client, page, **changed)
    assert response.status_code == 200
    assert "Nothing was added. Upload the file again." in response.content.decode()
    assert not DataUsageRecord.objects.exists()
    assert len(stored(uploads)) == 1
