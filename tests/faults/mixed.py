"""Faults during imports of messages and template files, reverts, limits and webhooks, all on one database.

    python -m tests.faults.mixed [--times 10] [--seed N] [--only import_killed ...]

`python -m tests.faults.run` runs this program, too. There are two editions of a message and of a file that a template
reads. Every fault hits a process that changes from one edition to the other, or that works out limits and sends events.
The first failed check ends the run.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from ipaddress import ip_network
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

from django.db import connection, connections

from tests.catalogue.report_templates.helpers import csv_text, sale
from tests.catalogue.reports.formats.ddex.messages import Record, file_of, head, recording, stream, summary
from tests.catalogue.reports.formats.templates.definitions import TONBANK
from tests.faults.run import Trial, assert_idle, say
from tests.faults.server import PATIENCE, PAUSE, Server

MESSAGE = "DSR_SocietyX_Tonbank_Premium_2020-01_multi_1of1_20200212T083000.tsv"
FILE = "tonbank.csv"
BLOCKS, ROWS, SUBSCRIPTIONS, RECORDS = 4000, 8000, 40, 400
KEPT = {"DSRHUB_SUPERSEDED_DAYS": "30"}
LINES = "SELECT dsr_id, count(*), sum(usages), sum(revenue) FROM catalogue_usageline GROUP BY dsr_id"
LATE = datetime(2026, 1, 5, 12, tzinfo=UTC)

# The lines, usages and revenue of each DSR of an edition, by what identifies the DSR in its file.
Edition = dict[tuple[str, ...], tuple[int, int, Fraction]]


class MixedTrial(Trial):
    """A message and a file of a template, in two editions; usage with limits; and a webhook that wants all events."""

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
        models = import_module("subscriptions.models")
        webhooks = import_module("dsrhub.webhooks.models")
        self.manage("worker", "--once")
        if getattr(self, "limit", None) is not None:
            crossed = models.LimitCrossing.objects.filter(withdrawn_at=None, span="total")
            expected = {number for number, price in self.sums.items() if price >= self.limit}
            assert set(crossed.values_list("subscription_id", flat=True)) == expected
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


FAULTS: list[Callable[[Any], None]] = [import_killed, import_crashed, revert_killed, worker_killed]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=10, help="how often each fault happens")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**9))
    parser.add_argument("--only", nargs="*", choices=[fault.__name__ for fault in FAULTS])
    options = parser.parse_args()
    say(f"seed {options.seed}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    server = Server()
    try:
        with tempfile.TemporaryDirectory() as folder:
            trial = MixedTrial(server, Path(folder), Random(options.seed))  # noqa: S311 - when a fault comes
            with import_module("tests.webhooks.receiver").Receiver().listening() as receiver:
                trial.listen(receiver)
                for fault in FAULTS:
                    if not options.only or fault.__name__ in options.only:
                        trial.run(fault, times=options.times)
    finally:
        server.remove()
    say("All checks passed.")


if __name__ == "__main__":
    main()
