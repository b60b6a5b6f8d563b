"""Faults during imports of messages and template files, reverts, limits and webhooks, all on one database.

    python -m tests.faults.mixed [--times 10] [--seed N] [--only import_killed ...]

`python -m tests.faults.run` runs this program, too. There are two editions of a message and of a file that a template
reads. Every fault hits a process that changes from one edition to the other, or that works out limits and sends events.
Some faults are of the network to the database (`proxy.py`). The first failed check ends the run.
"""

import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from django.db import connection, connections

from tests.catalogue.report_templates.helpers import csv_text, sale
from tests.catalogue.reports.formats.ddex.messages import Record, file_of, head, recording, stream, summary
from tests.catalogue.reports.formats.templates.definitions import TONBANK
from tests.faults.program import Fault, parser_of, trial_of, try_each
from tests.faults.proxy import Proxy
from tests.faults.run import MEBIBYTE, Trial, assert_idle, disk_filled, disk_full
from tests.faults.server import PATIENCE, PAUSE, Server
from tests.printing import say

MESSAGE = "DSR_SocietyX_Tonbank_Premium_2020-01_multi_1of1_20200212T083000.tsv"
FILE = "tonbank.csv"
# So many rows that a COPY fails where files of the database are limited to the least that the server needs.
BLOCKS, ROWS, SUBSCRIPTIONS, RECORDS = 8000, 16_000, 40, 400
KEPT = {"DSRHUB_SUPERSEDED_DAYS": "30"}
LINES = "SELECT dsr_id, count(*), sum(usages), sum(revenue) FROM catalogue_usageline GROUP BY dsr_id"
LATE = datetime(2026, 1, 5, 12, tzinfo=UTC)

# The lines, usages and revenue of each DSR of an edition, by what identifies the DSR in its file.
Edition = dict[tuple[str, ...], tuple[int, int, Fraction]]


class MixedTrial(Trial):
    """A message and a file of a template, in two editions; usage with limits; and a webhook that wants all events."""

    limit: Decimal | None = None

    def write_editions(self) -> None:
        for number, edition in enumerate(self.editions):
            (edition / MESSAGE).write_bytes(_message(number))
            (edition / FILE).write_text(_file(number), newline="")
        # What the files have, by an independent reader and by how they were made.
        self.expected = [_expected(edition, number) for number, edition in enumerate(self.editions)]
        self.by_folder = dict(zip(self.editions, self.expected, strict=True))

    def prepare(self) -> None:
        super().prepare()
        self.environment |= KEPT | import_module("tests.faults.webhooks").ENVIRONMENT
        settings = import_module("django.conf").settings
        settings.DSRHUB_SUPERSEDED_DAYS = 30
        settings.DSRHUB_WEBHOOK_HTTP = True
        settings.DSRHUB_WEBHOOK_NETWORKS = [ip_network("127.0.0.0/8")]
        import_module("catalogue.report_templates.services").template_save(name="Tonbank", definition=TONBANK)
        recipes = import_module("tests.subscriptions.recipes")
        self.subscriptions = [recipes.subscription.make().pk for _ in range(SUBSCRIPTIONS)]
        self.sums = dict.fromkeys(self.subscriptions, Decimal(0))
        connections.close_all()

    def import_all(self, edition: Path) -> None:
        self.manage("import_dsr", "--replace", str(edition))
        self.manage("refresh_catalogue")
        assert self.standing() == self.by_folder[edition]

    def assert_whole(self) -> None:
        """The DSRs that stand are those of one edition of each file, and every line belongs to a DSR or a version."""
        assert_idle(self.server.url)
        found = self.standing()
        for kind in ("message", "file"):
            own = {key: sums for key, sums in found.items() if key[0] == kind}
            editions = [{key: sums for key, sums in one.items() if key[0] == kind} for one in self.expected]
            assert own in editions, f"the {kind} is no edition: {own}"
            self.count[f"{kind} replaced"] += own == editions[self.expected.index(self.by_folder[self.new])]
        self.manage("refresh_catalogue")
        assert self.standing() == found
        self.import_all(self.new)
        self.count["DSRs compared with their files"] += 2 * len(found) + len(self.expected[0])
        self.finish_work()

    def standing(self) -> Edition:
        """The sums of the lines of each DSR. Checks the rows of DSRs and of earlier versions, and that no other lines
        are there."""
        models = import_module("catalogue.models")
        with connection.cursor() as cursor:
            cursor.execute(LINES)
            lines = {number: (count, int(usages), Fraction(revenue)) for number, count, usages, revenue in cursor}
        rows = [*models.DSR.objects.ingested().select_related("message"), *models.SupersededDSR.objects.all()]
        for row in rows:
            assert lines[row.pk] == (row.line_count, int(row.total_usages), Fraction(row.total_revenue)), row.pk
        dropped = set(models.LeftoverLines.objects.values_list("dsr_number", flat=True))
        assert lines.keys() <= {row.pk for row in rows} | dropped, "lines of no DSR"
        standing = [row for row in rows if isinstance(row, models.DSR)]
        connections.close_all()
        found = {_key(row): lines[row.pk] for row in standing}
        assert len(found) == len(standing), "a DSR is there twice"
        return found

    # --- Usage, limits and events ------------------------------------------------------------------------------

    def add_usage(self) -> None:
        """Records of many subscriptions, and another limit."""
        records = import_module("subscriptions.records")
        models = import_module("subscriptions.models")
        event = import_module("subscriptions.records.events").UsageEvent
        added = []
        for _ in range(RECORDS):
            number, price = self.random.choice(self.subscriptions), Decimal(self.random.randrange(1, 50)) / 4
            added.append(event(number, LATE, price, 1))
            self.sums[number] += price
        import_module(f"{records.__name__}.services").usage_records_add(usage_type=models.UsageType.DATA, records=added)
        self.limit = Decimal(self.random.randrange(20, 400))
        import_module("subscriptions.limits.services").price_limit_set(
            usage_type=models.UsageType.DATA, span=models.LimitSpan.TOTAL, price=self.limit
        )
        connections.close_all()

    def finish_work(self) -> None:
        """Let a worker do what is left. Then who has reached the limit is known, and every event has come once."""
        webhooks = import_module("dsrhub.webhooks.models")
        self.manage("worker", "--once")
        if self.limit is not None:
            assert self._limits_are_right()
            self.count["limits compared"] += len(self.sums)
        connections.close_all()
        receiver = getattr(self, "receiver", None)
        if receiver is None:
            return
        deadline = time.monotonic() + PATIENCE
        while webhooks.Delivery.objects.exclude(state="delivered").exists():
            assert time.monotonic() < deadline, "not everything is delivered"
            self.manage("worker", "--once")
        events = {event.message_id for event in webhooks.Event.objects.filter(deliveries__isnull=False)}
        assert set(receiver.message_ids) == events, "an event is lost, or was never committed"
        self._assert_told(webhooks.Event)
        self.count["events that came"] = len(events)
        self.count["events that came twice"] = len(receiver.received) - len(events)
        connections.close_all()

    def _limits_are_right(self) -> bool:
        """Whether those subscriptions have reached the limit whose records add up to it."""
        models = import_module("subscriptions.models")
        crossed = models.LimitCrossing.objects.filter(withdrawn_at=None, span="total")
        expected = {number for number, price in self.sums.items() if self.limit is not None and price >= self.limit}
        return set(crossed.values_list("subscription_id", flat=True)) == expected

    def finish_with(self, worker: Any) -> None:
        """A worker that has met a fault does all that is left, and stops when it is told to."""
        webhooks = import_module("dsrhub.webhooks.models")
        deadline = time.monotonic() + PATIENCE
        while webhooks.Delivery.objects.exclude(state="delivered").exists() or not self._limits_are_right():
            assert worker.poll() is None, worker.communicate()
            assert time.monotonic() < deadline, "the worker does not go on"
            connections.close_all()
            time.sleep(10 * PAUSE)
        connections.close_all()
        worker.terminate()
        _, errors = worker.communicate(timeout=PATIENCE)
        assert worker.returncode == 0, errors
        assert "Traceback" not in errors, errors

    def _assert_told(self, events: Any) -> None:
        """Each DSR that came since the webhook was there is in an event, and each reached limit is."""
        models, json = import_module("catalogue.models"), import_module("json")
        bodies = [json.loads(event.body) for event in events.objects.all()]
        told = {number for body in bodies for number in _dsrs_of(body)}
        here = {*models.DSR.objects.values_list("pk", flat=True)}
        here |= {*models.SupersededDSR.objects.values_list("pk", flat=True)}
        assert here - self.before <= told, "a DSR came, and no event tells of it"

    def listen(self, receiver: Any) -> None:
        recipes, models = import_module("tests.webhooks.recipes"), import_module("catalogue.models")
        self.receiver = receiver
        recipes.webhook.make(url=f"http://127.0.0.1:{receiver.port}/")
        self.before = {*models.DSR.objects.values_list("pk", flat=True)}
        self.before |= {*models.SupersededDSR.objects.values_list("pk", flat=True)}
        connections.close_all()


def _dsrs_of(body: Any) -> list[int]:
    """All ids of DSRs in an event, wherever they are."""
    found: list[int] = []
    for name, part in body.get("data", {}).items():
        if name in ("dsrs", "replaced", "dsr") and isinstance(part, list | int):
            found += part if isinstance(part, list) else [part]
    return found


# --- The files -------------------------------------------------------------------------------------------------


def _message(number: int) -> bytes:
    records: list[Record] = [head(), summary("1", str(20 * BLOCKS), "9000.00")]
    records.append(summary("2", str(20 * BLOCKS), "1234.56", c8="Family"))
    for block in range(BLOCKS):
        records.append(recording(f"B{block}", dsp_id=f"trk-{block}"))
        records.append(stream(f"B{block}", str(1 + block % 2), usages=str(1 + (block + number) % 7)))
    return file_of(*records)


def _rows(number: int) -> Iterable[list[str]]:
    for row in range(ROWS):
        net = f"{(row + number) % 13}.{row % 10}1"
        yield sale(country=("ES", "NO")[row % 2], title=f"Song {row}", quantity=str(1 + (row + number) % 5), net=net)


def _file(number: int) -> str:
    return csv_text(list(_rows(number)))


def _expected(edition: Path, number: int) -> Edition:
    """What an independent reader of messages finds, and what the rows of the other file add up to."""
    contexts_of = import_module("tests.faults.messages").contexts_of
    contents = contexts_of(MESSAGE, (edition / MESSAGE).read_bytes())
    found = {("message", summary_id): sums[:3] for summary_id, sums in contents.items()}
    for row in _rows(number):
        lines, usages, revenue = found.get(("file", row[1]), (0, 0, Fraction(0)))
        found["file", row[1]] = lines + 1, usages + int(row[7]), revenue + Fraction(row[8])
    return found


def _key(dsr: Any) -> tuple[str, ...]:
    return ("message", dsr.summary_id) if dsr.message.format == "DDEX" else ("file", dsr.territory_id)


# --- The faults ------------------------------------------------------------------------------------------------


def import_killed(trial: MixedTrial) -> None:
    """An import of a message and of a template's file killed (SIGKILL) at a random moment."""
    with trial.importing() as process:
        trial.wait()
        process.kill()


def import_crashed(trial: MixedTrial) -> None:
    """PostgreSQL stopped (immediate shutdown) and started during an import of a message and of a template's file."""
    with trial.importing() as process:
        trial.wait()
        trial.server.stop(signal.SIGQUIT)
        trial.server.start()
        _, errors = process.communicate(timeout=PATIENCE)
        assert "Traceback" not in errors, errors


REVERT = """
from catalogue.imports.loading.reverting import version_revert
from catalogue.models import SupersededDSR
for message in (False, True):
    versions = SupersededDSR.objects.filter(territory_id="GB" if message else "ES").order_by("-superseded_at", "pk")
    version_revert(version_number=versions[0].pk)
"""


def revert_killed(trial: MixedTrial) -> None:
    """Two earlier versions that return, killed (SIGKILL) at a random moment."""
    with trial.importing("shell", "--no-imports", "-c", REVERT) as process:
        trial.wait(part=0.3)
        process.kill()
    trial.count["reverts of the file before the kill"] += trial.standing() != trial.by_folder[trial.editions[0]]


def worker_killed(trial: MixedTrial) -> None:
    """A worker killed (SIGKILL) while it works out limits and sends events, beside an import."""
    trial.add_usage()
    with trial.importing() as importer:
        worker = trial.popen("worker")
        try:
            trial.wait()
            time.sleep(trial.random.uniform(0, 3))
            worker.kill()
            _, errors = importer.communicate(timeout=PATIENCE)
            assert importer.returncode == 0, errors
        finally:
            worker.kill()
            worker.communicate()
    # The sessions of the worker end before another one takes over.
    time.sleep(PAUSE)


def worker_without_room(trial: MixedTrial) -> None:
    """Little space left on the disk, for an import and a worker that works out limits and sends events."""
    if not trial.server.user:
        trial.count["skipped, as it needs root"] += 1
        return
    trial.add_usage()
    log_before = len(trial.server.log())
    worker = trial.popen("worker")
    try:
        with trial.server.disk_filled(but_for=trial.random.randrange(8 * MEBIBYTE)):
            trial.ended(trial.popen("import_dsr", "--replace", str(trial.new)))
        trial.count["times without room"] += "No space left on device" in trial.server.log()[log_before:]
        trial.server.stop(signal.SIGQUIT)
        trial.server.start()
        trial.finish_with(worker)
    finally:
        worker.kill()
        worker.communicate()


def network_slow(trial: MixedTrial) -> None:
    """A network that makes each 8 KiB between an import and the database late by up to 20 ms."""
    proxy = Proxy(trial.server.folder, seconds_late=trial.random.uniform(0, 0.02))
    with proxy.listening() as url, trial.importing(DATABASE_URL=url) as process:
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
    assert trial.standing() == trial.by_folder[trial.new]


def network_broken(trial: MixedTrial) -> None:
    """A network between an import and the database that breaks after a random byte."""
    with _breaking(trial) as (proxy, url):
        proxy.bytes_left = _bytes(trial)
        with trial.importing(DATABASE_URL=url) as process:
            trial.ended(process)
        trial.count["breaks"] += proxy.breaks


def network_of_worker_broken(trial: MixedTrial) -> None:
    """A network between a worker and the database that breaks three times after a random byte, beside an import."""
    trial.add_usage()
    with _breaking(trial) as (proxy, url), trial.importing() as importer:
        worker = trial.popen("worker", DATABASE_URL=url)
        try:
            for _ in range(3):
                # A worker that waits for work sends few bytes.
                proxy.bytes_left = _bytes(trial, most=50_000)
                deadline = time.monotonic() + PATIENCE
                while proxy.bytes_left is not None:
                    assert time.monotonic() < deadline, "the worker does not connect again"
                    time.sleep(PAUSE)
            trial.ended(importer)
            trial.count["breaks"] += proxy.breaks
            trial.finish_with(worker)
        finally:
            worker.kill()
            worker.communicate()


@contextmanager
def _breaking(trial: MixedTrial) -> Iterator[tuple[Proxy, str]]:
    """A network that is to break. The database learns of it up to two seconds later than its client."""
    proxy = Proxy(trial.server.folder, seconds_unknown=trial.random.uniform(0, 2))
    with proxy.listening() as url:
        yield proxy, url


def _bytes(trial: MixedTrial, most: int = 3_000_000) -> int:
    """From the first messages of a connection to, as a rule, more than an import sends and receives."""
    return int(100 * (most / 100) ** trial.random.random())


FAULTS: list[Fault] = [import_killed, import_crashed, revert_killed, worker_killed, disk_full, disk_filled]
FAULTS += [worker_without_room, network_slow, network_broken, network_of_worker_broken]


def main() -> None:
    options = parser_of(__doc__, FAULTS, times=10).parse_args()
    with (
        trial_of(MixedTrial, Server(), options.seed) as trial,
        # Imported late, as models need a Django that is set up.
        import_module("tests.webhooks.receiver").Receiver().listening() as receiver,
    ):
        trial.listen(receiver)
        try_each(trial, FAULTS, options.only, lambda _: options.times)
    say("All checks passed.")


if __name__ == "__main__":
    main()
