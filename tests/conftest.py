"""What tests of several kinds share: a database that keeps its reference data, and a browser."""

import os
import shutil
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
from django.db import connection
from playwright.sync_api import sync_playwright

# What the migrations load. It stays when a transactional test empties the tables at its end.
REFERENCE_TABLES = {"catalogue_currency", "catalogue_territory", "catalogue_ecbrate"}


@pytest.fixture(scope="session", autouse=True)
def _reference_data_stays():
    introspection = type(connection.introspection)
    all_tables = introspection.django_table_names

    def other_tables(self, *args, **kwargs):
        return [table for table in all_tables(self, *args, **kwargs) if table not in REFERENCE_TABLES]

    with patch.object(introspection, "django_table_names", other_tables):
        yield


@pytest.fixture(autouse=True)
def _no_partition_stays(request):
    """Emptying the tables leaves the partitions of large DSRs where a transactional test made them."""
    marker = request.node.get_closest_marker("django_db")
    if marker is None or not marker.kwargs.get("transaction"):
        yield
        return
    request.getfixturevalue("transactional_db")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^catalogue_usageline_[0-9]+$'")
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP TABLE "{name}"')


@pytest.fixture(scope="module")
def browser():
    """Chromium, started once for a module: as long as Playwright runs, it keeps the thread's event loop."""
    executable = shutil.which("chromium")
    if executable is None:
        # A run that must not leave anything out says so.
        missing = pytest.fail if os.environ.get("DSRHUB_TEST_NO_SKIPS") else pytest.skip
        missing("there is no chromium on the PATH")
    # Playwright's loop makes Django think that a test calls the database from asynchronous code.
    with patch.dict(os.environ, DJANGO_ALLOW_ASYNC_UNSAFE="true"), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page in a fresh browser context: it has no cookie of another test.

    Its lists `console_errors` and `outside_requests` must be empty at the end of the test.
    """
    context = browser.new_context()
    page = context.new_page()
    page.console_errors, page.outside_requests = [], []
    page.on("console", lambda said: page.console_errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: page.console_errors.append(str(error)))
    page.on("request", lambda request: page.outside_requests.append(request.url) if _is_outside(request.url) else None)
    yield page
    context.close()
    assert (page.console_errors, page.outside_requests) == ([], [])


def _is_outside(url):
    address = urlsplit(url)
    return address.scheme not in ("data", "blob") and address.hostname not in ("localhost", "127.0.0.1")
