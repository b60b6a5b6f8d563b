"""The Export buttons of subscriptions and of raw records."""

import csv
import io
import json
import re
from datetime import date, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openpyxl import load_workbook

from dsrhub.database.locks import USAGE_EXPORTS
from dsrhub.import_export import formats, tables
from subscriptions.admin import exports
from subscriptions.aggregates import exports as stored
from subscriptions.aggregates.services import daily_usage_refresh
from subscriptions.models import DataUsageRecord, ExportedUsage, Subscription, UsageExport
from subscriptions.records.services import usage_file_import, usage_records_delete
from tests.subscriptions import recipes
from tests.subscriptions.helpers import DATA, VOICE, add, event, subscribe

pytestmark = pytest.mark.django_db

RECORDS = "/admin/subscriptions/datausagerecord/"
VOICE_RECORDS = "/admin/subscriptions/voiceusagerecord/"
SUBSCRIPTIONS = "/admin/subscriptions/subscription/"
CSV, TSV, XLSX, JSON = range(4)
ALL_COLUMNS, TO_IMPORT = 0, 1
DAILY_USAGE, ALL_SUBSCRIPTIONS = 0, 1
JANUARY = {"start": "2026-01-01", "end": "2026-01-31"}


def export(client, at, resource, file_format, query="", **fields):
    response = client.post(f"{at}export/{query}", {"resource": resource, "format": file_format, **fields})
    assert response.status_code == 200
    assert response.streaming, response.context["form"].errors
    return b"".join(response.streaming_content)


def rows(client, at, resource, query="", **fields):
    """The rows of the CSV, without the header."""
    text = export(client, at, resource, CSV, query, **fields).decode()
    return list(csv.reader(io.StringIO(text, newline="")))[1:]


def daily(client, query="", **fields):
    return rows(client, SUBSCRIPTIONS, DAILY_USAGE, query, **(JANUARY | fields))


# --- Records ---------------------------------------------------------------------------------------------------


def test_tsv_has_texts_as_they_are_and_all_digits(admin_client):
    someone = subscribe()
    digits = "2.220446049250313000000000000000000000001"
    add(event(someone, 5, digits, 2**63 - 1, '=1+"1"'), event(someone, 6, "-1"))
    first, second = DataUsageRecord.objects.order_by("pk").values_list("pk", flat=True)
    noons = "2026-01-05T12:00:00+00:00", "2026-01-06T12:00:00+00:00"
    assert export(admin_client, RECORDS, ALL_COLUMNS, TSV).decode().splitlines() == [
        "id\tday\tsubscription_id\tusage_date\tprice\tkilobytes_used\texternal_id",
        f'{first}\t2026-01-05\t{someone.pk}\t{noons[0]}\t{digits}\t9223372036854775807\t=1+"1"',
        f"{second}\t2026-01-06\t{someone.pk}\t{noons[1]}\t-1\t1\t",
    ]


def test_formulas_are_disarmed_in_csv_and_are_texts_in_xlsx(admin_client):
    someone = subscribe()
    add(event(someone, 5, "-1.5", external_id="=1+1"), event(someone, 6, external_id="@sum"))
    in_csv = rows(admin_client, RECORDS, ALL_COLUMNS)
    assert [row[-1] for row in in_csv] == ["'=1+1", "'@sum"]
    assert in_csv[0][4] == "-1.5"
    sheet = load_workbook(io.BytesIO(export(admin_client, RECORDS, ALL_COLUMNS, XLSX))).active
    _, *in_xlsx = sheet.iter_rows()
    assert [(row[6].value, row[6].data_type) for row in in_xlsx] == [("=1+1", "s"), ("@sum", "s")]
    assert [in_xlsx[0][place].value for place in (4, 7)] == [-1.5, "-1.5"]


def test_json_has_exact_numbers_and_nulls(admin_client):
    someone = subscribe()
    add(event(someone, 5, "0.1234567890123456789", 61), usage_type=VOICE)
    (record,) = json.loads(export(admin_client, VOICE_RECORDS, TO_IMPORT, JSON), parse_float=Decimal)
    assert record == {
        "subscription_id": someone.pk,
        "usage_date": "2026-01-05T12:00:00+00:00",
        "price": Decimal("0.1234567890123456789"),
        "seconds_used": 61,
        "external_id": None,
    }


def test_an_export_for_import_is_imported_unchanged(admin_client, tmp_path):
    someone = subscribe()
    add(event(someone, 5, "-0.00000000000000000000000000001", 3, "=a"), event(someone, 6))
    values = ("subscription", "usage_date", "day", "price", "kilobytes_used", "external_id")
    before = list(DataUsageRecord.objects.order_by("day").values_list(*values))
    path = tmp_path / "usage.tsv"
    path.write_bytes(export(admin_client, RECORDS, TO_IMPORT, TSV))
    usage_records_delete(usage_type=DATA, record_ids=DataUsageRecord.objects.values_list("pk", flat=True))
    usage_file_import(path=path)
    assert list(DataUsageRecord.objects.order_by("day").values_list(*values)) == before


def test_the_filters_and_the_search_of_the_list_hold(admin_client):
    one = subscribe()
    other = recipes.subscription.make(carrier="sprint", status="new")
    add(event(one, 5, external_id="a"), event(one, 6), event(other, 7))

    def days(query):
        return [row[1] for row in rows(admin_client, RECORDS, ALL_COLUMNS, query)]

    assert days("?subscription__carrier__exact=att") == ["2026-01-05", "2026-01-06"]
    assert days("?day__gte=2026-01-06&day__lt=2026-01-07") == ["2026-01-06"]
    assert days("?q=a") == ["2026-01-05"]
    assert days(f"?q={other.pk}") == ["2026-01-07"]


def test_the_action_exports_what_is_selected(admin_client):
    add(*[event(subscribe(), day) for day in (5, 6)])
    chosen = DataUsageRecord.objects.latest("pk")
    form = {"action": "export_selected", "_selected_action": [chosen.pk], "index": "0"}
    where = admin_client.post(RECORDS, form)["Location"]
    assert where == f"export/?id__in={chosen.pk}"
    (row,) = rows(admin_client, RECORDS, ALL_COLUMNS, where.removeprefix("export/"))
    assert row[0] == str(chosen.pk)


def test_records_are_read_page_by_page_while_they_are_sent(admin_client, monkeypatch):
    monkeypatch.setattr(tables, "PAGE_ROWS", 2)
    monkeypatch.setattr(formats, "PAGE_ROWS", 2)
    add(*[event(subscribe())] * 5)
    pieces = iter(admin_client.post(f"{RECORDS}export/", {"resource": ALL_COLUMNS, "format": TSV}).streaming_content)
    reads = []
    for _ in range(3):
        with CaptureQueriesContext(connection) as captured:
            assert next(pieces)
        reads.append(len(captured))
    assert (sum(reads), max(reads)) == (3, 1)
    assert list(pieces) == []


# --- Daily usage -----------------------------------------------------------------------------------------------


def test_daily_usage_is_the_exact_sum_refreshed_or_not(admin_client):
    one, other = subscribe(2)
    add(event(one, 5, "0.1", 3), event(one, 5, "0.2", 4), event(one, 6, "1"), event(other, 31, "7"))
    add(event(one, 5, "5", 60), usage_type=VOICE)
    expected = [
        [str(one.pk), "data", "2026-01-05", "0.30", "7", "kilobytes"],
        [str(one.pk), "data", "2026-01-06", "1.00", "1", "kilobytes"],
        [str(one.pk), "voice", "2026-01-05", "5.00", "60", "seconds"],
        [str(other.pk), "data", "2026-01-31", "7.00", "1", "kilobytes"],
    ]
    assert daily(admin_client) == expected
    daily_usage_refresh()
    assert daily(admin_client) == expected
    add(event(one, 6, "0.0000001"))
    expected[1] = [str(one.pk), "data", "2026-01-06", "1.0000001", "2", "kilobytes"]
    assert daily(admin_client) == expected


def test_daily_usage_is_of_the_days_and_the_type_that_are_chosen(admin_client):
    someone = subscribe()
    add(*[event(someone, day) for day in (4, 5, 6, 7)])
    add(event(someone, 5), usage_type=VOICE)
    assert [row[1:3] for row in daily(admin_client, start="2026-01-05", end="2026-01-06")] == [
        ["data", "2026-01-05"],
        ["data", "2026-01-06"],
        ["voice", "2026-01-05"],
    ]
    assert [row[1:3] for row in daily(admin_client, usage_type="voice")] == [["voice", "2026-01-05"]]


def test_daily_usage_is_of_the_subscriptions_of_the_list(admin_client):
    one = subscribe()
    other = recipes.subscription.make(carrier="sprint", status="expired")
    add(event(one), event(other))
    assert [row[0] for row in daily(admin_client, "?carrier__exact=sprint")] == [str(other.pk)]
    assert [row[0] for row in daily(admin_client, "?status__exact=active")] == [str(one.pk)]
    assert [row[0] for row in daily(admin_client, f"?q={one.pk}")] == [str(one.pk)]


@pytest.fixture
def small_pages(monkeypatch):
    """Two rows are read, and sent, at a time."""
    monkeypatch.setattr(tables, "PAGE_ROWS", 2)
    monkeypatch.setattr(formats, "PAGE_ROWS", 2)


def test_daily_usage_comes_in_pages_that_miss_and_repeat_nothing(admin_client, small_pages):
    everyone = subscribe(3)
    add(*[event(someone, day) for someone in everyone for day in range(1, 8)])
    expected = [[str(one.pk), f"2026-01-{day:02}"] for one in everyone for day in range(1, 8)]
    assert [[row[0], row[2]] for row in daily(admin_client)] == expected


@pytest.mark.parametrize("is_refreshed", [False, True])
def test_daily_usage_is_of_the_time_at_which_the_file_begins(admin_client, small_pages, is_refreshed):
    """A record comes, one changes, one goes, and a subscription leaves the list, while the file is sent."""
    first, second, third = subscribe(3)
    add(*[event(one, day, "1.25") for one in (first, second, third) for day in (5, 6)])
    if is_refreshed:
        daily_usage_refresh()
    form = {"resource": DAILY_USAGE, "format": TSV, **JANUARY}
    pieces = iter(admin_client.post(f"{SUBSCRIPTIONS}export/?carrier__exact=att", form).streaming_content)
    start = next(pieces)
    add(event(second, 6, "100"), event(third, 7, "100"), event(subscribe(), 5))
    usage_records_delete(
        usage_type=DATA, record_ids=[DataUsageRecord.objects.filter(subscription=second).earliest("pk").pk]
    )
    Subscription.objects.filter(pk=third.pk).update(carrier="sprint")
    daily_usage_refresh()
    rest = list(pieces)
    lines = b"".join([start, *rest]).decode().splitlines()[1:]
    assert len(rest) > 1
    assert lines == [
        f"{one.pk}\tdata\t2026-01-0{day}\t1.25\t1\tkilobytes" for one in (first, second, third) for day in (5, 6)
    ]


def test_what_was_sent_is_dropped(admin_client, small_pages):
    add(*[event(subscribe(), day) for day in range(1, 6)])
    assert len(daily(admin_client)) == 5
    assert (UsageExport.objects.count(), ExportedUsage.objects.count()) == (0, 0)


def test_the_file_says_its_time(admin_client):
    add(event(subscribe(), 5))
    form = {"resource": DAILY_USAGE, "format": XLSX, **JANUARY}
    before = timezone.now().replace(microsecond=0)
    response = admin_client.post(f"{SUBSCRIPTIONS}export/?carrier__exact=att", form)
    name = re.search(
        r"daily-usage_as-of-(\d{4}-\d\d-\d\dT\d{6}Z)_att_2026-01-01_2026-01-31_.*\.xlsx",
        response["Content-Disposition"],
    )
    as_of = datetime.strptime(name[1], "%Y-%m-%dT%H%M%S%z")
    assert before <= as_of <= timezone.now()
    sheet = load_workbook(io.BytesIO(b"".join(response.streaming_content)))["Filters"]
    assert ("as of", f"{as_of:%Y-%m-%d %H:%M:%S} UTC") in sheet.values


def refusal(client):
    """What the page says instead of sending daily usage."""
    response = client.post(f"{SUBSCRIPTIONS}export/", {"resource": DAILY_USAGE, "format": CSV, **JANUARY})
    assert not response.streaming
    return [str(message) for message in response.context["messages"]]


def test_more_rows_than_an_export_may_have_are_refused_and_not_cut_off(admin_client, monkeypatch):
    monkeypatch.setattr(stored, "MOST_ROWS", 2)
    add(*[event(subscribe(), day) for day in (5, 6)])
    assert len(daily(admin_client)) == 2
    add(event(subscribe(), 7))
    assert refusal(admin_client) == ["The export has more than 2 rows. Ask for fewer days."]
    assert not ExportedUsage.objects.exists()


def test_while_another_export_is_made_the_page_says_so(admin_client, monkeypatch):
    monkeypatch.setattr(type(USAGE_EXPORTS), "try_take", lambda *_: False)
    assert refusal(admin_client) == ["Another export is being made. Try again soon."]


def test_daily_usage_of_an_empty_list_has_no_rows(admin_client):
    add(event(subscribe(), 5))
    assert daily(admin_client, "?carrier__exact=sprint") == daily(admin_client, "?q=nothing") == []


def test_xlsx_and_json_of_daily_usage(admin_client):
    someone = subscribe()
    add(event(someone, 5, "0.25", 7))
    cells = [someone.pk, "data", "2026-01-05", 0.25, 7, "kilobytes"]
    sheet = load_workbook(io.BytesIO(export(admin_client, SUBSCRIPTIONS, DAILY_USAGE, XLSX, **JANUARY))).active
    header, row = ([cell.value for cell in line] for line in sheet.iter_rows())
    assert (header.pop(), row.pop()) == ("total_price_exact", "0.25")
    assert row == cells
    assert json.loads(export(admin_client, SUBSCRIPTIONS, DAILY_USAGE, JSON, **JANUARY)) == [
        dict(zip(header, cells, strict=True))
    ]


@pytest.mark.parametrize(
    ("days", "errors"),
    [
        ({}, {"start": ["Select a day."], "end": ["Select a day."]}),
        ({"start": "2026-01-02", "end": "2026-01-01"}, {"end": ["The range ends before it starts."]}),
        ({"start": "yesterday", "end": "2026-01-01"}, {"start": ["Enter a valid date."]}),
    ],
)
def test_days_that_make_no_range_are_refused(admin_client, days, errors):
    form = {"resource": DAILY_USAGE, "format": CSV, **days}
    assert admin_client.post(f"{SUBSCRIPTIONS}export/", form).context["form"].errors == errors


def test_the_form_offers_the_last_31_days(admin_client, monkeypatch):
    monkeypatch.setattr(exports, "usage_day", lambda _: date(2026, 3, 1))
    page = admin_client.get(f"{SUBSCRIPTIONS}export/").content.decode()
    assert 'value="2026-01-30"' in page
    assert 'value="2026-03-01"' in page


def test_subscriptions_are_exported(admin_client):
    one = subscribe()
    assert rows(admin_client, SUBSCRIPTIONS, ALL_SUBSCRIPTIONS) == [[str(one.pk), "att", "active"]]
