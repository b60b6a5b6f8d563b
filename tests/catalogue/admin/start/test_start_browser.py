"""The start page and the search for resources in a browser, under the content security policy.

The fixture `page` fails a test that logs an error to the console or sends a request to another host.
"""

from decimal import Decimal

import pytest
from playwright.sync_api import expect

from tests.browser import signed_in
from tests.catalogue import recipes
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


DRAWN = """() => Array.from(document.querySelectorAll("canvas"), canvas => {
    const chart = Chart.getChart(canvas);
    return [chart.data.labels, chart.data.datasets.map(one => [one.label, one.data, one.backgroundColor])];
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
MONTH = "2020-01"
# The chart of an id with its axis of numbers, and the tooltip of its last label.
LOOKED_AT = """name => {
    const chart = Chart.getChart(document.getElementById(name));
    const index = chart.data.labels.length - 1;
    const pointed = chart.data.datasets.map((_, datasetIndex) => ({ datasetIndex, index }));
    chart.tooltip.setActiveElements(pointed, { x: 0, y: 0 });
    chart.update();
    const axis = Object.values(chart.scales).find(one => ["linear", "logarithmic"].includes(one.type));
    return {
        ticks: axis.ticks.map(tick => tick.label),
        lines: chart.tooltip.body.map(one => one.lines[0]),
        lengths: chart.getDatasetMeta(0).data.map(one => Math.round(Math.abs(one.x - one.base))),
    };
}"""


def wait_until_drawn(start):
    """Wait until all charts are drawn: the scripts still run when the page is loaded. Lines have few pixels."""
    expect(start.locator("canvas")).to_have_count(4)
    start.wait_for_function(f"() => ({PAINTED})().every(painted => painted > 20)")


def test_charts_draw_the_numbers_in_the_colours_of_the_theme_and_link_to_dsrs(start):
    start.emulate_media(color_scheme="light")
    wait_until_drawn(start)
    # 15 NOK are 15 / 9.93842... EUR.
    norway = 15 / 9.9384227272727272
    assert start.evaluate(DRAWN) == [
        [[MONTH], [["Spotify", [15 + norway], "#0072b2"]]],
        [[MONTH], [["Spotify", [17], "#0072b2"]]],
        [["ES", "NO"], [["Revenue in EUR by territory", [15, norway], "#0072b2"]]],
        [["ES", "NO"], [["Usages by territory", [10, 7], "#d55e00"]]],
    ]
    start.emulate_media(color_scheme="dark")
    start.wait_for_function(
        "() => Chart.getChart(document.querySelector('canvas')).data.datasets[0].backgroundColor === '#56b4e9'"
    )
    colors = [series[0][2] for _, series in start.evaluate(DRAWN)]
    assert colors == ["#56b4e9", "#56b4e9", "#56b4e9", "#e69f00"]
    canvas = start.locator("#revenue-by-territory")
    canvas.scroll_into_view_if_needed()
    place = start.evaluate(
        "() => { const { x, y } = Chart.getChart('revenue-by-territory').getDatasetMeta(0).data[0];"
        " return { x: x - 5, y }; }"
    )
    canvas.click(position=place)
    expect(start.locator("tbody .field-path")).to_have_text([ES_JANUARY])


def test_without_data_nothing_is_drawn_and_an_outlier_flattens_nothing_on_a_logarithmic_axis(sign_in):
    start = sign_in()
    expect(start.locator("#start")).to_contain_text("No DSRs imported yet.")
    expect(start.locator("canvas")).to_have_count(0)
    euro = {"currency_id": "EUR", "exchange_rate": 1, "total_usages": 1}
    for territory, revenue in [("ES", "3000000.000001"), ("NO", 3), ("FR", 2)]:
        recipes.dsr.make(territory_id=territory, dsp=f"Of {territory}", total_revenue=Decimal(revenue), **euro)
    start.reload()
    wait_until_drawn(start)
    assert start.evaluate(LOOKED_AT, "revenue-by-territory")["lengths"][1:] == [0, 0]
    for name in ("revenue-by-territory", "revenue-by-month"):
        start.check(f"[data-logarithmic={name}]")
    bars, lines = (start.evaluate(LOOKED_AT, name) for name in ("revenue-by-territory", "revenue-by-month"))
    assert bars["ticks"] == ["1", "10", "100", "1K", "10K", "100K", "1M"]
    assert all(length > 10 for length in bars["lengths"])
    # Tooltips have all digits.
    assert bars["lines"] == ["2 EUR"]
    assert lines["lines"] == ["Of ES: 3,000,000.000001 EUR", "Of NO: 3 EUR", "Of FR: 2 EUR"]


def test_a_choice_of_dsrs_stays_in_the_address_and_a_recording_is_found(start, live_server):
    start.locator("#id_territory").select_option("NO")
    start.get_by_role("button", name="Show").click()
    start.get_by_text("Revenue in EUR by month and DSP").last.click()
    expect(start.locator("#revenue-by-month-table td").last).to_have_text("1.51")
    assert "territory=NO" in start.url
    expect(start.locator("#id_territory")).to_have_value("NO")
    start.get_by_role("link", name="Show all").click()
    expect(start.locator("#id_territory")).to_have_value("")

    start.goto(f"{live_server.url}/admin/catalogue/resource/?q=es-abc-20-00001")
    expect(start.locator("#resources .field-dsp_id")).to_have_text(["a"])
    start.select_option("#content [name=territory]", "NO")
    start.fill("#content [name=q]", "zeb")
    start.click("#content input[type=submit]")
    start.click("#resources >> text=Zebra")
    expect(start.locator("#all-usages")).to_have_text("17")
    expect(start.locator("#reports .field-usages")).to_have_text(["10", "7"])
    start.click("#isrcs .field-origin a >> text='2' >> nth=0")
    expect(start.locator("tbody .field-dsp_id").first).to_have_text("a")


def test_pages_are_no_wider_than_the_screen(start, live_server):
    for path in ("", "catalogue/resource/", "catalogue/resource/page/?dsp=Spotify&dsp_id=a", "catalogue/resource/top/"):
        start.set_viewport_size({"width": 1280, "height": 900})
        start.goto(f"{live_server.url}/admin/{path}")
        assert start.evaluate("document.documentElement.scrollWidth") <= 1280, path
        start.set_viewport_size({"width": 390, "height": 900})
        start.wait_for_function("() => document.documentElement.scrollWidth <= 390")
