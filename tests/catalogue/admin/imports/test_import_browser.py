"""Import, export and deletion of a report in a browser. The import runs within the request or in a worker.

The fixture `page` fails a test that logs an error to the console, such as a violation of the content security policy,
or sends a request to another host.
"""

import gzip
from decimal import Decimal

import pytest
from django.conf import settings as product
from playwright.sync_api import expect

from catalogue.imports.queue.worker import queue_drain
from catalogue.models import DSR
from tests.browser import WIDTHS, signed_in, widths
from tests.catalogue.helpers import ENDINGS, NO_JANUARY, import_report, line, write_report

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SAMPLE = product.BASE_DIR / "data" / "Spotify_FamilyPlan_ES_EUR_20200101-20200131.tsv.gz"


@pytest.fixture
def admin(live_server, page, admin_user, settings, tmp_path):
    """The list of DSRs, signed in."""
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"
    return signed_in(page, f"{live_server.url}/admin/catalogue/dsr/", "DSRs")


def upload(admin, *paths):
    admin.click(".import_link")
    admin.set_input_files("#id_import_file", paths)
    admin.click("text=Upload and check")
    expect(admin.locator(".import-job")).to_have_count(len(paths))


def expect_state(admin, *states):
    expect(admin.locator(".import-job > p > strong")).to_have_text(list(states))


def amounts(row):
    """Usages and revenue as numbers, so that `5.0` equals `5`."""
    return [Decimal(cell.decode()) if cell else None for cell in row[-2:]]


def test_a_report_is_imported_exported_and_deleted(admin):
    upload(admin, SAMPLE)
    expect_state(admin, "To be confirmed")
    expect(admin.locator(".facts >> nth=0")).to_contain_text("FamilyPlan")
    expect(admin.locator(".totals")).to_contain_text("700")
    expect(admin.locator(".first-lines tbody tr")).to_have_count(20)
    assert not DSR.objects.exists()
    admin.click("text=Confirm import")
    expect_state(admin, "Done")
    dsr = DSR.objects.get()

    admin.click("text=Show DSR")
    admin.click(".object-tools >> text=Export")
    admin.select_option("#id_resource", label="Lines of the DSRs")
    admin.select_option("#id_format", label="TSV")
    with admin.expect_download() as download:
        admin.click("input[value=Export]")
    header, *exported = (row.split(b"\t") for row in download.value.path().read_bytes().splitlines())
    assert header[:8] == b"dsr line dsp_id title artists isrc usages revenue".split()
    assert [row[:2] for row in exported] == [[b"%d" % dsr.pk, b"%d" % number] for number in range(2, 702)]
    _, *delivered = (row.split(b"\t") for row in gzip.decompress(SAMPLE.read_bytes()).splitlines())
    assert [row[2:5] for row in exported] == [row[:3] for row in delivered]
    assert [amounts(row[:8]) for row in exported] == [amounts(row) for row in delivered]

    admin.go_back()
    admin.click("a.deletelink")
    expect(admin.locator("#content")).to_contain_text("Lines: 700")
    admin.click("text=Yes, I’m sure")
    expect(admin.locator(".messagelist")).to_contain_text("was deleted successfully")
    assert not DSR.objects.exists()


def test_the_page_follows_a_queued_import_to_its_end(admin, settings, tmp_path):
    settings.DSRHUB_IMPORT_AT_ONCE_BYTES = 0
    upload(admin, write_report(tmp_path, NO_JANUARY, line("a", revenue="1")))
    expect_state(admin, "To be checked")
    expect(admin.locator(".progress-text")).to_have_text("Waiting for a worker.")
    expect(admin.locator("#no-worker")).to_be_visible()
    where = admin.url
    admin.goto(where.split("/admin/")[0] + "/admin/")  # Leave the page. The list links to it.
    admin.click("#nav-sidebar >> text=Import jobs")
    admin.click(f"text={NO_JANUARY}")
    expect(admin).to_have_url(where)
    queue_drain()
    expect_state(admin, "To be confirmed")  # The page reloads by itself.
    expect(admin.locator("#no-worker")).to_be_hidden()
    admin.click("text=Confirm import")
    expect_state(admin, "To be loaded")
    queue_drain()
    expect_state(admin, "Done")
    assert DSR.objects.get().line_count == 1


def test_errors_and_an_earlier_delivery_are_shown_before_the_import(admin, tmp_path):
    earlier = import_report(tmp_path, NO_JANUARY, line("a"))
    bad = NO_JANUARY.replace("Duo", "Free")
    upload(admin, write_report(tmp_path, NO_JANUARY, line("b")), write_report(tmp_path, bad, line("b", usages="many")))
    expect_state(admin, "To be confirmed", "Refused")
    meaning = "The cell must have a number, and has something else. Ask the service for a corrected file. 1 error"
    expect(admin.locator(".problems tbody th")).to_have_text(meaning)
    delivered = "Delivered line: b ⇥  ⇥  ⇥  ⇥ many ⇥ "
    expect(admin.locator(".problems tbody td")).to_have_text(["error", "2", "usages", "many", delivered])
    expect(admin.locator(".problems mark")).to_have_text("many")
    expect(admin.locator(".compared tbody tr >> nth=0 >> td")).to_have_text(["1", "1", "0"])
    admin.click("text=Confirm import")
    expect(admin.locator(".messagelist")).to_contain_text("an earlier delivery exists")
    assert DSR.objects.get() == earlier
    admin.check("[name=replace]")
    admin.click("text=Confirm import")
    expect_state(admin, "Done", "Refused")
    assert DSR.objects.get() != earlier
    admin.click("text=Discard")
    expect_state(admin, "Done", "Discarded")


DROP = """([name, content]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([content], name));
    document.querySelector(".drop-zone").dispatchEvent(new DragEvent("drop", { dataTransfer: transfer }));
}"""


def test_files_are_dropped_listed_removed_and_uploaded(admin, tmp_path):
    other, empty = NO_JANUARY.replace("Duo", "Free"), "a.pdf"
    admin.click(".object-tools >> text=Import")
    expect(admin.locator(".drop-hint")).to_be_visible()  # The script is there.
    admin.set_input_files("#id_import_file", [write_report(tmp_path, NO_JANUARY, line("a"))])
    admin.evaluate(DROP, [other, "x"])
    admin.evaluate(DROP, [empty, ""])
    chosen = admin.locator("#chosen-files li")
    expect(chosen).to_have_text(
        [f"{NO_JANUARY} · 50 bytes Remove", f"{other} · 1 byte Remove", "a.pdf · 0 bytes Remove"]
    )
    admin.focus(f"[aria-label='Remove {other}']")
    admin.keyboard.press("Enter")
    expect(chosen).to_have_count(2)
    expect(admin.locator("#chosen-sum")).to_have_text("Together: 50 bytes.")
    admin.click("text=Upload and check")
    expect(admin.locator("#upload-errors")).to_contain_text(f"a.pdf does not end in {ENDINGS}.")
    admin.click("[aria-label='Remove a.pdf']")
    admin.click("text=Upload and check")
    expect_state(admin, "To be confirmed")


def test_the_pages_fit_large_and_small_screens(admin, tmp_path):
    long = "YouTube_MusicPremium_TONO_NO_NOK_20200101-20200131.tsv.gz"
    problems = (
        line(f"id{number}", title="word " * 30, isrc="bad", revenue="1.2345678901234567") for number in range(30)
    )
    pages = []
    upload(admin, write_report(tmp_path, long, *problems))
    pages.append(widths(admin))
    admin.click("text=Import more")
    expect(admin.locator("#id_import_file")).to_be_visible()
    pages.append(widths(admin))
    admin.click("#content >> text=Earlier imports")
    expect(admin.locator("#changelist")).to_be_visible()
    pages.append(widths(admin))
    assert pages == [WIDTHS] * 3
