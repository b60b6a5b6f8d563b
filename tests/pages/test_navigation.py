"""The navigation of the admin, and the first page of the site."""

import html
import json
import re

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils.html import escape, strip_tags
from playwright.sync_api import expect

from dsrhub.pages.navigation import GROUPS
from tests import recipes
from tests.browser import signed_in
from tests.catalogue.helpers import staff_with
from tests.test_access import ADMIN_ROUTES

pytestmark = pytest.mark.django_db

# Pages without an object that are reached from others, and what is no page.
REACHED_FROM_OTHERS = re.compile(
    r"admin/$|/(add|export|process_import|process_export)/$|/import/$"
    r"|^admin/catalogue/(resource/page|operatorrate/currencies|dsr/folders/retry|template/sample|template/check)/$|^admin/(login|logout|password_change|password_change/done|autocomplete|jsi18n|language|search|catalogue|subscriptions|auth|dsrhub|webhooks)/$"
)


def links(response):
    content = response.content.decode()
    sidebar = content[content.index('id="nav-sidebar"') :]
    return re.findall(r'<th scope="row"><a href="([^"]+)"( aria-current="page")?>', sidebar[: sidebar.index("</nav>")])


def test_it_has_every_page_of_the_admin_once():
    views = [page.view for _label, pages in GROUPS for page in pages]
    assert len(views) == len(set(views))
    addresses = {reverse(view).removeprefix("/") for view in views}
    plain = {route for route in ADMIN_ROUTES if not re.search(r"[<(]", route)}
    assert {route for route in plain - addresses if not REACHED_FROM_OTHERS.search(route)} == set()


@pytest.mark.parametrize(
    "permission", ["view_dsr", "view_resource", "import_dsr", "view_operatorrate", "view_ecbrate", None]
)
def test_users_see_only_what_they_may_open(client, permission):
    client.force_login(staff_with(*[permission] if permission else []))
    found = [address for address, _ in links(client.get("/admin/search/?q=x"))]
    assert found[-2:] == ["/docs/", "/graphql"]
    assert {client.get(address).status_code for address in found[:-2]} <= {200}
    assert (reverse("admin:catalogue_dsr_breakdown") in found) == (permission == "view_dsr")
    # The top needs the permission to view amounts as well.
    assert reverse("admin:catalogue_resource_top") not in found


def test_all_pages_are_there_with_all_permissions(client):
    user = recipes.staff.make()
    user.user_permissions.set(Permission.objects.all())
    client.force_login(user)
    found = [address for address, _ in links(client.get("/admin/"))]
    assert found == [reverse(page.view) for _label, pages in GROUPS for page in pages]


@pytest.mark.parametrize(
    ("address", "current"),
    [
        ("/admin/catalogue/dsr/?status__exact=failed", "/admin/catalogue/dsr/"),
        ("/admin/catalogue/dsr/breakdown/", "/admin/catalogue/dsr/breakdown/"),
        ("/admin/catalogue/resource/top/", "/admin/catalogue/resource/top/"),
        ("/admin/auth/user/add/", "/admin/auth/user/"),
    ],
)
def test_the_current_place_is_marked(admin_client, address, current):
    assert [found for found, mark in links(admin_client.get(address)) if mark] == [current]


def test_elsewhere_no_place_is_marked(admin_client):
    assert not [found for found, mark in links(admin_client.get("/admin/")) if mark]


def test_who_is_not_signed_in_sees_no_navigation(client):
    assert "nav-sidebar" not in client.get("/admin/login/").content.decode()


# What is no page of the admin has a heading of its own.
OF_OTHERS = {"docs", "graphql"}


def names_of(response):
    """The heading of a page, its title in the browser, and the last place of its breadcrumbs."""
    content = response.content.decode()
    (heading,) = re.findall(r"<h1[^>]*>(.*?)</h1>", content)
    (title,) = re.findall(r"<title>\s*(.*?) \|", content)
    (places,) = re.findall(r'<div class="breadcrumbs">(.*?)</div>', content, re.DOTALL)
    last = strip_tags(places.split("&rsaquo;")[-1]).strip()
    return [html.unescape(name) for name in (heading, title, last)]


def test_a_page_has_the_name_that_it_has_in_the_navigation(admin_client):
    labels = {page.view: str(page.label) for _, pages in GROUPS for page in pages if page.view not in OF_OTHERS}
    assert {view: names_of(admin_client.get(reverse(view))) for view in labels} == {
        view: [label] * 3 for view, label in labels.items()
    }


# --- The first page of the site --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ("application/json", True),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("*/*", False),
        ("", False),
        ("text/html;q=0.5, application/json", True),
    ],
)
def test_people_get_a_page_and_programs_json(client, accept, is_json):
    response = client.get("/", headers={"Accept": accept})
    assert response.status_code == 200
    assert "Accept" in response["Vary"]
    assert (response["Content-Type"] == "application/json") == is_json


@pytest.mark.usefixtures("_reports")
def test_each_address_of_the_first_page_answers(client):
    places = json.loads(client.get("/", headers={"Accept": "application/json"}).content)
    assert places.pop("name") == "dsrhub"
    page = client.get("/").content.decode()
    for name, address in places.items():
        path = address.removeprefix("http://testserver")
        answer = client.get(path, headers={"Accept": "text/html"} if name == "graphql" else {})
        assert answer.status_code == (302 if name == "admin" else 200), name
        assert f'href="{escape(path)}"' in page


def test_the_first_page_leads_in(client, admin_user):
    assert "/admin/login/?next=/admin/" in client.get("/").content.decode()
    client.force_login(admin_user)
    page = client.get("/").content.decode()
    assert "Open the back office" in page
    assert "nav-sidebar" in page


# --- In a browser ----------------------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_reports")
def test_the_keyboard_leads_everywhere(live_server, page, admin_user):
    signed_in(page, f"{live_server.url}/admin/", "Digital Sales Reports")
    page.keyboard.press("/")
    page.keyboard.type("coeur/")
    expect(page.locator("#site-search")).to_have_value("coeur/")
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Cœur brisé").click()
    expect(page.locator("h1")).to_have_text("Cœur brisé")
    # The sidebar folds, and stays folded on the next page.
    page.get_by_role("button", name="Toggle navigation").click()
    expect(page.get_by_role("link", name="Breakdown")).to_be_hidden()
    page.reload()
    expect(page.get_by_role("button", name="Toggle navigation")).to_have_attribute("aria-expanded", "false")
    page.get_by_role("button", name="Toggle navigation").press("Enter")
    expect(page.get_by_role("link", name="Breakdown")).to_be_visible()

    page.set_viewport_size({"width": 390, "height": 800})
    menu = page.get_by_role("button", name="Menu")
    expect(page.get_by_role("link", name="Breakdown")).to_be_hidden()
    menu.press("Enter")
    page.keyboard.type("break")
    expect(page.get_by_role("link", name="Coverage")).to_be_hidden()
    page.get_by_role("link", name="Breakdown").press("Enter")
    expect(page.locator("h1")).to_have_text("Breakdown")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    menu.click()
    page.keyboard.press("Escape")
    expect(menu).to_be_focused()
    expect(menu).to_have_attribute("aria-expanded", "false")
