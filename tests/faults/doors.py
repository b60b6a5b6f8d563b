"""The ways into dsrhub (doors), each tried with a delivery, and what must hold after any delivery."""

import io
import json
import os
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from catalogue.dsrs.services import dsr_delete
from catalogue.dsrs.versions.superseding import versions_drop
from catalogue.exceptions import InvalidReportName
from catalogue.imports.queue.worker import queue_drain
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, ImportJob, SupersededDSR
from catalogue.reports import delivery
from catalogue.reports.contexts import Contents
from catalogue.reports.formats.ddex.format import DdexFormat
from catalogue.reports.formats.interface import LineReader
from catalogue.reports.formats.tsv.name import parse_report_name
from catalogue.reports.formats.tsv.reader import ReportReader
from catalogue.reports.problems import ProblemLog
from catalogue.resources.services import catalogue_refresh
from tests.faults.deliveries import HEADER, RESIDENT, UNPACKED_LIMIT, Delivery
from tests.faults.messages import contexts_of
from tests.faults.reference import NoReport, Totals, rows, totals, totals_of, unpacked
from tests.recipes import superuser

RESIDENT_CONTENT = HEADER + b"a\tOne\tAna\tESABC2000001\t1\t1.50\r\nb\t\t\t\t\t0.25\r\n"
RESIDENT_TOTALS = Totals(2, 2, (1, 1, 1, 1, 2), 1, Decimal("1.75"))
BOUNDARY = "a-line-that-no-file-has"

# The settings of the fuzz run: some reports have their own table, and gzip bombs can be small.
SETTINGS = {"DSRHUB_SHARED_PARTITION_BYTES": 1500, "DSRHUB_UPLOAD_UNPACKED_LIMIT_BYTES": UNPACKED_LIMIT}

IN_DATABASE = """
SELECT dsr_id, count(*), count(DISTINCT dsp_id), count(title), count(artists), count(isrc), count(usages),
    count(revenue), coalesce(sum(usages), 0), coalesce(sum(revenue), 0)
FROM catalogue_usageline GROUP BY dsr_id
"""


def stored() -> dict[int, Totals]:
    """The totals of the lines of each ingested DSR. Checks that the row of the DSR has the same totals."""
    with connection.cursor() as cursor:
        cursor.execute(IN_DATABASE)
        lines = {
            number: Totals(count, ids, tuple(filled), usages, revenue)
            for number, count, ids, *filled, usages, revenue in cursor.fetchall()
        }
        cursor.execute("SELECT dsr_number FROM catalogue_leftoverlines")
        leftovers = {number for (number,) in cursor.fetchall()}
    found = {}
    for dsr in DSR.objects.ingested():
        found[dsr.pk] = lines.pop(dsr.pk, Totals(0, 0, (0, 0, 0, 0, 0), 0, Decimal(0)))
        totals_of_dsr = (dsr.line_count, dsr.total_usages, dsr.total_revenue)
        assert totals_of_dsr == (found[dsr.pk].lines, found[dsr.pk].usages, found[dsr.pk].revenue)
    assert lines.keys() <= leftovers, "lines that belong to no DSR"
    return found


def is_message(data: bytes, name: str) -> bool:
    """Whether data, delivered as `name`, are taken for a message of DDEX: neither a report nor anything else."""
    try:
        return bool(re.match(rb"(?:\xef\xbb\xbf)?(?:(?:#.*|\s*)\n)*[ \t]*HEAD[.\d]*[ \t]", unpacked(name, data)))
    except NoReport:
        return False


def context(dsr: DSR) -> tuple[int, int, Fraction, Fraction | None, Fraction | None]:
    """What `contexts_of` says."""
    unallocated, declared = (
        None if amount is None else Fraction(amount) for amount in (dsr.unallocated_revenue, dsr.declared_revenue)
    )
    revenue = Fraction(dsr.total_revenue)
    assert declared is None or revenue + unallocated == declared
    return dsr.line_count, int(dsr.total_usages), revenue, unallocated, declared


class Door:
    """`deliver` returns the status with which a delivery was accepted or refused, and whether it was loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.statuses: dict[str, int] = {}
        self.cases = 0

    def try_with(self, one: Delivery) -> None:
        """Deliver, and check the result."""
        self._make_ready()
        before = stored()
        status, is_in = self.deliver(one)
        self.cases += 1
        self.statuses[status] = self.statuses.get(status, 0) + 1
        after = stored()
        if not is_in:
            assert after == before, "a refused file has changed DSRs"
            return
        new = DSR.objects.filter(pk__in=after.keys() - before.keys())
        if is_message(one.data, new[0].path):
            assert before.keys() <= after.keys(), "another DSR was removed"
            assert {dsr.summary_id: context(dsr) for dsr in new} == contexts_of(new[0].path, one.data)
            return
        (dsr,) = new
        assert len(before.keys() - after.keys()) <= one.replace, "another DSR was removed"
        assert after[dsr.pk] == totals_of(dsr.path, one.data)

    def deliver(self, one: Delivery) -> tuple[str, bool]:
        raise NotImplementedError

    def _make_ready(self) -> None:
        """Start each case with the same single DSR, so that a case depends only on its delivery."""
        if [*stored().values()] == [RESIDENT_TOTALS]:
            return
        for dsr in DSR.objects.all():
            dsr_delete(dsr_number=dsr.pk)
        versions_drop(SupersededDSR.objects.values_list("pk", flat=True), reason="deleted")
        catalogue_refresh()
        path = self.folder / "resident"
        path.write_bytes(RESIDENT_CONTENT)
        dsr_import(path=path, name=RESIDENT)


class ParserDoor(Door):
    """The parser of names and contents, without a database. The reference must agree in every case."""

    def try_with(self, one: Delivery) -> None:
        self.cases += 1
        name = one.name.decode(errors="replace")
        path = self.folder / "report"
        path.write_bytes(one.data)
        if DdexFormat().recognises(name, delivery.Delivery(path, name).head()):
            self._try_with_message(path, name, one)
            return
        try:
            parse_report_name(name)
        except InvalidReportName:
            name = RESIDENT + ".gz" * name.endswith(".gz")
        content, problems = b"", ProblemLog(100)
        try:
            reader = ReportReader(delivery.Delivery(path, name).chunks(), problems)
            header = "\t".join(reader.columns).encode() + reader.line_end
            content = header + b"".join(reader)
        except delivery.DamagedDelivery as damage:
            problems.add(damage.problem)
        expected = totals_of(name, one.data)
        status = problems.errors[0].code if problems.error_count else "valid"
        self.statuses[status] = self.statuses.get(status, 0) + 1
        assert (problems.error_count == 0) == (expected is not None)
        if expected is not None:
            assert totals(rows(content)) == expected

    def _try_with_message(self, path: Path, name: str, one: Delivery) -> None:
        deliveries, problems = [delivery.Delivery(path, name)], ProblemLog(100)
        try:
            contents = DdexFormat().describe(deliveries, problems)
            if contents is not None:
                marks = [b"%d" % number for number, _ in enumerate(contents.contexts, start=1)]
                reader = DdexFormat().read(deliveries, contents, problems, None, marks)
                found = loaded_contexts(reader, contents)
        except delivery.DamagedDelivery as damage:
            problems.add(damage.problem)
        status = problems.errors[0].code if problems.error_count else "valid"
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if not problems.error_count:
            assert found == contexts_of(name, one.data)


def loaded_contexts(reader: LineReader, contents: Contents) -> dict[str, tuple[object, ...]]:
    """What `contexts_of` says of the lines that a reader yields."""
    sums = [[0, 0, Fraction(0)] for _ in contents.contexts]
    at = {column: number for number, column in enumerate(("context", *reader.columns))}
    for line in b"".join(reader).decode().splitlines():
        cells = line.split("\t")
        assert len(cells) == len(at)
        one = sums[int(cells[at["context"]]) - 1]
        one[0] += 1
        one[1] += int(cells[at["usages"]])
        one[2] += Fraction(cells[at["revenue"]] or 0)
    return {
        described.declared.summary_id: (
            *(count, usages, revenue),
            None if result.unallocated_revenue is None else Fraction(result.unallocated_revenue),
            None if described.declared.revenue is None else Fraction(described.declared.revenue),
        )
        for described, result, (count, usages, revenue) in zip(contents.contexts, reader.results, sums, strict=True)
        if described.declared is not None
    }


class CommandDoor(Door):
    """`import_dsr`."""

    def deliver(self, one: Delivery) -> tuple[str, bool]:
        if b"/" in one.name or b"\0" in one.name or one.name in (b"", b".", b"..") or len(one.name) > 255:
            return "not a file name", False
        path = self.folder / "delivered" / os.fsdecode(one.name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(one.data)
        # Like a terminal, this refuses texts that are not UTF-8.
        out = io.TextIOWrapper(io.BytesIO(), "utf-8")
        err = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace")
        try:
            call_command("import_dsr", str(path), jobs=1, replace=one.replace, stdout=out, stderr=err, no_color=True)
        except CommandError:
            return "refused", False
        finally:
            path.unlink()
        out.seek(0)
        outcome = out.read().removeprefix(path.name + ": ").split()[0].strip(",")
        return outcome, outcome in ("loaded", "replaced")


class BrowserDoor(Door):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        user = User.objects.filter(username="fuzz").first() or superuser.make(username="fuzz")
        self.client = Client()
        self.client.force_login(user)

    def post(self, url: str, field: str, one: Delivery, **others: str) -> HttpResponse:
        """Send a form as a careless program does, with the bytes of the name unchanged."""
        parts = [
            f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in others.items()
        ]
        head = b'Content-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n' % (field.encode(), one.name)
        parts.append(head + one.data + b"\r\n")
        line = b"--" + BOUNDARY.encode()
        body = b"".join(line + b"\r\n" + part for part in parts) + line + b"--\r\n"
        return self.client.generic("POST", url, body, f"multipart/form-data; boundary={BOUNDARY}")


class RESTDoor(BrowserDoor):
    """`POST /dsrs/`."""

    def deliver(self, one: Delivery) -> tuple[str, bool]:
        response = self.post("/dsrs/", "file", one, replace=str(one.replace).lower())
        assert response.status_code in (200, 201, 400, 409, 413)
        answer = json.loads(response.content)
        assert isinstance(answer, dict)
        return str(response.status_code), response.status_code == 201


class AdminDoor(BrowserDoor):
    """The Import button: upload and check, then confirmation."""

    def deliver(self, one: Delivery) -> tuple[str, bool]:
        response = self.post("/admin/catalogue/dsr/import/", "import_file", one, format="0", resource="0")
        assert response.status_code in (200, 302, 400)
        if response.status_code != 302:
            return "no upload", False
        try:
            return self._confirmed(response["Location"], one)
        finally:
            ImportJob.objects.all().delete()
            for path in settings.DSRHUB_UPLOAD_DIR.iterdir():
                path.unlink()

    def _confirmed(self, page: str, one: Delivery) -> tuple[str, bool]:
        assert self.client.get(page).status_code == 200
        # A worker does what took too long for a page.
        queue_drain()
        job = ImportJob.objects.get()
        if job.state == ImportJob.State.CHECKED:
            chosen = {"upload": job.upload, "job": str(job.pk), "confirm": "yes"}
            if one.replace:
                chosen |= {"replace": str(job.pk), f"seen-{job.pk}": job.changed_at.isoformat()}
            assert self.client.post("/admin/catalogue/dsr/process_import/", chosen).status_code == 302
            queue_drain()
            assert self.client.get(page).status_code == 200
            job.refresh_from_db()
        assert "internal error" not in job.message
        return job.state, job.message.startswith(("Loaded", "Replaced"))


DOORS: dict[str, Callable[[Path], Door]] = {
    "parser": ParserDoor,
    "command": CommandDoor,
    "REST": RESTDoor,
    "admin": AdminDoor,
}
