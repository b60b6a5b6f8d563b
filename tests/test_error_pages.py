"""The admin's own error pages: page not found, permission denied, and server error."""

import re

import pytest
from django.contrib import admin
from django.test import Client

from tests.catalogue.helpers import staff_with

pytestmark = pytest.mark.django_db


def heading(response):
    text = response.content.decode()
    assert '<div id="site-name"><a href="/admin/">dsrhub</a></div>' in text
    assert "dsrhub/admin.css" in text
    return re.search("<h[12]>(.*?)</h[12]>", text)[1]


@pytest.mark.parametrize("path", ["/admin/catalogue/nowhere/", "/admin/catalogue/dsr/1/lines/", "/admin/nowhere"])
def test_a_missing_page(admin_client, path):
    response = admin_client.get(path)
    assert (response.status_code, heading(response)) == (404, "Page not found")


def test_a_page_without_the_permission(client):
    client.force_login(staff_with())
    response = client.get("/admin/catalogue/dsr/")
    assert (response.status_code, heading(response)) == (403, "Forbidden")


def test_a_server_error(admin_user, monkeypatch):
    client = Client(raise_request_exception=False)
    client.force_login(admin_user)

    def breaks(request):
        raise RuntimeError("secret")

    monkeypatch.setattr(admin.site, "each_context", breaks)
    response = client.get("/admin/catalogue/dsr/")
    assert (response.status_code, heading(response)) == (500, "Server Error <em>(500)</em>")
    assert "secret" not in response.content.decode()
