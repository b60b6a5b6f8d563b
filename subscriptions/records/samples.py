"""Sample usage for trials and benchmarks. The same arguments give the same records."""

import gzip
import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import TextIOWrapper
from itertools import chain
from pathlib import Path

from subscriptions.models import RECORD_MODELS, Subscription, UsageType
from subscriptions.records.events import UsageEvent
from subscriptions.records.files import EXTERNAL_ID, REQUIRED_COLUMNS

SECONDS_A_DAY = 24 * 3600
LARGEST_PRICE_CENTS = 500
SHARE_ACTIVE = 3
LARGEST_AMOUNT = {UsageType.DATA: 200_000, UsageType.VOICE: 3600}


def subscriptions_make(*, count: int) -> list[int]:
    """The ids of the first `count` subscriptions. Adds missing ones, alternating between the two carriers."""
    missing = count - Subscription.objects.count()
    Subscription.objects.bulk_create(
        (
            Subscription(carrier=list(Subscription.Carrier)[number % 2], status=Subscription.Status.ACTIVE)
            for number in range(missing)
        ),
        batch_size=1000,
    )
    return list(Subscription.objects.order_by("id").values_list("id", flat=True)[:count])


def usage_events(
    *,
    usage_type: UsageType,
    subscriptions: Sequence[int],
    count: int,
    first_day: date,
    days: int,
    seed: int = 1,
    with_external_ids: bool = False,
    largest_price_cents: int = LARGEST_PRICE_CENTS,
) -> Iterator[UsageEvent]:
    """Records at random times (UTC), day by day. On each day one third of the subscriptions have usage.

    Each price is below `largest_price_cents`.
    """
    rng = random.Random(f"{usage_type} {seed}")  # noqa: S311 - not for security
    start = datetime(first_day.year, first_day.month, first_day.day, tzinfo=UTC)
    prices = [Decimal(cents).scaleb(-2) for cents in range(largest_price_cents)]
    largest = LARGEST_AMOUNT[usage_type]
    day = -1
    for number in range(count):
        if day != number * days // count:
            day = number * days // count
            active = rng.sample(subscriptions, -(-len(subscriptions) // SHARE_ACTIVE))
        yield UsageEvent(
            rng.choice(active),
            start + timedelta(days=day, seconds=int(rng.random() * SECONDS_A_DAY)),
            rng.choice(prices),
            int(rng.random() * largest),
            f"{usage_type}-{seed}-{number}" if with_external_ids else None,
        )


def usage_file_write(path: Path, usage_type: UsageType, events: Iterable[UsageEvent]) -> None:
    """Write a file for `import_usage`. Its name decides the compression (.gz) and the separator (.tsv or not)."""
    columns = (*REQUIRED_COLUMNS, RECORD_MODELS[usage_type].amount_column, EXTERNAL_ID)
    separator = "\t" if ".tsv" in path.suffixes else ","
    lines = (
        separator.join((str(subscription), usage_date.isoformat(), str(price), str(amount), external_id or ""))
        for subscription, usage_date, price, amount, external_id in events
    )
    with path.open("wb") as raw:
        # Without a name and a time in the gzip header, the same records give the same bytes.
        packed = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if path.suffix == ".gz" else raw
        with TextIOWrapper(packed, "utf-8", newline="") as file:
            file.writelines(line + "\n" for line in chain([separator.join(columns)], lines))
