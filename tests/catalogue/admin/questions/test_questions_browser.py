"""The pages of questions in a browser, under the content security policy."""

import pytest
from playwright.sync_api import expect

from tests.browser import signed_in
from tests.catalogue.helpers import import_report, line

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

DRAWN = """() => {
    const canvases = Array.from(document.querySelectorAll("canvas"));
    return canvases.length > 0 && canvases.every(one => window.Chart && Chart.getChart(one));
}"""
DEEZER_FEBRUARY = "Deezer_Free_FR_EUR_20200201-20200229.tsv"


def test_artists_a_breakdown_and_coverage_in_a_browser(live_server, page, admin_user, tmp_path):
    """From the start page to the answers. The page logs no error, as its charts are drawn."""
    duo = [line("a", artists="Ana & Eva|Ben", usages="5", revenue="6"), line("b", artists="Ben", revenue="2")]
    import_report(tmp_path, "Spotify_Duo_ES_EUR_20200101-20200131.tsv", *duo)
    import_report(tmp_path, DEEZER_FEBRUARY, line("a", artists="Cleo", revenue="1"))
    start = signed_in(page, f"{live_server.url}/admin/", "Digital Sales Reports")
    menu = start.locator("#nav-sidebar")

    menu.get_by_role("link", name="Breakdown").click()
    page.get_by_label("Columns").select_option("month")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("columnheader", name="2020-02", exact=True)).to_be_visible()
    page.wait_for_function(DRAWN)

    menu.get_by_role("link", name="Coverage").click()
    page.get_by_label("From").fill("2020-01")
    page.get_by_label("To (inclusive)").fill("2020-03")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="ingested").first.click()
    expect(page.get_by_text(DEEZER_FEBRUARY).first).to_be_visible()

    menu.get_by_role("link", name="Artists").click()
    page.get_by_label("Credit").select_option("split")
    page.get_by_role("button", name="Show").click()
    # Half of 6, and 2.
    expect(page.get_by_role("cell", name="5.00", exact=True)).to_be_visible()
    page.wait_for_function(DRAWN)
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_function("() => document.documentElement.scrollWidth <= 390")
