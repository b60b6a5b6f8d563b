"""Measure records over HTTP: `python -m tests.benchmarks.ingestion --records 50000`.

The reference is `import_usage` with the same records in one file, in the same run. The server is that of the container,
in processes of its own. Compare the ratios: other load on the machine changes the times. The benchmark creates its own
database, and drops it at the end.
"""

import argparse
import http.client
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.contrib.auth.models import User
from django.db import connection

from dsrhub.access.keys import key_create
from subscriptions.models import UsageType
from subscriptions.records import partitions
from subscriptions.records.events import UsageEvent
from subscriptions.records.samples import subscriptions_make, usage_events
from subscriptions.records.services import usage_file_import
from tests.printing import say
from tests.processes import serving

DATABASE = "dsrhub_ingestion"
FIRST_DAY, DAYS, SUBSCRIPTIONS = date(2026, 1, 1), 3, 10_000
BATCH, RUNS = 1000, 3
FORGET = "TRUNCATE subscriptions_datausagerecord, subscriptions_usagemark"


def forget() -> None:
    with connection.cursor() as cursor:
        cursor.execute(FORGET)


def as_json(event: UsageEvent) -> dict[str, object]:
    named = {} if event.external_id is None else {"external_id": event.external_id}
    record = {"subscription_id": event.subscription, "usage_date": event.usage_date.isoformat()}
    return record | {"price": str(event.price), "kilobytes_used": event.amount} | named


def as_line(event: UsageEvent) -> str:
    cells = (event.subscription, event.usage_date.isoformat(), event.price, event.amount, event.external_id or "")
    return "\t".join(map(str, cells))


def send(port: int, secret: str, bodies: list[bytes]) -> None:
    """Send each body until it is accepted."""
    client = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    for body in bodies:
        while True:
            client.request("POST", "/subscriptions/records/", body, headers)
            answer = client.getresponse()
            said = answer.read()
            if answer.status != 429:
                break
            time.sleep(float(answer.headers["Retry-After"]) / 10)
            client.close()
        if answer.status != 201:
            raise RuntimeError(said.decode())
    client.close()


def sending(port: int, secret: str, events: list[UsageEvent], *, size: int, clients: int) -> Callable[[], None]:
    records = [as_json(event) for event in events]
    bodies = [json.dumps(records[at : at + size]).encode() for at in range(0, len(records), size)]

    def work() -> None:
        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(lambda number: send(port, secret, bodies[number::clients]), range(clients)))

    return work


def importing(folder: Path, events: list[UsageEvent]) -> Callable[[], None]:
    path = folder / "usage.tsv"
    header = "subscription_id\tusage_date\tprice\tkilobytes_used\texternal_id"
    path.write_text("\n".join([header, *map(as_line, events), ""]))
    return lambda: usage_file_import(path=path) and None


def compare(title: str, ways: dict[str, tuple[int, Callable[[], None]]]) -> None:
    """Run several ways in turns, and print their medians in records per second, and the ratios to the first."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(RUNS):
        for name, (count, work) in ways.items():
            forget()
            started = time.perf_counter()
            work()
            rates[name].append(count / (time.perf_counter() - started))
    first = statistics.median(rates[next(iter(ways))])
    say(f"\n{title}")
    for name, all_rates in rates.items():
        median = statistics.median(all_rates)
        say(f"  {name:<44} {median:10,.0f} records/s   x {median / first:.2f}")


def measure(count: int, folder: Path) -> None:
    ids = subscriptions_make(count=SUBSCRIPTIONS)
    for usage_type in UsageType:
        partitions.partitions_create(usage_type, [FIRST_DAY + timedelta(days=day) for day in range(DAYS)])
    user = User.objects.create_superuser("ada")
    secret = key_create(user=user, name="benchmark", scopes=["write_usage"], created_by=user).secret
    sample = usage_events(usage_type=UsageType.DATA, subscriptions=ids, count=count, first_day=FIRST_DAY, days=DAYS)
    plain = list(sample)
    named = [event._replace(external_id=f"event-{number}") for number, event in enumerate(plain)]
    # The tests' own settings open a connection for each request.
    as_usual = {"DJANGO_SETTINGS_MODULE": "dsrhub.settings", "DSRHUB_ALLOWED_HOSTS": "127.0.0.1"}
    with serving(options="--workers 2", DSRHUB_HTTPS="false", **as_usual) as server:
        for title, events in (("without external ids", plain), ("with external ids", named)):
            some = events[: count // 20]
            ways = {
                "import_usage, one file": (count, importing(folder, events)),
                "batches of 1,000, one client": (
                    count,
                    sending(server.port, secret, events, size=BATCH, clients=1),
                ),
                "batches of 1,000, two clients": (
                    count,
                    sending(server.port, secret, events, size=BATCH, clients=2),
                ),
                "single records, one client": (
                    len(some) // 10,
                    sending(server.port, secret, some[: len(some) // 10], size=1, clients=1),
                ),
            }
            compare(f"{count:,} records {title}", ways)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000, help="records (20,000 by default)")
    count = parser.parse_args().records
    connection.settings_dict["TEST"]["NAME"] = DATABASE
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            measure(count, Path(folder))
    finally:
        connection.creation.destroy_test_db("unused", verbosity=0)


if __name__ == "__main__":
    main()
