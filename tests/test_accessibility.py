"""Accessibility: axe-core finds nothing serious in any page, on large and small screens, in light and dark colours.

The pages of Swagger and GraphiQL are not ours. docs/development.md lists what is at fault there.
"""

import pytest
from django.conf import settings
from django.core.management import call_command
from django.urls import reverse

from catalogue.dsrs.services import dsr_delete
from catalogue.exceptions import ReportRefused
from catalogue.models import DSR, ImportJob, OperatorRate, ReportMessage, SupersededDSR, Template
from catalogue.report_templates.services import template_save
from dsrhub.models import ApiKey
from dsrhub.pages.navigation import GROUPS
from dsrhub.webhooks.delivering import answer_note
from dsrhub.webhooks.models import Delivery, Webhook
from dsrhub.webhooks.sending import Answer
from subscriptions.models import Subscription
from tests import recipes as dsrhub_recipes
from tests.browser import signed_in
from tests.catalogue import recipes
from tests.catalogue.helpers import import_report, line, write_report
from tests.catalogue.report_templates.helpers import csv_text, sale
from tests.catalogue.reports.formats.templates.definitions import TONBANK
from tests.programs import missing
from tests.subscriptions import recipes as usage_recipes
from tests.waiting import PATIENCE
from tests.webhooks import recipes as webhook_recipes
from tests.webhooks.helpers import delivery_of, write

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

AXE = settings.BASE_DIR / "tests" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
# The rules of WCAG 2.2 A and AA, and those of good practice.
CHECK = """async ({ only, without }) => {
    const options = only ? { runOnly: { type: "rule", values: only } } : {};
    const context = { include: [["html"]], exclude: without.filter((one) => document.querySelector(one)) };
    const found = await axe.run(context, { ...options, preload: false, resultTypes: ["violations"] });
    return found.violations
        .filter((one) => ["serious", "critical"].includes(one.impact))
        .map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join(" | ")}`);
}"""
NOT_OURS = {"docs", "graphql"}
# The time of axe grows with what a page has. All rows of a table come from one template, so some of them do; and the
# sidebar, the same in all pages, is checked in one of them.
FEWER_ROWS = """document.querySelectorAll("tbody").forEach(
    (table) => [...table.rows].slice(6).forEach((row) => row.remove())
)"""
START, SIDEBAR = "/admin/", "#nav-sidebar"


def addresses():
    """All pages of the navigation, and those of one object of each kind."""
    lists = [reverse(page.view) for _label, pages in GROUPS for page in pages if page.view not in NOT_OURS]
    ingested, failed = DSR.objects.ingested().order_by("pk")[0], DSR.objects.failed()[0]
    objects = [
        reverse("admin:catalogue_dsr_change", args=[ingested.pk]),
        reverse("admin:catalogue_dsr_change", args=[failed.pk]),
        reverse("admin:catalogue_dsr_lines", args=[ingested.pk]),
        reverse("admin:catalogue_dsr_delete", args=[ingested.pk]),
        reverse("admin:catalogue_dsr_export"),
        reverse("admin:catalogue_dsr_upload", args=[ImportJob.objects.all()[0].upload]),
        reverse("admin:catalogue_reportmessage_change", args=[ReportMessage.objects.all()[0].pk]),
        reverse("admin:catalogue_supersededdsr_change", args=[SupersededDSR.objects.all()[0].pk]),
        reverse("admin:catalogue_operatorrate_add"),
        reverse("admin:catalogue_operatorrate_change", args=[OperatorRate.objects.all()[0].pk]),
        reverse("admin:catalogue_template_sample"),
        reverse("admin:catalogue_template_change", args=[Template.objects.get(name="Tonbank").pk]),
        reverse("admin:catalogue_template_history", args=[Template.objects.get(name="Tonbank").pk]),
        reverse("admin:catalogue_template_import"),
        reverse("admin:catalogue_resource_page", query={"dsp": "Spotify", "dsp_id": "a"}),
        reverse("admin:catalogue_dsr_breakdown", query={"by": "territory", "then_by": "month"}),
        reverse("admin:subscriptions_subscription_change", args=[Subscription.objects.all()[0].pk]),
        reverse("admin:webhooks_webhook_change", args=[Webhook.objects.all()[0].pk]),
        reverse("admin:webhooks_delivery_change", args=[Delivery.objects.all()[0].pk]),
        reverse("admin:auth_user_add"),
        reverse("admin:dsrhub_apikey_add"),
        reverse("admin:dsrhub_apikey_rotate", args=[ApiKey.objects.all()[0].pk]),
        reverse("admin:password_change"),
        reverse("admin:search", query={"q": "a"}),
        "/admin/no-such-page/",
    ]
    return ["/", START, *lists, *objects]


@pytest.fixture
def _rows(tmp_path, admin_client):
    call_command("import_dsr", str(settings.BASE_DIR / "data"))
    import_report(tmp_path, "Spotify_Kids_FR_EUR_20200101-20200131.tsv", line("a", "Zebra", "Ana", "", "10", "15"))
    for name in ("Spotify_Kids_ES_EUR_20200101-20200131.tsv", "Spotify_Kids_ES_EUR_20200201-20200229.tsv"):
        with pytest.raises(ReportRefused):
            import_report(tmp_path, name, line("b", usages="x"), line("c", revenue="1,5"))
    dsr_delete(dsr_number=import_report(tmp_path, "Spotify_Kids_PT_EUR_20200101-20200131.tsv", line("a")).pk)
    recipes.operator_rate.make()
    template_save(name="Tonbank", definition=TONBANK)
    usage_recipes.daily_usage.make()
    dsrhub_recipes.key.make()
    usage_recipes.price_limit.make()
    usage_recipes.limit_crossing.make()
    webhook_recipes.webhook.make()
    answer_note(Webhook.objects.get().pk, delivery_of(write()).pk, Answer(status=500, body="broken"))
    files = [
        write_report(tmp_path, "Spotify_Kids_FR_EUR_20200101-20200131.tsv", line("a", "Zebra", "Ana", "", "11", "16")),
        write_report(tmp_path, "Spotify_Kids_FR_EUR_20200201-20200229.tsv", line("b", usages="x")),
    ]
    with files[0].open("rb") as first, files[1].open("rb") as second:
        form = {"import_file": [first, second], "format": "0"}
        assert admin_client.post(reverse("admin:catalogue_dsr_import"), form).status_code == 302


# Colours differ by scheme, and all else by width: so two screens have all colours and all widths. What is seen at one
# width alone, the sidebar and its button, is in each page, and one page is checked in each scheme at each width.
COLORS = ["color-contrast", "link-in-text-block"]
SCREENS = [(1280, "light", None), (390, "dark", None)]
OTHER_SCREENS = [(1280, "dark", COLORS), (390, "light", COLORS)]


@pytest.fixture
def page(browser):
    """A page without the content security policy, which forbids the styles with which axe measures."""
    context = browser.new_context(bypass_csp=True)
    context.set_default_timeout(PATIENCE * 1000)
    yield context.new_page()
    context.close()


def editor_with_a_sample(page, server):
    """The address of the editor of a template with a sample that has a value that no map knows."""
    page.goto(f"{server}{reverse('admin:catalogue_template_sample')}")
    text = csv_text([sale(), sale(country="Neverland")]).encode()
    page.set_input_files("#id_sample", {"name": "tonbank.csv", "mimeType": "text/csv", "buffer": text})
    page.click("input[value=Upload]")
    page.fill("#id_sender", "Tonbank")
    page.fill("#id_fields-offer-constant", "All")
    page.click("input[name=_check]")
    page.wait_for_selector("#check-unmapped")
    return page.url.removeprefix(server)


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.usefixtures("_rows")
def test_axe_finds_nothing_serious(live_server, page, half):
    if not AXE.exists():
        missing(f"there is no {AXE}: run `npm ci --prefix tests/axe`")
    axe = AXE.read_text()
    signed_in(page, f"{live_server.url}/admin/", "Digital Sales Reports")
    found = {}
    of_sample = [editor_with_a_sample(page, live_server.url)] if half else []
    for address in [*addresses()[half::2], *of_sample]:
        page.goto(f"{live_server.url}{address}")
        page.evaluate(FEWER_ROWS)
        page.evaluate(axe)
        without = [] if address == START else [SIDEBAR]
        # A colour that is fading has no contrast yet.
        page.add_style_tag(content="* { transition: none !important }")
        for width, scheme, rules in [*SCREENS, *(OTHER_SCREENS if address == START else [])]:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            if violations := page.evaluate(CHECK, {"only": rules, "without": without}):
                found[f"{address} at {width}, {scheme}"] = violations
    assert not found, "\n".join(f"{place}: {said}" for place, said in found.items())
