"""Import, export and deletion of usage records in a browser.

The fixture `page` fails a test that has an error on the console, such as a violation of the content security policy,
or a request to another host.
"""

import csv

import pytest
from playwright.sync_api import expect

from subscriptions.models import DataUsageRecord
from tests.browser import WIDTHS, signed_in, widths
from tests.subscriptions.helpers import add, event, subscribe, sums

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("real_commits")]
HEADER = "subscription_id,usage_date,price,kilobytes_used,external_id"


@pytest.fixture
def admin(live_server, page, admin_user, settings, tmp_path):
    """The list of data usage records, with a signed-in user."""
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"
    return signed_in(page, f"{live_server.url}/admin/subscriptions/datausagerecord/", "Data usage records")


def upload(admin, folder, *lines):
    path = folder / "usage.csv"
    path.write_text("\n".join([HEADER, *lines]))
    admin.click(".import_link")
    admin.set_input_files("#id_import_file", path)
    admin.click("text=Upload and check")
    expect(admin.locator(".import-job")).to_be_visible()


def download(admin, **choices):
    for field, label in choices.items():
        admin.select_option(f"#id_{field}", label=label)
    with admin.expect_download() as download:
        admin.click("input[value=Export]")
    return list(csv.reader(download.value.path().read_text("utf-8-sig").splitlines()))


def test_usage_is_imported_exported_and_deleted(admin, live_server, tmp_path):
    someone = subscribe()
    number = str(someone.pk)
    lines = [f"{number},2026-01-{5 + at // 20:02}T12:00:00Z,0.25,1000,id{at}" for at in range(40)]
    upload(admin, tmp_path, *lines)
    expect(admin.locator(".import-job > p > strong")).to_have_text("To be confirmed")
    expect(admin.locator(".totals")).to_contain_text("40,000")
    expect(admin.locator(".first-lines tbody tr")).to_have_count(20)
    assert not DataUsageRecord.objects.exists()
    admin.click("text=Confirm import")
    expect(admin.locator(".messagelist")).to_have_text("Imported usage.csv: 40 records added, 0 already stored.")
    assert sums() == {(someone.pk, "data"): ("10.00", 40_000)}

    admin.click(".export_link")
    header, *exported = download(admin, resource="Data usage records, as a file for import", format="CSV")
    assert header == HEADER.split(",")
    assert [",".join(row).replace("+00:00", "Z") for row in exported] == lines

    admin.goto(f"{live_server.url}/admin/subscriptions/subscription/")
    admin.click(".export_link")
    admin.fill("#id_start", "2026-01-01")
    admin.fill("#id_end", "2026-01-05")
    _, *exported = download(admin, resource="Daily usage of the subscriptions", format="CSV")
    assert exported == [[number, "data", "2026-01-05", "5.00", "20000", "kilobytes"]]

    admin.goto(f"{live_server.url}/admin/subscriptions/datausagerecord/")
    admin.check("#action-toggle")
    admin.select_option("[name=action]", "delete_selected")
    admin.click("button[name=index]")
    expect(admin.locator("#content")).to_contain_text("Data usage records: 40")
    admin.click("text=Yes, I’m sure")
    expect(admin.locator(".messagelist")).to_have_text("Successfully deleted 40 data usage records.")
    assert sums() == {}


def test_errors_are_seen_and_nothing_can_be_confirmed(admin, tmp_path):
    someone = subscribe()
    upload(admin, tmp_path, f"{someone.pk},2026-01-05T12:00:00Z,1.5,many,")
    expect(admin.locator(".import-job > p > strong")).to_have_text("Refused")
    expect(admin.locator(".problems tbody td")).to_have_text(
        ["The cell must have a whole number without a sign.", "2", "kilobytes_used", "many"]
    )
    expect(admin.locator("text=Confirm import")).to_have_count(0)
    expect(admin.locator("#id_import_file")).to_be_visible()


def test_the_pages_fit_large_and_small_screens(admin, live_server, tmp_path):
    someone = subscribe()
    add(event(someone, 5, "1.2345678901234567", 2**63 - 1, "id" * 100))
    good = f"{someone.pk},2026-01-05T12:00:00.123456-05:00,0.{'1' * 40},{2**63 - 1},{'id' * 60}"
    list_page = f"{live_server.url}/admin/subscriptions/datausagerecord/"
    pages = []

    def measure():
        pages.append(widths(admin))

    admin.goto(list_page)
    measure()
    upload(admin, tmp_path, *[good] * 3)
    measure()
    admin.goto(list_page)
    upload(admin, tmp_path, good, *[f"{someone.pk},{'yesterday ' * 20},1,1,"] * 30)
    measure()
    admin.goto(f"{list_page}import/")
    measure()
    admin.goto(f"{list_page}export/")
    measure()
    admin.goto(f"{live_server.url}/admin/subscriptions/subscription/")
    measure()
    admin.goto(f"{live_server.url}/admin/subscriptions/subscription/export/")
    measure()
    admin.goto(f"{list_page}{DataUsageRecord.objects.get().pk}/change/")
    measure()
    assert pages == [WIDTHS] * 8
