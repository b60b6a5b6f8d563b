"""Steps that the browser tests share."""

from urllib.parse import urljoin

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Page, expect


def signed_in(page: Page, address: str, heading: str) -> Page:
    """The page of the admin at an address, with the session of the superuser. It must have the heading."""
    client = Client()
    client.force_login(User.objects.get(username="admin"))
    name = settings.SESSION_COOKIE_NAME
    page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": urljoin(address, "/")}])
    page.goto(address)
    return _with_heading(page, heading)


def signed_in_by_form(page: Page, address: str, heading: str) -> Page:
    """The same, after signing in as a person does."""
    page.goto(address)
    page.fill("#id_username", "admin")
    page.fill("#id_password", "password")
    page.click("text=Log in")
    return _with_heading(page, heading)


def _with_heading(page: Page, heading: str) -> Page:
    expect(page.locator("h1")).to_have_text(heading)
    return page


WIDTHS = [1280, 390]


def widths(page: Page) -> list[int]:
    """The widths of a page on a large and on a small screen. A page that fits has the widths of the screens."""
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        found.append(page.evaluate("document.documentElement.scrollWidth"))
    page.set_viewport_size({"width": WIDTHS[0], "height": 800})
    return found
