"""The playground in a browser: its examples work with the samples, under the content security policy of all pages.

The fixture `page` fails a test that logs an error to the console or sends a request to another host.
"""

import io

import pytest
from django.conf import settings
from django.core.management import call_command
from playwright.sync_api import expect

from subscriptions.limits.following import limits_follow
from tests.browser import signed_in, signed_in_by_form
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

EDITOR = "document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror"
# The name of each example, and a part of its answer, taken from the sample files and the sample usage.
EXAMPLES = {
    "TopPercentile": '"revenueEur": "34221.1276633990039"',
    "OneResource": '"revenue": "21571.474227928647"',
    "UsageByMonth": '"usages": "1094017203"',
    "Statistics": '"name": "Switzerland"',
    "SubscriptionUsage": '"totalPrice": "2.88"',
    "SetPriceLimit": '"since": "2020-02-01"',
    "PriceLimits": '"totalCount": 20',
}


def wait_until(page, condition):
    """Wait until a condition of the editor holds. Playwright's own wait needs `eval`, which the policy forbids."""
    page.evaluate(f"""() => new Promise((resolve, reject) => {{
        const look = () => {EDITOR}.{condition} ? resolve() : requestAnimationFrame(look);
        setTimeout(reject, {PATIENCE * 1000}, new Error("condition not met: " + {condition!r}));
        look();
    }})""")


@pytest.fixture
def playground(live_server, page):
    return opened(page, f"{live_server.url}/graphql")


def opened(page, address):
    """Open the page and wait until its editor has loaded the schema."""
    page.goto(address)
    expect(page.locator(".graphiql-query-editor .CodeMirror-line").first).to_be_visible()
    wait_until(page, "options.hintOptions.schema")
    return page


def execute(playground, name):
    """Press the button after GraphiQL has parsed the text, which it does with a short delay."""
    wait_until(playground, f"operationName === {name!r}")
    playground.click(".graphiql-execute-button")


def response(playground):
    """The visible part of the answer: CodeMirror renders only the lines in sight."""
    return playground.locator(".result-window .CodeMirror-code")


def test_each_example_works_on_the_samples(page, live_server, admin_user):
    call_command("import_dsr", str(settings.BASE_DIR / "data"), jobs=1)  # so their ids are in the order of the names
    call_command("add_sample_usage", stdout=io.StringIO())
    signed_in(page, f"{live_server.url}/admin/", "Digital Sales Reports")
    playground = opened(page, f"{live_server.url}/graphql")
    tabs = playground.locator(".graphiql-tab-button")
    expect(tabs).to_have_text(list(EXAMPLES))
    for name, answer in EXAMPLES.items():
        playground.click(f".graphiql-tab-button:text-is('{name}')")
        execute(playground, name)
        expect(response(playground)).to_contain_text('"data"')
        playground.evaluate("document.querySelector('.result-window .CodeMirror').CodeMirror.setSize(null, 4000)")
        expect(response(playground)).to_contain_text(answer)
        expect(response(playground)).not_to_contain_text('"errors"')
        limits_follow()  # as a worker does


def test_the_documentation_shows_the_schema(playground):
    playground.click("[aria-label='Show Documentation Explorer']")
    docs = playground.locator(".graphiql-doc-explorer")
    docs.locator("a:text-is('Query')").click()
    expect(docs).to_contain_text("topResources")
    docs.locator("a:text-is('topResources')").click()
    expect(docs).to_contain_text("The highest-earning resources that together make N % of the revenue")


def test_the_playground_uses_the_session(playground, live_server, admin_user):
    signed_in_by_form(playground, f"{live_server.url}/admin/", "Digital Sales Reports")
    opened(playground, f"{live_server.url}/graphql")
    query = 'mutation Delete { deleteDsr(id: "1") { id } }'
    playground.evaluate(f"{EDITOR}.setValue({query!r})")
    execute(playground, "Delete")
    expect(response(playground)).to_contain_text("dsr_not_found")


def test_the_editor_completes_and_checks_the_query(playground):
    playground.click(".graphiql-query-editor .CodeMirror-line >> nth=6")
    playground.keyboard.press("End")
    playground.keyboard.press("Enter")
    playground.keyboard.type("res")
    expect(playground.locator(".CodeMirror-hints")).to_contain_text("resource")
    playground.keyboard.press("Escape")
    playground.keyboard.type("x ")
    expect(playground.locator(".CodeMirror-lint-mark-error").first).to_be_visible()


def test_its_dialogs_open(playground):
    for dialog in ("Open settings dialog", "Open short keys dialog"):
        playground.click(f"[aria-label='{dialog}']")
        expect(playground.locator("[role=dialog]")).to_be_visible()
        playground.keyboard.press("Escape")
        expect(playground.locator("[role=dialog]")).to_have_count(0)


def test_it_fits_the_window(playground):
    execute(playground, "TopPercentile")
    expect(response(playground)).to_contain_text('"data"')
    for width, height in ((1280, 800), (390, 844)):
        playground.set_viewport_size({"width": width, "height": height})
        parts = [playground.locator(part).bounding_box() for part in (".graphiql-editors", ".graphiql-response")]
        assert min(part[side] for part in parts for side in ("width", "height")) > 250
        size = playground.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert size == [width, height]
