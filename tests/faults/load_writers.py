"""Writers beside the readers of the load: a program that sends usage, and a worker that sends events to a webhook."""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Count, Sum

from dsrhub.webhooks.models import Delivery, Event, Webhook
from subscriptions.models import DataUsageRecord
from tests import recipes as people
from tests.faults.webhooks import ENVIRONMENT
from tests.subscriptions import recipes
from tests.webhooks import recipes as webhooks
from tests.webhooks.receiver import Receiver

# Records of a request, and the price of each.
RECORDS, PRICE = 50, Decimal("0.25")
PATIENCE = 120


class Writers:
    """Sends records until it is stopped. What an answer counts as added must be there in the end, and nothing else."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.before = _stored()
        self.added, self.busy, self.wrong = 0, 0, list[str]()
        self.subscription = recipes.subscription.make().pk
        self.key = people.token.make(user=people.superuser.make(username=f"load {time.time_ns()}")).key
        Webhook.objects.all().delete()
        webhooks.webhook.make(url=f"http://127.0.0.1:{receiver.port}/")

    @contextmanager
    def writing(self, url: str) -> Iterator[None]:
        ended = threading.Event()
        sender = threading.Thread(target=self._send_until, args=[ended, url])
        worker = subprocess.Popen(
            [sys.executable, "manage.py", "worker"],
            cwd=settings.BASE_DIR,
            env=_environment(),
            stdout=subprocess.DEVNULL,
        )
        sender.start()
        try:
            yield
        finally:
            ended.set()
            sender.join()
            self._wait_for_events()
            worker.terminate()
            worker.wait(PATIENCE)

    def _send_until(self, ended: threading.Event, url: str) -> None:
        for number in count():
            if ended.is_set():
                return
            records = [self._record(number, place) for place in range(RECORDS)]
            status, answer = _post(url, self.key, records)
            if status == http.HTTPStatus.CREATED:
                self.added += answer["added"]
            elif status == http.HTTPStatus.TOO_MANY_REQUESTS:
                self.busy += 1
            else:
                self.wrong.append(f"{status}: {answer}")

    def _record(self, number: int, place: int) -> dict[str, Any]:
        return {
            "subscription_id": self.subscription,
            "usage_date": "2026-01-05T12:00:00Z",
            "price": str(PRICE),
            "kilobytes_used": 1,
            "external_id": f"{number}-{place}",
        }

    def _wait_for_events(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while Delivery.objects.filter(state="waiting").exists() and time.monotonic() < deadline:
            time.sleep(0.1)

    def faults(self) -> list[str]:
        """What was lost, or is there without having been told."""
        rows, price = _stored()
        expected = self.before[0] + self.added, self.before[1] + self.added * PRICE
        found = self.wrong
        if (rows, price) != expected:
            found = [*found, f"{rows} records of {price} are stored, but {expected} were added"]
        events = {event.message_id for event in Event.objects.filter(deliveries__webhook__isnull=False)}
        if set(self.receiver.message_ids) != events:
            found = [*found, f"{len(events)} events were written, and {len(set(self.receiver.message_ids))} came"]
        return found

    def __str__(self) -> str:
        came = len(set(self.receiver.message_ids))
        return f"records added meanwhile: {self.added:,}, {self.busy:,} requests sent away; events that came: {came:,}"


def _stored() -> tuple[int, Decimal]:
    found = DataUsageRecord.objects.aggregate(rows=Count("*"), price=Sum("price"))
    return found["rows"], found["price"] or Decimal(0)


def _environment() -> dict[str, str]:
    return {**os.environ, **ENVIRONMENT}


def _post(url: str, key: str, records: list[Any]) -> tuple[int, Any]:
    client = http.client.HTTPConnection(str(urlsplit(url).netloc), timeout=PATIENCE)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    client.request("POST", "/subscriptions/records/", json.dumps(records), headers)
    response = client.getresponse()
    answer = response.status, json.loads(response.read())
    client.close()
    return answer
