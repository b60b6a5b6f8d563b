"""Walk every page of the admin, and send hostile values in each field of its forms, links and addresses.

    python -m tests.faults.crawler [--requests 20000] [--seed N]

No answer may be an internal error. Each request is rolled back, so each one finds the same rows. The program creates
its own database, like `tests.faults.fuzz`. It prints each request that failed.
"""

import argparse
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from urllib.parse import parse_qsl, quote_plus, urljoin, urlsplit

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

    import django

    django.setup()

from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.db.models import DateField
from django.test import Client, override_settings
from django.test.utils import setup_test_environment
from django.urls import Resolver404, resolve

from catalogue.imports.services import dsr_import
from subscriptions.models import Subscription, UsageType
from subscriptions.records.events import UsageEvent
from subscriptions.records.services import usage_records_add
from tests import recipes as people
from tests.catalogue import recipes as catalogue
from tests.catalogue.helpers import ES_JANUARY, line, write_report
from tests.subscriptions import recipes as subscriptions
from tests.webhooks import recipes as webhooks
from tests.webhooks.helpers import write

logger = logging.getLogger(__name__)

# As the bytes of a form: NUL, half a surrogate pair and bytes that are not UTF-8 can be sent as well.
HOSTILE = [
    *(b"", b" ", b"x", b"\0", b"a\0b", b"\xed\xa0\x80", b"\xff\xfe", "💥".encode(), "１０".encode(), "²".encode()),
    *(b"0", b"-1", b"1_0", b"1e999999", b"NaN", b"99999", b"2147483648", b"9223372036854775808", b"9" * 5000),
    *(b"0000-00-00", b"0001-01-01", b"9999-12-31", b"10000-01-01", b"25:61:61", b"23:59:59.9999999"),
    *(b"'\"<>&%s{}", b"../../etc/passwd", b"[]", b'{"a": [1, null]}', b"[" * 5000, b"x" * 100_000, b"1,2,x,,"),
]
# Fields that Django or the admin reads although no page may have sent them.
UNASKED = ["o", "p", "q", "all", "e", "_popup", "_to_field", "_facets", "_changelist_filters", "next", "action"]
UNASKED_OF_FORMS = [
    *("_popup", "_to_field", "_save", "_saveasnew", "_continue", "action", "index", "select_across", "shown", "next"),
    *("_selected_action", "post", "export_items", "upload", "job", "replace", "confirm", "to_add"),
]
DATE_LOOKUPS = ["", "__year", "__month", "__day", "__gte", "__lt", "__date", "__range", "__in", "__isnull", "__week"]
# The pages of many objects look alike.
PAGES_OF_A_ROUTE = 1


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    fields: tuple[tuple[bytes, bytes], ...] = ()

    def sent_by(self, client: Client):
        data = b"&".join(_quoted(name) + b"=" + _quoted(value) for name, value in self.fields)
        if self.method == "GET":
            return client.generic("GET", self.path, QUERY_STRING=data.decode())
        path, _, query = self.path.partition("?")
        return client.generic("POST", path, data, "application/x-www-form-urlencoded", QUERY_STRING=query)

    def __str__(self) -> str:
        return f"{self.method} {self.path} {[(name, value[:60]) for name, value in self.fields]}"


def _quoted(text: bytes) -> bytes:
    return quote_plus(text).encode()


@dataclass
class Form:
    """A form of a page, or a link with a query: an address and the fields that it sends."""

    method: str
    path: str
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)

    def hostile(self) -> Iterator[Request]:
        """The form with one field changed, added or left out at a time."""
        unasked = UNASKED if self.method == "GET" else UNASKED_OF_FORMS
        names = dict.fromkeys([name for name, _ in self.fields] + [name.encode() for name in unasked])
        for name in names:
            others = tuple(pair for pair in self.fields if pair[0] != name)
            yield Request(self.method, self.path, others)
            for value in HOSTILE:
                yield Request(self.method, self.path, (*others, (name, value)))
        yield Request(self.method, self.path, tuple(self.fields) * 2)


class PageReader(HTMLParser):
    """The forms and links of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page, self.forms, self.links = page, [], []
        self._form = None
        self._select = b""

    def handle_starttag(self, tag, attrs):
        found = {name: value or "" for name, value in attrs}
        if tag == "a" and found.get("href", "").startswith(("/", "?", ".")):
            self.links.append(urljoin(self.page, found["href"]))
        elif tag == "form":
            method = found.get("method", "get").upper()
            self._form = Form(method, urljoin(self.page, found.get("action", "")))
            self.forms.append(self._form)
            if "data-check" in found:
                # A script sends the form to this address, before somebody does.
                self.forms.append(Form(method, urljoin(self.page, found["data-check"]), self._form.fields))
        elif self._form is not None:
            self._handle_field(tag, found)

    def _handle_field(self, tag, found):
        name, value = found.get("name", "").encode(), found.get("value", "").encode()
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in found or value == b"delete_selected"):
            self._form.fields.append((self._select, value))
        elif tag in ("input", "textarea", "button") and name:
            self._form.fields.append((name, value or b"on" * (found.get("type") == "checkbox")))
        if "formaction" in found:
            # The button sends the form to another address.
            self.forms.append(Form(self._form.method, urljoin(self.page, found["formaction"]), self._form.fields))

    def handle_endtag(self, tag):
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = b""


class Crawler:
    """A signed-in user who opens every page that links lead to, and then sends hostile requests."""

    def __init__(self, user) -> None:
        self.client = Client(raise_request_exception=False)
        self.client.force_login(user)
        self.cookies = self.client.cookies.copy()
        self.forms: dict[tuple, Form] = {}
        self.addresses: set[str] = set()
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []

    def ask(self, request: Request):
        """Send a request, and undo what it did."""
        undone = transaction.atomic()
        undone._from_testcase = True  # An import starts a transaction that must be the outermost one.
        with undone:
            response = request.sent_by(self.client)
            if response.streaming:
                list(response.streaming_content)
            transaction.set_rollback(True)
        self.client.cookies = self.cookies.copy()
        self.statuses[response.status_code] += 1
        if response.status_code >= 500:
            error = getattr(response, "exc_info", None)
            self.failures.append(f"{request}: {response.status_code} {error and repr(error[1])[:300]}")
            logger.critical(self.failures[-1])
        return response

    def walk(self, most: int, *starts: str) -> None:
        """Open that many pages at most."""
        waiting, seen, routes = [*starts], set(), Counter()
        while waiting and len(seen) < most:
            page = waiting.pop(0)
            path, _, query = page.partition("?")
            if page in seen or not path.startswith("/admin/") or not self._is_new(path, query, routes):
                continue
            seen.add(page)
            response = self.ask(Request("GET", path, tuple(_pairs(query))))
            if response.status_code == 200 and response.headers["Content-Type"].startswith("text/html"):
                waiting += self.read(page, response)

    def _is_new(self, path: str, query: str, routes: Counter) -> bool:
        try:
            route = (resolve(path).url_name, tuple(sorted(name for name, _ in _pairs(query))))
        except Resolver404:
            return False
        routes[route] += 1
        return routes[route] <= PAGES_OF_A_ROUTE

    def read(self, page: str, response) -> list[str]:
        """Remember the forms of a page and its links with a query, and return all links."""
        reader = PageReader(page)
        reader.feed(response.content.decode())
        path, _, query = page.partition("?")
        for form in [*reader.forms, Form("GET", path, _pairs(query))]:
            names = tuple(sorted({name for name, _ in form.fields}))
            self.forms.setdefault((form.method, resolve(path).url_name, names), form)
        self.addresses.add(path)
        return [urlsplit(link)._replace(fragment="").geturl() for link in reader.links]

    def requests(self) -> Iterator[Request]:
        for form in self.forms.values():
            yield from form.hostile()
        for address in sorted(self.addresses):
            yield from _other_ids(address)
        for model, its_admin in admin.site._registry.items():
            yield from _date_lookups(model, its_admin)
            yield from _autocompletions(model)


def _other_ids(address: str) -> Iterator[Request]:
    for old in [part for part in address.split("/") if part.isdigit()][:1]:
        for value in HOSTILE:
            if len(value) < 10_000:
                yield Request("GET", address.replace(f"/{old}/", f"/{quote_plus(value)}/"))


def _date_lookups(model, its_admin) -> Iterator[Request]:
    address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    names = {one.name for one in model._meta.fields if isinstance(one, DateField)}
    for name in sorted(names | {its_admin.date_hierarchy or "id"}):
        for lookup in DATE_LOOKUPS:
            for value in HOSTILE:
                yield Request("GET", address, ((f"{name}{lookup}".encode(), value),))


def _autocompletions(model) -> Iterator[Request]:
    asked = {"app_label": model._meta.app_label, "model_name": model._meta.model_name, "field_name": "user"}
    asked = {name: value.encode() for name, value in (asked | {"term": "a", "page": "1"}).items()}
    for name in asked:
        for value in HOSTILE:
            fields = asked | {name: value}
            yield Request(
                "GET", "/admin/autocomplete/", tuple((name.encode(), value) for name, value in fields.items())
            )


def _pairs(query: str) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in parse_qsl(query, keep_blank_values=True)]


def fill() -> None:
    """Rows of every kind, so that every page has something to show."""
    dsr = catalogue.dsr.make()
    catalogue.operator_rate.make()
    catalogue.problem.make(dsr=dsr)
    catalogue.rate_change.make(dsr=dsr)
    catalogue.rejected_delivery.make()
    catalogue.resource.make()
    someone = subscriptions.subscription.make()
    record = UsageEvent(someone.pk, datetime(2026, 1, 5, 12, tzinfo=UTC), Decimal(1), 1)
    for usage_type in UsageType:
        usage_records_add(usage_type=usage_type, records=[record])
    subscriptions.sealed_day.make()
    other = people.user.make(username="other")
    people.token.make(user=other)
    people.key.make(user=other)
    people.group.make()
    _fill_new_tables()


def _fill_new_tables() -> None:
    """What came after the first release: templates, messages, earlier versions, jobs, folders, limits and webhooks."""
    catalogue.template_version.make()
    catalogue.dsr_of_message.make(path="message.tsv", sha256=64 * "1")
    catalogue.party_alias.make()
    catalogue.import_job.make()
    catalogue.drop_folder.make()
    with TemporaryDirectory() as folder:
        for revenue in ("1", "2"):
            path = write_report(Path(folder), ES_JANUARY, line("a", revenue=revenue))
            dsr_import(path=path, name=path.name, replace=True)
    subscriptions.price_limit.make()
    subscriptions.limit_crossing.make()
    webhooks.webhook.make()
    write()


def crawlers() -> list[Crawler]:
    """A superuser, and a staff user who may view everything and change nothing."""
    viewer = people.staff.make(username="viewer")
    viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return [Crawler(people.superuser.make(username="crawler")), Crawler(viewer)]


UPLOADS = {
    "/admin/catalogue/dsr/import/": (
        "Spotify_SpotifyFree_ES_EUR_20200101-20200131.tsv",
        "dsp_id\ttitle\tartists\tisrc\tusages\trevenue\r\na\t\t\t\t1\t1\r\n",
    ),
    "/admin/subscriptions/datausagerecord/import/": (
        "usage.csv",
        "subscription_id,usage_date,price,kilobytes_used\n{id},2026-01-05T12:00:00Z,1,1\n",
    ),
}


def upload(crawler: Crawler, subscription: int) -> None:
    """Upload a file at each door, and read the page on which people confirm it."""
    for path, (name, text) in UPLOADS.items():
        file = SimpleUploadedFile(name, text.replace("{id}", str(subscription)).encode())
        page = crawler.client.post(path, {"import_file": file, "format": "0", "resource": "0"}, follow=True)
        if page.status_code == 200:
            crawler.read(page.request["PATH_INFO"], page)


def crawl(count: int, seed: int, pages: int = 1000) -> list[Crawler]:
    """Send so many hostile requests, chosen by the seed, as each user."""
    fill()
    found = crawlers()
    for crawler in found:
        upload(crawler, Subscription.objects.first().pk)
        models = [f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in admin.site._registry]
        crawler.walk(pages, "/admin/", "/admin/password_change/", *models)
        requests = list(crawler.requests())
        # The same seed must choose the same requests.
        for request in Random(seed).sample(requests, min(count, len(requests))):  # noqa: S311
            crawler.ask(request)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000, help="of each user")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.ERROR)
    setup_test_environment()
    connection.settings_dict["TEST"]["NAME"] = f"dsrhub_crawler_{options.seed}"
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    started = time.monotonic()
    try:
        with TemporaryDirectory() as folder, override_settings(DSRHUB_UPLOAD_DIR=Path(folder, "up")):
            found = crawl(options.requests, options.seed)
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)
    for crawler in found:
        sys.stdout.write(f"{len(crawler.forms)} forms, {dict(crawler.statuses)}\n")
    sys.stdout.write(f"{time.monotonic() - started:,.0f} s\n")
    sys.exit(any(crawler.failures for crawler in found))


if __name__ == "__main__":
    main()
