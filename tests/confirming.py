"""Pages of the admin that people confirm or edit: tests send back what the page shows, as a browser does."""

import html
import re


def shown_on(page):
    """The hidden field of a page with the digest of what it shows, or nothing."""
    found = re.search('name="shown" value="([0-9a-f]*)"', page.content.decode())
    return {"shown": found[1]} if found else {}


def confirm_deletion(client, path, **options):
    """Open the page of a deletion, and confirm it."""
    return client.post(path, {"post": "yes"} | shown_on(client.get(path)), **options)


def confirm_action(client, path, form, **options):
    """Start the action that deletes, and confirm what its page shows."""
    page = client.post(path, {name: value for name, value in form.items() if name != "post"})
    return client.post(path, form | shown_on(page), **options)


def save(client, path, form, **options):
    """Open the page of an object, and save it with some values."""
    return client.post(path, form | shown_on(client.get(path)), **options)


def save_confirmed(client, path, form, **options):
    """Save an object whose page asks for a confirmation of the DSRs concerned, and confirm just what it shows."""
    page = client.post(path, form | shown_on(client.get(path)))
    return client.post(path, hidden_fields(page), **options)


def hidden_fields(page):
    """The hidden fields of the last form of a page, but for its token."""
    found = re.findall('<input type="hidden" name="([^"]*)" value="([^"]*)">', page.content.decode())
    return {name: html.unescape(value) for name, value in found if name != "csrfmiddlewaretoken"}
