"""Events on their way to a receiver, for the faults of workers. Django must be set up before this is imported."""

import time
from random import Random

from django.db import connections, transaction

from dsrhub.webhooks.models import Delivery, Event, EventType, Webhook
from dsrhub.webhooks.outbox import event_write
from tests.faults.server import PATIENCE, PAUSE
from tests.webhooks import recipes
from tests.webhooks.receiver import Receiver, status

SUBJECTS, EVENTS = 4, 60
# With these, a worker may send to this machine.
ENVIRONMENT = {"DSRHUB_WEBHOOK_HTTP": "true", "DSRHUB_WEBHOOK_NETWORKS": "127.0.0.0/8"}


class Outbox:
    """A receiver that answers after some milliseconds, and events for it, of a few subjects. Every third is rolled
    back."""

    def __init__(self, receiver: Receiver, random: Random) -> None:
        self.receiver = receiver
        self.receiver.answers.extend([_slowly(random.uniform(0, 0.02)) for _ in range(EVENTS)])
        Webhook.objects.all().delete()
        # Workers tell of missing reports, too.
        recipes.webhook.make(url=f"http://127.0.0.1:{receiver.port}/", events=[EventType.DSR_INGESTED])
        for number in range(EVENTS):
            with transaction.atomic():
                subject = f"dsp:{number % SUBJECTS}"
                event_write(EventType.DSR_INGESTED, subject=subject, data={"dsrs": [number]})
                transaction.set_rollback(number % 3 == 2)
        self.events = list(Event.objects.filter(deliveries__isnull=False).order_by("pk"))
        connections.close_all()

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while len(self.receiver.received) < count:
            assert time.monotonic() < deadline, f"{len(self.receiver.received)} events came"
            time.sleep(PAUSE / 10)

    def finish(self) -> int:
        """Wait until all is delivered. Each event came, in the order of its subject. Return how many came twice."""
        deadline = time.monotonic() + PATIENCE
        while Delivery.objects.exclude(state="delivered").exists():
            assert time.monotonic() < deadline, "not everything is delivered"
            time.sleep(PAUSE)
        first = list(dict.fromkeys(self.receiver.message_ids))
        assert set(first) == {event.message_id for event in self.events}
        for subject in {event.subject for event in self.events}:
            of_subject = [event.message_id for event in self.events if event.subject == subject]
            assert [one for one in first if one in of_subject] == of_subject
        connections.close_all()
        return len(self.receiver.received) - len(first)


def _slowly(seconds: float):
    def answer(handler):
        time.sleep(seconds)
        status(204)(handler)

    return answer
