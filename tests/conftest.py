"""Fixtures that tests share: a database that keeps its reference data, threads, and a browser.

No test may depend on the speed of the machine. Tests wait for conditions, and the time limits of requests are raised
here; only the tests of a limit lower it.
"""

import gc
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from unittest.mock import patch
from urllib.parse import urlsplit

import hypothesis
import pytest
from django.core.servers.basehttp import WSGIRequestHandler
from django.db import connection, connections
from django.test import TestCase
from playwright.sync_api import expect, sync_playwright

from catalogue.lines.arriving import IN_TRANSACTION
from tests import bakery, cluster  # noqa: F401 - bakery registers generators
from tests.processes import serving
from tests.programs import program
from tests.waiting import PATIENCE
from tests.webhooks.names import look_up

pytest_plugins = ["tests.stores.fixtures"]

# Hypothesis runs the same examples each time and on each machine, without deadlines and without a shared database.
hypothesis.settings.register_profile(
    "dsrhub",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("dsrhub")
expect.set_options(timeout=PATIENCE * 1000)

# Time limits of requests in seconds, timeouts of locks, and numbers of retries.
BOUNDS = {
    "catalogue.admin.dsrs.admin.COUNT_SECONDS": PATIENCE,
    "catalogue.admin.folders.SECONDS": PATIENCE,
    "catalogue.admin.imports.at_once.AT_ONCE_SECONDS": PATIENCE,
    "catalogue.admin.resources.admin.SEARCH_SECONDS": PATIENCE,
    "catalogue.admin.resources.admin.TOP_SECONDS": PATIENCE,
    "catalogue.admin.resources.admin.QUICK_SECONDS": PATIENCE,
    "catalogue.resources.services.DROP_TRIES": 10 * PATIENCE,
    "dsrhub.http.readiness.SECONDS": PATIENCE,
    "dsrhub.webhooks.sending.ANSWER_SECONDS": PATIENCE,
    "dsrhub.webhooks.sending.CONNECT_SECONDS": PATIENCE,
    "dsrhub.webhooks.targets.LOOK_UP_SECONDS": PATIENCE,
    "subscriptions.admin.imports.AT_ONCE_SECONDS": PATIENCE,
    "subscriptions.admin.questions.page.QUESTION_SECONDS": PATIENCE,
    "subscriptions.aggregates.exports.SECONDS": PATIENCE,
    "subscriptions.records.ingestion.LOCK_TIMEOUT": f"{PATIENCE}s",
    "subscriptions.records.partitions.FREEZE_LOCK_TIMEOUT": f"{PATIENCE}s",
    "subscriptions.records.partitions.OPEN_LOCK_TIMEOUT": f"{PATIENCE}s",
    "subscriptions.retention.services.DROP_TRIES": 10 * PATIENCE,
}


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """The test database. On a cluster, lines are spread over its nodes."""
    with django_db_blocker.unblock():
        of = cluster.nodes()
        if of:
            cluster.database_spread(of)
    yield
    with django_db_blocker.unblock():
        if of:
            cluster.databases_drop(of)


@pytest.fixture(autouse=True)
def _where_it_applies(request):
    """Skip what needs a cluster elsewhere, and what cannot apply on one there. Each says why."""
    needs, elsewhere = (request.node.get_closest_marker(name) for name in ("on_cluster", "on_one_server"))
    if needs is not None and not cluster.is_named():
        pytest.skip("needs a cluster: DATABASE_URL names no coordinator")
    if elsewhere is not None and cluster.is_named():
        pytest.skip(elsewhere.kwargs["reason"])


# What the collection of tests makes lives as long as the tests.
gc.disable()


def pytest_collection_finish():
    """Search for garbage less often, and not among what lives as long as the tests: that took a quarter of the time."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture
def without_versions(settings):
    """Replaced and deleted DSRs are not kept as earlier versions: they are dropped."""
    settings.DSRHUB_SUPERSEDED_DAYS = 0


# Tables that `migrate` fills. They keep their rows when a transactional test empties the tables at its end.
REFERENCE_TABLES = {
    *("catalogue_currency", "catalogue_territory", "catalogue_ecbrate"),
    *("django_content_type", "auth_permission"),
}
# A trigger refuses to delete from it.
APPEND_ONLY = "dsrhub_auditentry"


@pytest.fixture(scope="session", autouse=True)
def _keep_reference_data():
    introspection = type(connection.introspection)
    all_tables = introspection.django_table_names

    def other_tables(self, *args, **kwargs):
        return [table for table in all_tables(self, *args, **kwargs) if table not in REFERENCE_TABLES]

    def statements(self, style, tables, **options):
        rest = [f'DELETE FROM "{table}"' for table in tables if table != APPEND_ONLY]  # noqa: S608
        return [f'TRUNCATE "{APPEND_ONLY}"; {"; ".join(rest)}']

    # As nothing is missing then, the signal that fills such tables again is not sent. TRUNCATE makes new files for each
    # table and each index. Both would take longer than most tests.
    with (
        patch.object(introspection, "django_table_names", other_tables),
        patch.object(type(connection.ops), "sql_flush", statements),
        patch("django.core.management.commands.flush.emit_post_migrate_signal"),
    ):
        yield


@pytest.fixture(scope="session", autouse=True)
def _long_time_limits():
    with pytest.MonkeyPatch.context() as patched:
        for name, bound in BOUNDS.items():
            patched.setattr(name, bound)
        yield


@pytest.fixture(scope="session", autouse=True)
def _live_server_keeps_no_session():
    """A thread of the live server ends its session after each request, although its client may keep the thread.

    Django does this by a signal, from which its test client disconnects all threads while it sends a request itself.
    """
    handle = WSGIRequestHandler.handle_one_request

    def handle_and_close(handler):
        try:
            handle(handler)
        finally:
            connections.close_all()

    with patch.object(WSGIRequestHandler, "handle_one_request", handle_and_close):
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_name_servers():
    """No test asks a name server."""
    with patch("dsrhub.webhooks.targets._look_up", look_up):
        yield


PARTITIONS = """
SELECT relname FROM pg_class WHERE relkind = 'r'
AND relname ~ '^(catalogue_usageline|subscriptions_datausagerecord|subscriptions_voiceusagerecord)_[0-9]+$'
"""


def _is_transactional(request):
    """Whether a test commits."""
    marker = request.node.get_closest_marker("django_db")
    is_marked = marker is not None and marker.kwargs.get("transaction")
    return bool(is_marked or {"transactional_db", "live_server"} & set(request.fixturenames))


@pytest.fixture(autouse=True)
def _lines_arrive_in_one_step(request, monkeypatch):
    """On a cluster, lines arrive in the transaction of a test that is rolled back: it would wait for itself."""
    if cluster.is_named() and not _is_transactional(request):
        monkeypatch.setattr("catalogue.imports.services.lines_arriving", lambda **_: nullcontext(IN_TRANSACTION))


@pytest.fixture(autouse=True)
def _drop_partitions(request):
    """Drop the partitions of large DSRs and of days after a transactional test: emptying the tables does not drop them.

    A later test would find them: a purge seals the day of each of them, with records or not.
    """
    if not _is_transactional(request):
        yield
        return
    request.getfixturevalue("transactional_db")
    yield
    with connection.cursor() as cursor:
        cursor.execute(PARTITIONS)
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP TABLE "{name}"')


@pytest.fixture(scope="module")
def module_db(django_db_setup, django_db_blocker):
    """The database, for what all tests of a module share. A transaction around them is rolled back at their end.

    The fixture that uses it must be autouse: otherwise, whether a test finds its rows would depend on the test before.
    No test of such a module can be transactional.
    """

    class Module(TestCase):
        """Opens the transaction before its class, and rolls it back behind it."""

    with django_db_blocker.unblock():
        Module.setUpClass()
        yield
        Module.tearDownClass()
        Module.doClassCleanups()


@pytest.fixture
def in_thread(transactional_db):
    """Start a function in a thread with its own connection. Return its future."""

    def on_own_connection(function, *arguments, **options):
        try:
            return function(*arguments, **options)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        yield lambda function, *arguments, **options: pool.submit(on_own_connection, function, *arguments, **options)


@pytest.fixture
def in_other_session(transactional_db):
    """Run a function in another thread, in the same session of the database each time. Return its result."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result(PATIENCE)
        # Each thread has a connection of its own.
        pool.submit(lambda: connection.close()).result(PATIENCE)  # noqa: PLW0108


@pytest.fixture(scope="session")
def running_server(django_db_setup, django_db_blocker):
    """A server as in the container, started once: it keeps nothing of a request but what the database has."""
    with django_db_blocker.unblock(), serving() as server:
        yield server


@pytest.fixture(scope="session")
def browser():
    """Chromium, started once. From then on, Playwright occupies the event loop of the thread.

    So Django assumes that tests call the database from asynchronous code: it gives them another connection than before
    and after. Each is closed where the other begins. Otherwise its session stays, and nothing can close it.
    """
    executable = program("chromium")
    connection.close()
    with patch.dict(os.environ, DJANGO_ALLOW_ASYNC_UNSAFE="true"), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
            timeout=PATIENCE * 1000,
        )
        yield browser
        browser.close()
        connection.close()


@pytest.fixture
def locale():
    """The locale of the browser. Tests in other languages parametrise it."""
    return "en-US"


@pytest.fixture
def page(browser, locale):
    """A page in a new browser context, without cookies of other tests.

    Its lists `console_errors` and `outside_requests` must be empty at the end of the test.
    """
    context = browser.new_context(locale=locale)
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    page.console_errors, page.outside_requests = [], []
    page.on("console", lambda said: page.console_errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: page.console_errors.append(str(error)))
    page.on("request", lambda request: page.outside_requests.append(request.url) if _is_outside(request.url) else None)
    open_requests = set()
    # Playwright takes no methods of built-in types.
    page.on("request", lambda request: open_requests.add(request))  # noqa: PLW0108
    page.on("requestfinished", lambda request: open_requests.discard(request))  # noqa: PLW0108
    page.on("requestfailed", lambda request: open_requests.discard(request))  # noqa: PLW0108
    yield page
    # Otherwise the server would answer them during the next test.
    while open_requests:
        page.wait_for_timeout(10)
    context.close()
    assert (page.console_errors, page.outside_requests) == ([], [])


def _is_outside(url):
    address = urlsplit(url)
    return address.scheme not in ("data", "blob") and address.hostname not in ("localhost", "127.0.0.1")
