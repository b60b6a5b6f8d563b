"""The admin's own error pages. Each says what happened, and leads back to the work that waits."""

import re

import pytest
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from catalogue.models import DSR, ImportJob
from subscriptions.models import DataUsageRecord
from tests import recipes
from tests.catalogue.helpers import HEADER, NO_JANUARY, line, staff_with
from tests.subscriptions.helpers import subscribe

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


# --- Forms that are not processed ------------------------------------------------------------------------------

IMPORT = "/admin/catalogue/dsr/import/"
USAGE_IMPORT = "/admin/subscriptions/datausagerecord/import/"
ENDED = "Your session has ended. Nothing was changed: sign in and do it again."


@pytest.fixture
def ada(settings, tmp_path):
    """A superuser with a password."""
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"
    user = recipes.superuser.make(username="ada")
    user.set_password("password")
    user.save()
    return user


@pytest.fixture
def strict(ada):
    """A client like a browser: its forms need CSRF tokens. It is signed in."""
    client = Client(enforce_csrf_checks=True)
    sign_in(client, client.get("/admin/login/"))
    return client


def sign_in(client, page):
    values = {"username": "ada", "password": "password", "csrfmiddlewaretoken": csrf_token(page)}
    return client.post(page.wsgi_request.get_full_path(), values, follow=True)


def csrf_token(page):
    return re.search('name="csrfmiddlewaretoken" value="(.*?)"', page.content.decode())[1]


def report(name=NO_JANUARY):
    return SimpleUploadedFile(name, (HEADER + "\n" + line("a", revenue="1") + "\n").encode())


def upload(client, path, *files):
    values = {"import_file": files, "format": "0", "resource": "0"}
    values["csrfmiddlewaretoken"] = csrf_token(client.get(path))
    return client.post(path, values, follow=True)


def usage_file(someone):
    return SimpleUploadedFile(
        "usage.csv",
        b"subscription_id,usage_date,price,kilobytes_used\n%d,2026-01-05T12:00:00Z,1,1\n" % someone.pk,
    )


def confirmation(page):
    """The address and the values of the form that confirms an import."""
    text = page.content.decode()
    form = re.search('(<form[^>]* action="([^"]*process_import/[^"]*)".*?)</form>', text, re.DOTALL)
    names = re.findall('<input[^>]*name="([^"]*)"[^>]*value="([^"]*)"', form[1])
    return form[2].replace("&amp;", "&"), dict(names) | {"confirm": "yes"}


def text_of(response):
    return " ".join(re.sub("<[^>]+>", " ", response.content.decode()).split())


def test_too_many_files_in_one_upload(strict, settings):
    page = upload(strict, IMPORT, *[report() for _ in range(settings.DATA_UPLOAD_MAX_NUMBER_FILES + 1)])
    assert (page.status_code, heading(page)) == (400, "Not accepted")
    assert "You can upload at most 100 files at a time. Nothing was uploaded." in text_of(page)
    assert f'<a href="{IMPORT}">Back</a>' in page.content.decode()
    assert not ImportJob.objects.exists()


@pytest.mark.parametrize(
    ("content_type", "body", "said"),
    [
        ("application/x-www-form-urlencoded", "a=1&" * 1001, "The form has more than 1000 fields."),
        ("application/x-www-form-urlencoded", "a=" + "1" * 2_621_439, "The texts of the form are larger than 2.5"),
        ("multipart/form-data; boundary=b", "a" * 100, "The page is out of date"),
        ("multipart/form-data", "a" * 100, "The form arrived incomplete or damaged."),
    ],
)
def test_a_form_that_cannot_be_read(strict, content_type, body, said):
    page = strict.generic("POST", "/admin/catalogue/operatorrate/add/", body, content_type=content_type)
    assert page.status_code in (400, 403, 413)
    assert heading(page) == "Not accepted"
    assert said in text_of(page)
    assert '<a href="/admin/catalogue/operatorrate/add/">Back</a>' in page.content.decode()


def test_a_session_that_ends_before_the_confirmation_of_a_report(strict):
    address, values = confirmation(upload(strict, IMPORT, report()))
    del strict.cookies["sessionid"]
    page = strict.post(address, values, follow=True)
    assert ENDED in text_of(page)
    assert not DSR.objects.exists()
    page = sign_in(strict, page)
    assert page.status_code == 200
    assert "To be confirmed" in text_of(page)
    address, values = confirmation(page)
    assert strict.post(address, values, follow=True).status_code == 200
    assert DSR.objects.get().path == NO_JANUARY


def test_a_session_that_ends_before_the_confirmation_of_usage(strict):
    address, values = confirmation(upload(strict, USAGE_IMPORT, usage_file(subscribe())))
    del strict.cookies["sessionid"]
    page = strict.post(address, values, follow=True)
    assert ENDED in text_of(page)
    page = sign_in(strict, page)
    assert page.status_code == 200
    assert "usage.csv To be confirmed" in text_of(page)
    assert not DataUsageRecord.objects.exists()
    address, values = confirmation(page)
    assert strict.post(address, values).status_code == 302
    assert DataUsageRecord.objects.count() == 1
    # The file is gone now.
    page = strict.get(address, follow=True)
    assert page.redirect_chain == [(USAGE_IMPORT, 302)]
    assert "has already been confirmed, or is no longer stored." in text_of(page)


@pytest.mark.parametrize("query", ["", "?upload=", "?upload=nowhere", "?upload=../../etc"])
def test_the_address_of_a_confirmation_without_an_upload_leads_to_all_of_them(strict, query):
    page = strict.get(f"/admin/catalogue/dsr/process_import/{query}", follow=True)
    assert (page.status_code, page.redirect_chain[-1][0]) == (200, "/admin/catalogue/importjob/")


@pytest.mark.parametrize(
    "query",
    ["", "?import_file_name=../../etc/passwd&original_file_name=a", f"?import_file_name={'a' * 32}"],
)
def test_the_address_of_a_confirmation_without_a_usage_file_leads_to_the_form(strict, query):
    page = strict.get(f"/admin/subscriptions/datausagerecord/process_import/{query}", follow=True)
    assert (page.status_code, page.redirect_chain) == (200, [(USAGE_IMPORT, 302)])


def test_a_waiting_usage_file_that_is_refused_by_now(strict):
    someone = subscribe()
    page = upload(strict, USAGE_IMPORT, usage_file(someone))
    address, _ = confirmation(page)
    someone.delete()
    page = strict.get(address)
    assert "Refused" in text_of(page)
    assert "No subscription has this id." in text_of(page)
    assert f'<a href="{USAGE_IMPORT}">Import another file</a>' in page.content.decode()


def test_a_page_that_was_opened_before_another_sign_in(strict, ada):
    address, values = confirmation(upload(strict, IMPORT, report()))
    del strict.cookies["csrftoken"]
    del strict.cookies["sessionid"]
    sign_in(strict, strict.get("/admin/login/"))
    page = strict.post(address, values)
    assert (page.status_code, heading(page)) == (403, "Not accepted")
    assert "The page is out of date" in text_of(page)
    assert "CSRF token from POST incorrect." in text_of(page)
    assert not DSR.objects.exists()
    back = re.search('<a href="([^"]*)">Back</a>', page.content.decode())[1]
    assert "To be confirmed" in text_of(strict.get(back.replace("&amp;", "&"), follow=True))


def test_a_stale_sign_in_leads_to_its_page(strict):
    page = strict.post("/admin/login/?next=/admin/catalogue/dsr/", {"username": "ada", "password": "password"})
    assert page.status_code == 403
    back = re.search('<a href="([^"]*)">Back</a>', page.content.decode())[1]
    assert strict.get(back)["Location"] == "/admin/catalogue/dsr/"


def test_a_signed_in_user_is_not_led_to_another_site(strict):
    assert strict.get("/admin/login/?next=https://elsewhere.example/")["Location"] == "/admin/"


def test_a_form_outside_the_admin_without_its_token():
    response = Client(enforce_csrf_checks=True).post("/")
    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")


def test_a_link_to_the_sign_out_signs_nobody_out(strict):
    assert strict.get("/admin/logout/")["Location"] == "/admin/"
    assert strict.get("/admin/").status_code == 200
