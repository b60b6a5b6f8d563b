"""The admin in a browser, under the content security policy and without requests to other hosts.

The fixture `page` fails a test that logs an error to the console or sends a request to another host.
"""

from decimal import Decimal

import pytest
from playwright.sync_api import expect

from catalogue.models import DSR, OperatorRate
from tests.browser import signed_in
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FR_JANUARY = "Spotify_SpotifyDuo_FR_EUR_20200101-20200131.tsv"


@pytest.fixture
def admin(live_server, page, admin_user):
    """The start page of the admin, signed in."""
    return signed_in(page, f"{live_server.url}/admin/", "Digital Sales Reports")


def expect_column(admin, name, *texts):
    expect(admin.locator(f"tbody .field-{name}")).to_have_text(list(texts))


def test_a_dsr_can_be_found_viewed_and_deleted_and_others_by_the_action(admin, live_server, tmp_path):
    for name in (ES_JANUARY, FR_JANUARY):
        import_report(tmp_path, name, line("a"))
    dsr = import_report(tmp_path, NO_JANUARY, *(line(f"id{number}", revenue="0.5") for number in range(2, 303)))
    admin.click('#nav-sidebar >> text="DSRs"')
    expect_column(admin, "path", NO_JANUARY, FR_JANUARY, ES_JANUARY)
    admin.click("#filters > summary")
    admin.click("#changelist-filter >> text=NO Norway")
    expect_column(admin, "path", NO_JANUARY)
    expect_column(admin, "revenue", "150.50 NOK reported")

    admin.click(f"text={NO_JANUARY}")
    admin.click(".field-lines a")
    expect_column(admin, "dsp_id", *(f"id{number}" for number in range(2, 202)))
    admin.click("text=Next page")
    expect_column(admin, "dsp_id", *(f"id{number}" for number in range(202, 303)))
    expect(admin.locator("text=Next page")).to_have_count(0)
    admin.fill("#id_after", "300")
    admin.click("text=Show")
    expect_column(admin, "line_number", "301", "302")

    admin.click(f".breadcrumbs >> text={NO_JANUARY}")
    admin.click("a.deletelink")
    expect(admin.locator("#content")).to_contain_text("Lines: 301")
    expect(admin.locator("#content")).to_contain_text("Revenue in NOK: 150.5")
    assert DSR.objects.filter(pk=dsr.pk).exists()
    admin.click("text=Yes, I’m sure")
    expect(admin.locator(".messagelist")).to_contain_text(f"The DSR “{NO_JANUARY}” was deleted successfully.")
    expect_column(admin, "path", FR_JANUARY, ES_JANUARY)
    assert {dsr.path for dsr in DSR.objects.all()} == {FR_JANUARY, ES_JANUARY}

    for answer in ("No, take me back", "Yes, I’m sure"):
        assert DSR.objects.count() == 2
        admin.goto(f"{live_server.url}/admin/catalogue/dsr/")
        admin.check("#action-toggle")
        admin.select_option("[name=action]", "delete_selected")
        admin.click("button[name=index]")
        expect(admin.locator("#content")).to_contain_text("DSRs: 2")
        admin.click(f"text={answer}")
        expect(admin.locator("h1")).to_have_text("DSRs")
    expect(admin.locator(".messagelist li")).to_have_text(["Successfully deleted 2 DSRs.", "Take DSRs back"])
    assert not DSR.objects.exists()


def test_the_ticks_of_the_chart_of_rates_differ_and_a_rate_is_entered_with_the_calendar(admin, live_server):
    period = "currency=USD&period_start=2020-01-01&period_end=2020-01-31"
    admin.goto(f"{live_server.url}/admin/catalogue/operatorrate/add/?{period}")
    admin.wait_for_function("() => Chart.getChart(document.querySelector('canvas'))")
    ticks = admin.evaluate(
        "() => Chart.getChart(document.querySelector('canvas')).scales.y.ticks.map(one => one.label)"
    )
    assert "1.105" in ticks
    assert len(set(ticks)) == len(ticks) > 2

    admin.goto(f"{live_server.url}/admin/catalogue/operatorrate/add/")
    admin.click(".field-currency .select2-selection")
    admin.fill(".select2-search__field", "norw")
    admin.click(".select2-results__option >> text=Norwegian")
    for number, field in enumerate(("period_start", "period_end")):
        admin.click(f".field-{field} .date-icon")
        admin.click(f"#calendarbox{number} a:text-is('15')")
        assert admin.input_value(f"#id_{field}").endswith("-15")
    digits = "9." + "0123456789" * 4
    admin.fill("#id_rate", digits)
    admin.click("[name=_save]")
    expect(admin.locator(".messagelist")).to_contain_text("0 DSRs have a new rate.")
    assert str(OperatorRate.objects.get().rate) == digits


def test_the_list_of_dsrs_fits_a_laptop(admin, tmp_path):
    name = "YouTube_MusicPremium_TONO_NO_NOK_20200101-20200131.tsv.gz"
    recipes.dsr_of_message.make(
        path="DSR_SocietyX_Tonbank_TonbankPremium-TonbankFree_2020-01_multi_1of1_20200212T083000.tsv",
        offer="TonbankPremium-TonbankFree",
        commercial_model="AdvertisementSupportedModel",
        use_type="NonInteractiveStream",
        total_revenue=Decimal("6.666666666666"),
        unallocated_revenue=Decimal("3.333333333334"),
    )
    import_report(tmp_path, name, line(isrc="NO1", usages="12345", revenue="12345678901234567.2220446049250313"))
    admin.set_viewport_size({"width": 1366, "height": 768})
    admin.click('#nav-sidebar >> text="DSRs"')
    expect_column(
        admin,
        "revenue",
        "12,345,678,901,234,567.22 NOK reported",
        "6.67 NOK allocated; 3.33 NOK not allocated",
    )
    widths = "['#result_list', '#changelist-form .results'].map(part => document.querySelector(part).clientWidth)"
    table, available = admin.evaluate(widths)
    assert table <= available < 1366
