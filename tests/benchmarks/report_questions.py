"""The speed of rankings, pages, lists and deletions, beside a full GROUP BY or a bare view with the same bytes."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

# Before models: it sets Django up.
from tests.benchmarks.measuring import TIMES, median_seconds, medians_in_turns, seconds_of  # isort: skip

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from catalogue.dsrs.previous import previous_reports
from catalogue.dsrs.selectors import dsr_lines
from catalogue.dsrs.services import dsr_delete
from catalogue.dsrs.versions.differences import recordings_difference
from catalogue.imports.loading.choices import Choices
from catalogue.imports.loading.reverting import version_revert
from catalogue.imports.services import DeliveredFile, delivery_import
from catalogue.models import DSR, Resource, SupersededDSR
from catalogue.ranking.artists.selectors import ArtistQuestion
from catalogue.ranking.cached.cache import drop_surplus
from catalogue.ranking.cached.resources import TopQuestion
from catalogue.reports.contexts import SalesContext
from catalogue.resources.services import catalogue_refresh
from dsrhub.urls import urlpatterns as product_urls
from tests.printing import say

ALL_UP = """
SELECT dsr.dsp, line.dsp_id, sum(line.revenue / dsr.exchange_rate) AS revenue
FROM catalogue_usageline AS line JOIN catalogue_dsr AS dsr ON dsr.id = line.dsr_id
WHERE {} GROUP BY dsr.dsp, line.dsp_id ORDER BY revenue DESC NULLS LAST LIMIT 1
"""
# The sums of the answer, in its order and with its shares, but without titles, artists and ISRCs.
RANKED = """
CREATE TEMP TABLE ranked ON COMMIT DROP AS
SELECT *, row_number() OVER ranking AS rank, sum(revenue) OVER ranking AS running
FROM (
    SELECT dsr.dsp, line.dsp_id, sum(line.usages) AS usages, sum(line.revenue / dsr.exchange_rate) AS revenue,
        array_agg(dsr.id) AS dsrs
    FROM catalogue_usageline AS line JOIN catalogue_dsr AS dsr ON dsr.id = line.dsr_id
    WHERE {} GROUP BY dsr.dsp, line.dsp_id HAVING count(line.revenue) > 0
) AS resource
WINDOW ranking AS (ORDER BY revenue DESC, dsp_id, dsp ROWS UNBOUNDED PRECEDING)
"""
LISTS = ("/dsrs/", "/resources/percentile/{}?territory=ES")
ASKED, ROUNDS = 100, 11
CLIENT = Client(headers={"host": "localhost"})


def scopes() -> list[tuple[str, str, str]]:
    """The name, the parameters and the condition of each scope that is asked about."""
    first = DSR.objects.order_by("period_start").first()
    assert first is not None
    period = f"period_start={first.period_start}&period_end={first.period_end}"
    of_period = f"dsr.period_start = '{first.period_start}' AND dsr.period_end = '{first.period_end}'"
    return [
        ("one territory", "territory=ES", "dsr.territory_id = 'ES'"),
        ("one period", period, of_period),
        ("everything", "", "true"),
    ]


def measure_ranking() -> None:
    for name, query, where in scopes():
        all_up = median_seconds(partial(run, ALL_UP.format(where)), times=2)
        ranked = seconds_of(partial(run, RANKED.format(where)))
        say(f"{name}: a full GROUP BY {all_up:,.2f} s for revenue only, {ranked:,.2f} s for all sums of the answer")
        for percentile in (10, 25, 50, 90, 100):
            times = 1 if percentile > 50 else TIMES
            address = f"/resources/percentile/{percentile}?{query}"
            uncached = (asked_uncached(address) for _ in range(times + 1))
            built, sent, count = (median(figures) for figures in zip(*uncached, strict=True))
            cached = median_seconds(partial(asked, address), times=times)
            say(
                f"  top {percentile:>3} %: built in {built * 1000:>9,.1f} ms, {built / all_up:>7.3f} and "
                f"{built / ranked:>7.3f} of these; sent after {sent * 1000:>9,.1f} ms, "
                f"cached {cached * 1000:>9,.1f} ms, {count:>9,.0f} resources"
            )


def measure_behind(file: Path) -> None:
    """Rankings while the catalogue of resources is one DSR behind."""
    number = DSR.objects.get(path=file.name).pk
    with override_settings(DSRHUB_SUPERSEDED_DAYS=0):
        dsr_delete(dsr_number=number)
        catalogue_refresh()
    delivery_import(files=[DeliveredFile(file, file.name)], choices=Choices(), and_catalogue=False)
    for name, query, where in scopes():
        ranked = seconds_of(partial(run, RANKED.format(where)))
        times = []
        for percentile in (50, 90, 100):
            built, _, _ = asked_uncached(f"/resources/percentile/{percentile}?{query}")
            times.append(f"top {percentile} %: built in {built * 1000:,.1f} ms, {built / ranked:.3f}")
        say(f"{name}, catalogue one DSR behind, beside all sums of the answer in {ranked:,.2f} s: {'; '.join(times)}")
    catalogue_refresh()


def run(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def asked(address: str) -> tuple[float, float, int]:
    """The seconds until the status is known and until everything is sent, and the number of resources."""
    started = time.perf_counter()
    response = CLIENT.get(address)
    assert response.status_code == 200, response.content
    built = time.perf_counter() - started
    count = response.getvalue().count(b'"dsp_id"')
    return built, time.perf_counter() - started, count


def asked_uncached(address: str) -> tuple[float, float, int]:
    rankings_clear()
    return asked(address)


def rankings_clear() -> None:
    with override_settings(DSRHUB_KEPT_RANKING_ROWS=0):
        drop_surplus(TopQuestion)
        drop_surplus(ArtistQuestion)


# Of the totals of DSRs, so the number of lines makes no difference.
QUESTIONS = (
    "/statistics/?group_by=territory",
    "/statistics/?group_by=territory,month",
    "/statistics/?group_by=use_type",
    "/statistics/comparison/?by=territory&period=2020-02",
    "/coverage/?from=2020-01&to=2020-12",
)

# Of the lines in scope: answered from a cached ranking, if there is one.
RANKED_QUESTIONS = (
    "/artists/?credit=full&territory=ES",
    "/artists/?credit=split&territory=ES",
    "/artists/?credit=split",
    "/resources/identification/?problem=no_isrc&percentile=50&territory=ES",
    "/resources/identification/?problem=several_isrcs&percentile=50&territory=ES",
)


def measure_questions() -> None:
    for address in QUESTIONS:
        say(f"{address}: {median_seconds(partial(asked, address)) * 1000:,.1f} ms, {DSR.objects.count():,} DSRs")
    for address in RANKED_QUESTIONS:
        rankings_clear()
        built = seconds_of(partial(asked, address))
        cached = median_seconds(partial(asked, address))
        say(f"{address}: built in {built:,.2f} s, cached {cached * 1000:,.1f} ms")
    isrc = Resource.objects.filter(isrc__isnull=False).values_list("isrc", flat=True)[0]
    address = f"/resources/same-isrc/?isrc={isrc}"
    say(f"{address}: {median_seconds(partial(asked, address)) * 1000:,.1f} ms")


RECORDINGS = "/statistics/comparison/?by=recording&period=2020-02&with=2020-01&percentile={}&show={}"


def measure_recordings() -> None:
    """The comparison by recording: the first request builds two rankings, one of them of all earlier recordings."""
    for percentile in (10, 50, 90):
        for show in ("top", "gone"):
            address = RECORDINGS.format(percentile, show)
            built, _, count = asked_uncached(address)
            cached = median_seconds(partial(asked, address))
            say(
                f"{address}: first {built * 1000:,.1f} ms, then {cached * 1000:,.1f} ms, {count:,} recordings on a page"
            )

    contexts = [next_month(dsr.context) for dsr in DSR.objects.ingested()]
    for some in (contexts[:1], contexts):
        seconds = median_seconds(partial(previous_reports, some, without=[]))
        say(f"the previous reports of {len(some):,} contexts: {seconds * 1000:,.1f} ms")


def next_month(context: SalesContext) -> SalesContext:
    """The same context, of as many days after its period."""
    days = context.period_end - context.period_start + timedelta(days=1)
    return replace(context, period_start=context.period_start + days, period_end=context.period_end + days)


def measure_pages() -> None:
    dsr = DSR.objects.order_by("-line_count").first()
    assert dsr is not None
    start = median_seconds(lambda: dsr_lines(dsr=dsr, after=0, limit=1000))
    deep = median_seconds(lambda: dsr_lines(dsr=dsr, after=dsr.line_count - 1000, limit=1000))
    say(f"1,000 lines of a DSR: the first {start * 1000:.1f} ms, the last {deep * 1000:.1f} ms")


def measure_lists() -> None:
    """Requests per second of the lists, beside a view with one indexed query and the same bytes."""
    percentile = next(number for number in range(1, 101) if len(ranked(number)) >= 30 or number == 100)
    bodies = [CLIENT.get(address.format(percentile)).getvalue() for address in LISTS]
    with override_settings(ROOT_URLCONF=__name__):
        for number, address in enumerate(LISTS):
            BARE[:] = [bodies[number]]
            ours, bare = medians_in_turns(
                partial(ask_often, address.format(percentile)), partial(ask_often, "/bare/"), times=ROUNDS
            )
            say(
                f"{address.format(percentile)}: {ASKED / ours:,.0f} requests/s, a bare view of the same "
                f"{len(bodies[number]):,} bytes {ASKED / bare:,.0f}, ratio {bare / ours:.2f}"
            )


def ranked(percentile: int) -> list[Any]:
    answer: list[Any] = json.loads(CLIENT.get(f"/resources/percentile/{percentile}?territory=ES").getvalue())
    return answer


def ask_often(address: str) -> None:
    client = Client(headers={"host": "localhost"})
    for _ in range(ASKED):
        client.get(address).getvalue()


BARE: list[bytes] = []


def bare(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM catalogue_dsr WHERE id = 1")
        cursor.fetchall()
    return HttpResponse(BARE[0], content_type="application/json")


urlpatterns = [path("bare/", bare), *product_urls]


def measure_versions() -> None:
    """Delete a large DSR and revert to it, beside a count of its lines."""
    dsr = DSR.objects.order_by("-line_count").first()
    assert dsr is not None
    lines = f"SELECT count(*) FROM catalogue_usageline WHERE partition = {dsr.partition} AND dsr_id = {dsr.pk}"
    count = median_seconds(partial(run, lines))
    deleting, reverting = [], []
    for _ in range(ROUNDS):
        deleting.append(seconds_of(partial(dsr_delete, dsr_number=dsr.pk)))
        reverting.append(seconds_of(partial(version_revert, version_number=dsr.pk)))
    other = DSR.objects.exclude(pk=dsr.pk).order_by("-line_count").first()
    assert other is not None
    dsr_delete(dsr_number=dsr.pk)
    version = SupersededDSR.objects.get(pk=dsr.pk)
    version.standing = other
    comparing = seconds_of(partial(recordings_difference, version))
    version_revert(version_number=dsr.pk)
    say(
        f"a DSR of {dsr.line_count:,} lines: superseded in {median(deleting) * 1000:.1f} ms, reverted to in "
        f"{median(reverting) * 1000:.1f} ms, its lines counted in {count * 1000:.1f} ms; compared with another DSR of "
        f"{other.line_count:,} lines in {comparing:.2f} s"
    )


@override_settings(DSRHUB_SUPERSEDED_DAYS=0)
def measure_delete() -> None:
    """Delete DSRs, and refresh the catalogue while another session reads lines and others wait."""
    for dsr in list(DSR.objects.order_by("-line_count")[:3]):
        deleting = seconds_of(lambda: dsr_delete(dsr_number=dsr.pk))  # noqa: B023
        with reader_of_all_lines(), waits_of_others() as waits:
            beside = seconds_of(catalogue_refresh)
        after = seconds_of(catalogue_refresh)
        say(
            f"a DSR of {dsr.line_count:,} lines deleted in {deleting * 1000:.1f} ms; refresh in {beside:.1f} s while "
            f"a session read all lines and others waited {max(waits) * 1000:.0f} ms at most; lines dropped in "
            f"{after:.1f} s after that"
        )


@contextmanager
def reader_of_all_lines() -> Iterator[None]:
    reader = connection.copy()
    reader.set_autocommit(False)
    with reader.cursor() as cursor:
        cursor.execute("SELECT 1 FROM catalogue_usageline LIMIT 1")
        yield
    reader.close()


@contextmanager
def waits_of_others() -> Iterator[list[float]]:
    """The seconds of each of many small queries during the block."""
    waits: list[float] = []
    ended = threading.Event()

    def ask_again_and_again() -> None:
        other = connection.copy()
        while not ended.wait(0.02):
            with other.cursor() as cursor:
                waits.append(seconds_of(lambda: cursor.execute("SELECT 1 FROM catalogue_usageline LIMIT 1")))
        other.close()

    asking = threading.Thread(target=ask_again_and_again)
    asking.start()
    yield waits
    ended.set()
    asking.join()
