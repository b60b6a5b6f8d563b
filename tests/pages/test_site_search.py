"""The search of the admin's header."""

import html
import re
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dsrhub.database.time_limits import OutOfTime
from dsrhub.pages import site_search
from dsrhub.stores.addresses import parsed_address
from dsrhub.webhooks.models import Webhook
from tests import recipes
from tests.catalogue import recipes as catalogue_recipes
from tests.catalogue.helpers import ES_JANUARY, staff_with
from tests.subscriptions import recipes as subscription_recipes

pytestmark = pytest.mark.django_db


def found(response):
    """The links of each part of the page."""
    parts = re.findall(r'<section class="part">\s*<h2>(.*?)</h2>(.*?)</section>', response.content.decode(), re.DOTALL)
    return {title: re.findall(r'<li><a href="[^"]*">(.*?)</a>', part) for title, part in parts}


def nothing_in(response):
    """The kinds of which the page says that nothing is found."""
    texts = re.findall(r'<p id="nothing-in">Nothing found in: (.*)\.</p>', response.content.decode())
    return [kind for text in texts for kind in text.split(", ")]


KINDS = [
    *("Recordings", "DSRs", "Rejected deliveries", "Templates", "Subscriptions", "Price limits", "API keys"),
    *("Webhooks", "Pages"),
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("coeur", {"Recordings": ["Cœur brisé"]}),
        ("es-abc-20-00001", {"Recordings": ["Cœur brisé"]}),
        ("FamilyPlan", {"DSRs": [ES_JANUARY]}),
        ("breakd", {"Pages": ["Breakdown"]}),
        # Words of a group find its pages.
        ("rates", {"Pages": ["Operator rates", "ECB rates", "Rate changes", "Currencies", "Territories"]}),
        ("data usage", {"Pages": ["Data usage records"]}),
        ("nowhere", {}),
    ],
)
@pytest.mark.usefixtures("_reports")
def test_it_finds_recordings_dsrs_and_pages(admin_client, text, expected):
    response = admin_client.get("/admin/search/", {"q": text})
    assert (response.status_code, found(response)) == (200, expected)
    assert nothing_in(response) == [kind for kind in KINDS if kind not in expected]


@pytest.mark.usefixtures("_reports")
def test_it_finds_only_what_a_user_may_see(client):
    client.force_login(staff_with("view_resource"))
    response = client.get("/admin/search/?q=a1")
    assert (found(response), nothing_in(response)) == ({"Recordings": ["Cœur brisé"]}, ["Pages"])
    client.logout()
    assert client.get("/admin/search/?q=a1").status_code == 302


@pytest.fixture
def written():
    """A row of each kind that people write, and of rejected deliveries, by the title of its kind."""
    template = catalogue_recipes.template.make(name="Monthly sales")
    catalogue_recipes.template_version.make(template=template, definition={"sender": "Tönbank"})
    subscription = subscription_recipes.subscription.make(pk=4711, carrier="sprint")
    return {
        "Rejected deliveries": catalogue_recipes.rejected_delivery.make(name="lost_Duo.tsv"),
        "Templates": template,
        "Subscriptions": subscription,
        "Price limits": subscription_recipes.price_limit.make(subscription=subscription),
        "API keys": recipes.key.make(name="nightly meter", prefix="dsrhub_0123456789ab"),
        "Webhooks": Webhook.objects.create(name="ledger", url="https://books.example/x", events=["dsr.ingested"]),
    }


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("lost_duo", ["Rejected deliveries"]),
        ("monthly", ["Templates"]),
        ("tonbank", ["Templates"]),
        ("4711", ["Subscriptions", "Price limits"]),
        ("meter", ["API keys"]),
        ("dsrhub_0123", ["API keys"]),
        ("ledger", ["Webhooks"]),
        ("books.example", ["Webhooks"]),
    ],
)
def test_it_finds_what_people_write_by_its_names(admin_client, written, text, kinds):
    response = admin_client.get("/admin/search/", {"q": text})
    assert list(found(response)) == kinds
    for kind in kinds:
        row = written[kind]
        address = reverse(f"admin:{row._meta.label_lower.replace('.', '_')}_change", args=[row.pk])
        assert f'<li><a href="{address}">' in response.content.decode()
        # The list of all finds it, too.
        (of_all,) = re.findall(rf'<a href="([^"]*)">{kind}: all results', response.content.decode())
        assert list(admin_client.get(html.unescape(of_all)).context["cl"].result_list) == [row]


def test_it_finds_the_limits_of_a_carrier(admin_client):
    subscription_recipes.price_limit.make(carrier="att")
    subscription_recipes.price_limit.make(carrier="sprint")
    subscription_recipes.price_limit.make()
    response = admin_client.get("/admin/search/", {"q": "at&t"})
    assert found(response) == {"Price limits": ["AT&amp;T, data, total"]}
    assert [
        str(one) for one in admin_client.get("/admin/subscriptions/pricelimit/?q=SPR").context["cl"].result_list
    ] == ["Sprint, data, total"]


@pytest.mark.parametrize(
    ("permission", "kind"),
    [
        ("view_rejecteddelivery", "Rejected deliveries"),
        ("view_template", "Templates"),
        ("view_subscription", "Subscriptions"),
        ("view_pricelimit", "Price limits"),
        ("view_apikey", "API keys"),
        ("view_webhook", "Webhooks"),
    ],
)
def test_each_kind_needs_the_permission_to_view_it(client, written, permission, kind):
    user = recipes.staff.make(username="ada")
    client.force_login(user)
    response = client.get("/admin/search/?q=4711")
    assert (found(response), nothing_in(response)) == ({}, ["Pages"])
    user.user_permissions.set(Permission.objects.filter(codename=permission))
    response = client.get("/admin/search/?q=4711")
    assert {*found(response), *nothing_in(response)} == {kind, "Pages"}


def test_it_leads_to_the_search_of_drop_folders_without_reading_them(client, settings):
    settings.DSRHUB_FOLDERS = [parsed_address("sftp://nobody@203.0.113.1/incoming")]
    client.force_login(staff_with("import_dsr"))
    response = client.get("/admin/search/?q=lost_Duo.tsv")
    assert found(response) == {"Drop folders": []}
    assert 'href="/admin/catalogue/dsr/folders/?q=lost_Duo.tsv"' in response.content.decode()
    client.force_login(recipes.staff.make())
    assert found(client.get("/admin/search/?q=lost_Duo.tsv")) == {}


def test_a_kind_that_takes_too_long_leads_to_its_list(admin_client, monkeypatch):
    @contextmanager
    def out_of_time(seconds):
        raise OutOfTime
        yield

    monkeypatch.setattr(site_search, "answered_within", out_of_time)
    response = admin_client.get("/admin/search/?q=meter")
    assert {"DSRs", "Templates", "API keys"} <= found(response).keys()
    assert response.content.decode().count("The search takes too long here.") == len(KINDS) - 2
    assert 'href="/admin/dsrhub/apikey/?q=meter"' in response.content.decode()


@pytest.mark.parametrize("query", ["", "?q=", "?q=%20", f"?q={'x' * 1001}"])
def test_without_a_text_it_asks_for_one(admin_client, query):
    response = admin_client.get(f"/admin/search/{query}")
    assert (response.status_code, found(response)) == (400, {})


def test_it_takes_the_same_number_of_queries_for_1_and_for_100_dsrs(admin_client):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert len(found(admin_client.get("/admin/search/?q=Premium"))["DSRs"]) in (1, 10)
        return len(captured)

    catalogue_recipes.dsr.make(path="Premium 0")
    queries()
    for_one = queries()
    catalogue_recipes.dsr.make(
        path=iter(f"Premium {n}" for n in range(1, 100)), offer=iter(map(str, range(99))), _quantity=99
    )
    assert queries() == for_one


def test_it_takes_the_same_number_of_queries_for_one_and_for_many_of_each_kind(admin_client):
    def make(start, stop):
        for number in range(start, stop):
            name = f"sprint {number:02}"
            template = catalogue_recipes.template.make(name=name)
            catalogue_recipes.template_version.make(template=template, definition={"sender": "Tonbank"})
            recipes.key.make(name=name, user=recipes.user.make(username=name))
            Webhook.objects.create(name=name, url="https://books.example/x", events=["dsr.ingested"])
            catalogue_recipes.rejected_delivery.make(name=name)

    def queries():
        with CaptureQueriesContext(connection) as captured:
            links = found(admin_client.get("/admin/search/?q=sprint"))
        return len(captured), {kind: len(of_kind) for kind, of_kind in links.items()}

    make(0, 1)
    subscription_recipes.price_limit.make(carrier="sprint", usage_type="data")
    queries()
    count, links = queries()
    kinds = ["Rejected deliveries", "Templates", "Price limits", "API keys", "Webhooks"]
    assert links == dict.fromkeys(kinds, 1)
    make(1, 12)
    subscription_recipes.price_limit.make(carrier="sprint", usage_type="voice")
    assert queries() == (count, dict.fromkeys(kinds, 10) | {"Price limits": 2})
