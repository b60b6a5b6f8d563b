"""Measure usage: `python -m tests.benchmarks.usage --records 1000000`.

Ways of doing the same work run in turns, so that other load on the machine affects all of them. Compare the ratios of
their medians. The benchmark creates its own database, and drops it at the end.
"""

import argparse
import itertools
import os
import resource
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from multiprocessing import get_context

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.db import connection

from dsrhub.database.copy import copy_blocks
from subscriptions.aggregates.over_price import subscription_list_over_price
from subscriptions.aggregates.ranges import Step
from subscriptions.aggregates.services import daily_usage_check, daily_usage_refresh
from subscriptions.aggregates.totals import subscription_usage_totals
from subscriptions.models import UsageType
from subscriptions.records import partitions
from subscriptions.records.events import UsageEvent, usage_zone
from subscriptions.records.loading import blocks
from subscriptions.records.samples import subscriptions_make, usage_events
from subscriptions.records.services import usage_records_add
from subscriptions.retention.services import usage_records_purge
from tests.benchmarks import signal_based
from tests.printing import say

FIRST_DAY, DAYS, SUBSCRIPTIONS = date(2026, 1, 1), 60, 10_000
WEEK = date(2026, 1, 8), date(2026, 1, 14)
PAGE = 1001
RUNS, SINGLE_ROWS, WRITERS = 5, 1000, 4
DATABASE = "dsrhub_benchmark"
LOADED_BY_COPY = 100_000


def milliseconds(work):
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def compare(title, ways, *, runs=RUNS, unit=1, after=lambda: None):
    """Run several ways in turns, and print their medians and the ratios to the first."""
    times = {name: [] for name in ways}
    for _ in range(runs):
        for name, work in ways.items():
            times[name].append(milliseconds(work) / unit)
            after()
    medians = {name: statistics.median(all_times) for name, all_times in times.items()}
    first = next(iter(medians.values()))
    say(f"\n{title}")
    for name, median in medians.items():
        say(f"  {name:<42} {median:12,.3f} ms   x {median / first:.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    say(f"  peak memory of this process so far: {peak} MiB")
    return medians


def execute(statement, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else None


# --- Writing ---------------------------------------------------------------------------------------------------

DATA_RECORDS = "subscriptions_datausagerecord"
ONE_DAY = datetime(2026, 1, 20, 12, tzinfo=UTC)


def one_record(external_id=None):
    return UsageEvent(5, ONE_DAY, Decimal("1.25"), 100, external_id)


def bare_insert(event):
    execute(
        f"INSERT INTO {DATA_RECORDS} (subscription_id, usage_date, day, price, kilobytes_used) "
        "VALUES (%s, %s, %s, %s, %s)",
        [event.subscription, event.usage_date, event.usage_date.date(), event.price, event.amount],
    )


def marked_insert(event):
    usage_records_add(usage_type=UsageType.DATA, records=[event])


def repeat(write, count=SINGLE_ROWS, external_ids=None):
    def work():
        for _ in range(count):
            write(one_record(str(next(external_ids)) if external_ids else None))

    return work


def write_in_process(write):
    connection.settings_dict["NAME"] = DATABASE
    repeat(write, SINGLE_ROWS // WRITERS)()


def at_once(pool, write):
    """Write the same number of rows from several processes, for one subscription and day."""

    def work():
        list(pool.map(write_in_process, [write] * WRITERS))

    return work


def bare_copy(events, table=DATA_RECORDS):
    def work():
        zone = usage_zone()
        lines = (
            f"{subscription}\t{moment.isoformat()}\t{moment.astimezone(zone).date()}\t{price}\t{amount}\n"
            for subscription, moment, price, amount, _ in events
        )
        copy_blocks(f"COPY {table} (subscription_id, usage_date, day, price, kilobytes_used) FROM STDIN", blocks(lines))

    return work


def forget():
    """Empty the tables again: only the times of the writes matter."""
    execute(f"TRUNCATE {DATA_RECORDS}, subscriptions_usagemark, trigger_record, trigger_daily_usage")


TRIGGER_BASED = f"""
CREATE TABLE trigger_record (LIKE {DATA_RECORDS} INCLUDING DEFAULTS);
CREATE INDEX ON trigger_record (id);
CREATE INDEX ON trigger_record (subscription_id);
CREATE TABLE trigger_daily_usage (
    subscription_id bigint, day date, price numeric, kilobytes_used bigint, PRIMARY KEY (subscription_id, day)
);
CREATE FUNCTION trigger_add() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO trigger_daily_usage AS daily VALUES (new.subscription_id, new.day, new.price, new.kilobytes_used)
    ON CONFLICT (subscription_id, day) DO UPDATE
    SET price = daily.price + excluded.price, kilobytes_used = daily.kilobytes_used + excluded.kilobytes_used;
    RETURN NULL;
END $$;
CREATE TRIGGER trigger_add AFTER INSERT ON trigger_record FOR EACH ROW EXECUTE FUNCTION trigger_add();
"""


def measure_writing(ids):
    execute(TRIGGER_BASED)
    signal_based.create_tables()
    for usage_type in UsageType:
        partitions.partitions_create(usage_type, [FIRST_DAY + timedelta(days=day) for day in range(DAYS)])
    compare(
        f"a row, of {SINGLE_ROWS} single rows",
        {
            "plain insert": repeat(bare_insert),
            "with its mark": repeat(marked_insert),
            "with its mark and an external id": repeat(marked_insert, external_ids=itertools.count()),
            "with a signal": repeat(signal_based.add),
        },
        unit=SINGLE_ROWS,
        after=forget,
    )
    with ProcessPoolExecutor(WRITERS, get_context("spawn")) as pool:
        ways = {"plain insert": at_once(pool, bare_insert), "with its mark": at_once(pool, marked_insert)}
        for work in ways.values():
            work()  # start and connect all processes
        compare(f"a row, of {SINGLE_ROWS} by {WRITERS} writers on one day", ways, unit=SINGLE_ROWS, after=forget)
    events = list(sample(ids, LOADED_BY_COPY))
    named = [event._replace(external_id=str(number)) for number, event in enumerate(events)]
    compare(
        f"{LOADED_BY_COPY:,} rows by COPY",
        {
            "plain COPY": bare_copy(events),
            "with marks": lambda: usage_records_add(usage_type=UsageType.DATA, records=events),
            "with marks and external ids": lambda: usage_records_add(usage_type=UsageType.DATA, records=named),
            "with a trigger": bare_copy(events, "trigger_record"),
        },
        after=forget,
    )


def sample(ids, count, usage_type=UsageType.DATA):
    return usage_events(usage_type=usage_type, subscriptions=ids, count=count, first_day=FIRST_DAY, days=DAYS)


# --- Reading ---------------------------------------------------------------------------------------------------


def grouped_raw(columns, condition="true", having="true"):
    return " UNION ALL ".join(
        f"SELECT subscription_id, '{usage_type}' AS usage_type, {columns.format(amount=amount)} FROM {table} "
        f"WHERE {condition} GROUP BY subscription_id HAVING {having}"
        for usage_type, table, amount in (
            ("data", "subscriptions_datausagerecord", "kilobytes_used"),
            ("voice", "subscriptions_voiceusagerecord", "seconds_used"),
        )
    )


def raw_over(price_limit):
    statement = grouped_raw("sum(price)", having=f"sum(price) >= {price_limit}")
    return lambda: execute(f"SELECT * FROM ({statement}) AS raw ORDER BY 1, 2 LIMIT {PAGE}")


def raw_week(limit):
    statement = grouped_raw("sum(price), sum({amount})", f"day BETWEEN '{WEEK[0]}' AND '{WEEK[1]}'")
    return lambda: execute(f"SELECT * FROM ({statement}) AS raw ORDER BY 1, 2 LIMIT {limit or 'ALL'}")


def reached_by(share):
    """A price that the given share of the subscriptions reaches."""
    statement = grouped_raw("sum(price) AS price")
    ((price,),) = execute(
        f"SELECT percentile_disc({1 - share}) WITHIN GROUP (ORDER BY price) FROM ({statement}) AS raw"
    )
    return price


def measure_reading(state):
    for share in (0.01, 0.5):
        price_limit = reached_by(share)
        compare(
            f"over-limit, {state}, a price that {share:.0%} reach, a page",
            {
                "grouping raw rows": raw_over(price_limit),
                "aggregates": lambda: subscription_list_over_price(price_limit=price_limit, limit=PAGE),  # noqa: B023
            },
            runs=7,
        )
    for title, limit in (("all rows", None), ("a page", PAGE)):
        compare(
            f"usage of a week, {state}, {title}",
            {
                "grouping raw rows": raw_week(limit),
                "aggregates": lambda: subscription_usage_totals(start=WEEK[0], end=WEEK[1], limit=limit),  # noqa: B023
            },
            runs=7,
        )
    compare(
        f"usage of one subscription, {state}, all its days",
        {
            "aggregates": lambda: subscription_usage_totals(
                start=FIRST_DAY, end=FIRST_DAY + timedelta(days=DAYS), subscription_id=77, by=Step.DAY
            )
        },
        runs=7,
    )


# --- Main ------------------------------------------------------------------------------------------------------


def once(title, work):
    compare(title, {"": work}, runs=1)


def measure(records):
    ids = subscriptions_make(count=SUBSCRIPTIONS)
    measure_writing(ids)
    forget()

    def load():
        for usage_type in UsageType:
            usage_records_add(usage_type=usage_type, records=sample(ids, records // 2, usage_type))

    once(f"loading {records:,} raw rows", load)
    once("refreshing them all", daily_usage_refresh)
    execute("VACUUM ANALYZE")
    measure_reading("nothing marked")
    last_day = FIRST_DAY + timedelta(days=DAYS - 1)
    for event in usage_events(
        usage_type=UsageType.DATA, subscriptions=ids, count=1000, first_day=last_day, days=1, seed=2
    ):
        marked_insert(event)
    measure_reading("1,000 records of the last day marked")
    once("refreshing those", daily_usage_refresh)
    day = FIRST_DAY + timedelta(days=9)
    once("rebuilding a day", lambda: daily_usage_refresh(rebuild=True, start=day, end=day))
    once("rebuilding all days", lambda: daily_usage_refresh(rebuild=True))
    once("checking all days", daily_usage_check)
    once("purging ten days", lambda: usage_records_purge(before=FIRST_DAY + timedelta(days=10)))
    differences = daily_usage_check().differences
    say(f"\ndifferences: {len(differences)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="raw rows (100,000 by default)")
    records = parser.parse_args().records
    connection.settings_dict["TEST"]["NAME"] = DATABASE
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        measure(records)
    finally:
        connection.creation.destroy_test_db("unused", verbosity=0)


if __name__ == "__main__":
    main()
