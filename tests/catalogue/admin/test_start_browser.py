"""The start page and the search for resources in a browser, under the content security policy.

The fixture `page` fails a test that logs an error to the console or sends a request to another host.
"""

import pytest
from playwright.sync_api import expect

from tests.browser import signed_in
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def sign_in(live_server, page, admin_user):
    """A function that signs in and opens the start page. Tests call it after they import their data."""
    return lambda: signed_in(page, f"{live_server.url}/admin/", "Digital Sales Reports")


@pytest.fixture
def start(sign_in, tmp_path):
    import_report(tmp_path, ES_JANUARY, line("a", "Zebra", "Ana", "ESABC2000001", "10", "15"), line("b", "Apple"))
    import_report(tmp_path, NO_JANUARY, line("a", "Zebra", "Ana", "ESABC2000001", "7", "15"))
    return sign_in()


BARS = """() => Array.from(document.querySelectorAll("canvas"), canvas => {
    const chart = Chart.getChart(canvas);
    return [chart.data.labels, chart.data.datasets[0].data, chart.data.datasets[0].backgroundColor];
})"""
# Counts the pixels of each chart that have its colour.
PAINTED = """() => Array.from(document.querySelectorAll("canvas"), canvas => {
    const points = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const wanted = window.Chart && Chart.getChart(canvas)?.data.datasets[0].backgroundColor;
    let painted = 0;
    for (let at = 0; at < points.length; at += 4) {
        const color = "#" + [0, 1, 2].map(part => points[at + part].toString(16).padStart(2, "0")).join("");
        painted += color === wanted;
    }
    return painted;
})"""
PERIOD = "2020-01"


def wait_until_drawn(start):
    """Wait until all charts are drawn: the scripts still run when the page is loaded."""
    expect(start.locator("canvas")).to_have_count(4)
    start.wait_for_function(f"() => ({PAINTED})().every(painted => painted > 1000)")


def test_charts_draw_the_numbers_in_the_colours_of_the_theme(start):
    start.emulate_media(color_scheme="light")
    wait_until_drawn(start)
    bars = start.evaluate(BARS)
    # 15 NOK are 15 / 9.93842... EUR.
    assert bars == [
        [["ES", "NO"], [15, 15 / 9.9384227272727272], "#0072b2"],
        [["ES", "NO"], [10, 7], "#d55e00"],
        [[PERIOD], [15 + 15 / 9.9384227272727272], "#0072b2"],
        [[PERIOD], [17], "#d55e00"],
    ]
    start.emulate_media(color_scheme="dark")
    start.wait_for_function(
        "() => Chart.getChart(document.querySelector('canvas')).data.datasets[0].backgroundColor === '#56b4e9'"
    )
    assert [color for *_, color in start.evaluate(BARS)] == ["#56b4e9", "#e69f00"] * 2


def test_a_bar_links_to_its_dsrs(start):
    wait_until_drawn(start)
    canvas = start.locator("canvas").first
    canvas.scroll_into_view_if_needed()
    place = start.evaluate(
        "() => { const { x, y } = Chart.getChart(document.querySelector('canvas')).getDatasetMeta(0).data[0];"
        " return { x: x - 5, y }; }"
    )
    canvas.click(position=place)
    expect(start.locator("tbody .field-path")).to_have_text([ES_JANUARY])


def test_a_resource_is_found_from_the_start_page(start):
    start.fill("#start [name=q]", "es-abc-20-00001")
    start.click("#start >> text=Search")
    expect(start.locator("#resources .field-dsp_id")).to_have_text(["a"])
    start.select_option("[name=territory]", "NO")
    start.fill("[name=q]", "zeb")
    start.click("input[type=submit]")
    start.click("#resources >> text=Zebra")
    expect(start.locator("#all-usages")).to_have_text("17")
    expect(start.locator("#reports .field-usages")).to_have_text(["10", "7"])
    start.click("#isrcs .field-origin a >> text='2' >> nth=0")
    expect(start.locator("tbody .field-dsp_id").first).to_have_text("a")


def test_without_data_nothing_is_drawn(sign_in):
    start = sign_in()
    expect(start.locator("#start")).to_contain_text("No DSRs imported yet.")
    expect(start.locator("canvas")).to_have_count(0)


@pytest.mark.parametrize("width", [1280, 390])
def test_pages_are_no_wider_than_the_screen(start, live_server, width):
    start.set_viewport_size({"width": width, "height": 900})
    for path in ("", "catalogue/resource/", "catalogue/resource/page/?dsp=Spotify&dsp_id=a", "catalogue/resource/top/"):
        start.goto(f"{live_server.url}/admin/{path}")
        assert start.evaluate("document.documentElement.scrollWidth") <= width, path
