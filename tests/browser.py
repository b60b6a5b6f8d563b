"""Steps that the browser tests share."""

from playwright.sync_api import Page, expect


def signed_in(page: Page, address: str, heading: str) -> Page:
    """The page of the admin at an address, after signing in. It must have the heading."""
    page.goto(address)
    page.fill("#id_username", "admin")
    page.fill("#id_password", "password")
    page.click("text=Log in")
    expect(page.locator("h1")).to_have_text(heading)
    return page
