"""The steps of one import, in the caller's transaction."""

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import chain
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User

from catalogue.dsrs.kept_files import file_keep
from catalogue.dsrs.names import SettledNames, names_claim
from catalogue.dsrs.services import dsr_facts, dsr_remove, problems_keep
from catalogue.exceptions import DSRExists, ExchangeRateIncomplete, ExchangeRateMissing, ReportRefused
from catalogue.lines.storage import LineLoad, LineTotals, Repeats
from catalogue.models import DSR
from catalogue.rates.services import ExchangeRate, exchange_rate
from catalogue.reports.contexts import SalesContext
from catalogue.reports.delivery import DamagedDelivery, Delivery, Progress
from catalogue.reports.formats.interface import ContextReader, ReportFormat
from catalogue.reports.problems import CommonError, CommonWarning, Problem, ProblemLog, shown
from catalogue.reports.totals import LastLine, is_totals_row
from dsrhub.audit import audit
from dsrhub.database import locks
from dsrhub.database.statements import rows_of
from dsrhub.exceptions import ConfirmationOutdated
from dsrhub.models import Action
from dsrhub.spelling import plain_name


class Outcome(StrEnum):
    """What became of a DSR whose delivery was not refused."""

    LOADED = "loaded"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"
    CHECKED = "checked"


@dataclass(frozen=True)
class ImportedDSR:
    """A DSR of an import. After a dry run it is what the DSR would have been, and is not in the database."""

    dsr: DSR
    outcome: Outcome


@dataclass
class ImportReport:
    """How the import of a delivery went. The DSRs come in the order of the delivery; a TSV report has one."""

    imported: list[ImportedDSR]
    problems: ProblemLog
    rewritten_count: int = 0
    seconds: float = 0.0

    @property
    def dsr(self) -> DSR:
        """The DSR of a delivery that has one. Raises ValueError for other deliveries."""
        (one,) = self.imported
        return one.dsr

    @property
    def outcome(self) -> Outcome:
        """The outcome of the whole delivery: `replaced` where any of its DSRs replaced an earlier one."""
        outcomes = {one.outcome for one in self.imported}
        return Outcome.REPLACED if Outcome.REPLACED in outcomes else outcomes.pop()


@dataclass
class ContextLoad:
    """A sales context on its way in. Its number, from 1, is None where the delivery has no other context."""

    context: SalesContext
    number: int | None
    earlier: DSR | None
    lines: LineLoad
    totals: LineTotals
    repeats: Repeats
    last_line: LastLine | None


class DeliveryLoad:
    """The import of one delivery, whose keys the caller has locked."""

    def __init__(
        self,
        delivery: Delivery,
        report_format: ReportFormat,
        names: SettledNames,
        *,
        replace: bool,
        replace_only: Collection[int] | None,
        dry_run: bool,
        user: User | None,
    ) -> None:
        self.delivery = delivery
        self.format = report_format
        self.names = names
        self.contexts = names.contexts
        self.problems = ProblemLog(settings.DSRHUB_PROBLEM_LIMIT)
        self.replace = replace
        self.replace_only = replace_only
        self.dry_run = dry_run
        self.user = user
        self.rewritten_count = 0

    def run(self, progress: Progress | None) -> ImportReport:
        """Raises DSRExists, ConfirmationOutdated, NameLooksAlike, and ReportRefused with the first of all problems."""
        earlier = [DSR.objects.ingested().under_key(context).first() for context in self.contexts]
        if unchanged := self._unchanged(earlier):
            return ImportReport(unchanged, self.problems)
        self._require_as_shown(earlier)
        self._rates()  # Before anything is read: without a rate, nothing can be loaded.
        loads = self._load_lines(earlier, progress)
        self._warn(loads)
        for load in loads:
            if not self.dry_run:
                load.lines.store()
            load.lines.discard()
        names_claim(self.names)
        # Before the rows of earlier DSRs are locked: a change of rates takes both locks in this order.
        locks.RATES.take(shared=True)
        imported = [self._keep(load, rate) for load, rate in zip(loads, self._rates(), strict=True)]
        return ImportReport(imported, self.problems, self.rewritten_count)

    def _require_as_shown(self, earlier: Sequence[DSR | None]) -> None:
        """Refuse to replace other DSRs than those that a user saw. Only under the lock of the keys do they stay so."""
        if self.replace_only is None:
            return
        if {dsr.pk for dsr in earlier if dsr is not None} != set(self.replace_only):
            raise ConfirmationOutdated("The earlier delivery is not the one that was shown. Check the file again.")

    def _unchanged(self, earlier: Sequence[DSR | None]) -> list[ImportedDSR]:
        """The earlier DSRs, if they are just this content. Raises DSRExists for others, unless they are replaced."""
        existing = [dsr for dsr in earlier if dsr is not None]
        if not existing:
            return []
        sha256 = self._sha256()
        if len(existing) == len(earlier) and all(dsr.sha256 == sha256 for dsr in existing):
            return [ImportedDSR(dsr, Outcome.UNCHANGED) for dsr in existing]
        if not self.replace:
            dsrs = ", ".join(f"DSR {dsr.pk} ({dsr.path})" for dsr in existing)
            raise DSRExists(
                f"{self.delivery.name}: {dsrs} is an earlier delivery of this report with different content. "
                "It stays, unless its replacement is asked for.",
                id=existing[0].pk,
                path=existing[0].path,
            )
        return []

    def _sha256(self) -> str:
        """The hash of the content, by a pass of its own: only a key that is there already is worth it."""
        try:
            for _ in self.delivery.chunks():
                pass
        except DamagedDelivery as damage:
            self.problems.add(damage.problem)
        self._refuse_errors()
        return self.delivery.sha256

    # --- Rates -------------------------------------------------------------------------------------------------

    def _rates(self) -> list[ExchangeRate]:
        """The exchange rate of each context. Refuses the delivery where one is missing, naming all that are."""
        rates, messages = [], []
        for number, context in self._numbered():
            try:
                rates.append(_rate(context))
            except (ExchangeRateMissing, ExchangeRateIncomplete) as error:
                self.problems.add(_rate_problem(error, number))
                messages.append(error.message)
        if messages:
            raise self._refusal(f"{self.delivery.name}: {' '.join(dict.fromkeys(messages))}")
        return rates

    def _numbered(self) -> Iterator[tuple[int | None, SalesContext]]:
        if len(self.contexts) == 1:
            yield None, self.contexts[0]
        else:
            yield from enumerate(self.contexts, start=1)

    # --- Lines -------------------------------------------------------------------------------------------------

    def _load_lines(self, earlier: Sequence[DSR | None], progress: Progress | None) -> list[ContextLoad]:
        """Read the whole delivery, and load the lines of each context until the first error."""
        loads = []
        try:
            chunks, is_small = _peek(self.delivery.chunks(progress), settings.DSRHUB_SHARED_PARTITION_BYTES)
            readers = self.format.read(chunks, self.contexts, self.problems)
            for reader, (number, context), dsr in zip(readers, self._numbered(), earlier, strict=True):
                lines = self._load_context(reader, is_small)
                if lines is not None:
                    repeats = lines.repeats(limit=self.problems.limit)
                    loads.append(ContextLoad(context, number, dsr, lines, lines.totals(), repeats, reader.last_line))
        except DamagedDelivery as damage:
            self.problems.add(damage.problem)
        self._refuse_errors()
        return loads

    def _load_context(self, reader: ContextReader, is_small: bool) -> LineLoad | None:
        """The loaded lines of a context; None where there is an error, here or in an earlier context.

        In a large delivery, a context may be small nevertheless.
        """
        blocks = self._blocks_to_load(reader)
        if len(self.contexts) > 1 and not is_small:
            blocks, is_small = _peek(blocks, settings.DSRHUB_SHARED_PARTITION_BYTES)
        if self.problems.error_count:
            deque(blocks, maxlen=0)
            return None
        lines = LineLoad(_next_dsr_number(), temporary=self.dry_run or is_small)
        lines.copy(blocks, reader.columns)
        self.rewritten_count += reader.rewritten_count
        return None if self.problems.error_count else lines

    def _blocks_to_load(self, reader: ContextReader) -> Iterator[bytes]:
        """The blocks until the first error. The rest is checked for more errors and not loaded."""
        try:
            for block in reader:
                if not self.problems.error_count:
                    yield block
        except DamagedDelivery as damage:
            self.problems.add(damage.problem)

    # --- Problems ----------------------------------------------------------------------------------------------

    def _refuse_errors(self) -> None:
        if not self.problems.error_count:
            return
        first, count = self.problems.errors[0], self.problems.error_count
        parts = (("line", first.line), ("column", first.column), ("value", first.value))
        location = ", ".join(f"{word} {value!r}" for word, value in parts if value is not None)
        raise self._refusal(
            f"{self.delivery.name}: {count} error{'s' * (count != 1)}, nothing is loaded. "
            f"The first: {first.code}{location and ' at ' + location}"
        )

    def _refusal(self, message: str) -> ReportRefused:
        return ReportRefused(
            message,
            error_count=self.problems.error_count,
            warning_count=self.problems.warning_count,
            problems=self.problems.kept,
        )

    def _warn(self, loads: Sequence[ContextLoad]) -> None:
        """Report what is legal and yet deserves a look."""
        gzip_name = self.delivery.gzip_name
        if gzip_name is not None and plain_name(gzip_name) != plain_name(self.delivery.unpacked_name):
            self.problems.add(Problem(CommonWarning.GZIP_NAME_DIFFERS, value=gzip_name))
        for problem in self.delivery.warnings:
            self.problems.add(problem)
        for names in self.names.look_alikes:
            self.problems.add(Problem(CommonWarning.NAME_LOOKS_ALIKE, value=shown(names)))
        earlier = [load.earlier.pk for load in loads if load.earlier is not None]
        others = DSR.objects.ingested().exclude(pk__in=earlier)
        # Reports without lines all have the same content.
        seen = others.filter(sha256=self.delivery.sha256, line_count__gt=0).values_list("path", flat=True)
        for path in dict.fromkeys(seen):
            self.problems.add(Problem(CommonWarning.CONTENT_SEEN_BEFORE, value=path))
        for load in loads:
            for other in others.overlapping(load.context):
                self.problems.add(Problem(CommonWarning.PERIOD_OVERLAPS, value=other.path, context_number=load.number))
            self._warn_of_repeats(load.repeats, load.number)
            self._warn_of_totals_row(load)

    def _warn_of_repeats(self, repeats: Repeats, number: int | None) -> None:
        for line_number, dsp_id in repeats.first:
            self.problems.add(
                Problem(CommonWarning.DSP_ID_REPEATED, line_number, "dsp_id", shown(dsp_id), context_number=number)
            )
        self.problems.count_warnings(repeats.line_count - len(repeats.first), number)

    def _warn_of_totals_row(self, load: ContextLoad) -> None:
        last, totals = load.last_line, load.totals
        if last is not None and is_totals_row(
            last,
            line_count=totals.line_count,
            total_usages=totals.total_usages,
            total_revenue=totals.total_revenue,
        ):
            amounts = f"usages {last.usages:f}, revenue {last.revenue:f}"
            self.problems.add(
                Problem(
                    CommonWarning.TOTALS_ROW_SUSPECTED, last.number, value=shown(amounts), context_number=load.number
                )
            )

    # --- Rows --------------------------------------------------------------------------------------------------

    def _keep(self, load: ContextLoad, rate: ExchangeRate) -> ImportedDSR:
        """Write the row of a DSR, in place of the earlier one, with its problems and its file."""
        earlier = None if load.earlier is None else dsr_remove(load.earlier.pk)
        dsr = DSR(
            id=load.lines.dsr_number,
            status=DSR.Status.INGESTED,
            partition=load.lines.partition,
            sha256=self.delivery.sha256,
            most_repeats=load.repeats.most_repeats,
            warning_count=self.problems.warning_count_of(load.number),
            exchange_rate=rate.value,
            rate_method=rate.method,
            rate_source=rate.source,
            **dsr_fields(self.delivery, load.context, self.user),
            **asdict(load.totals),
        )
        dsr.save(force_insert=True)
        problems_keep(dsr, self.problems.of(load.number))
        if self.dry_run:
            return ImportedDSR(dsr, Outcome.CHECKED)
        if load.earlier is not None and earlier is not None:
            old = {"id": load.earlier.pk, **dsr_facts(earlier)}
            audit(Action.DSR_REPLACED, dsr, user=self.user, details={"old": old, "new": dsr_facts(dsr)})
        file_keep(self.delivery.packed(), dsr)
        return ImportedDSR(dsr, Outcome.LOADED if load.earlier is None else Outcome.REPLACED)


def dsr_fields(delivery: Delivery, context: SalesContext, user: User | None) -> dict[str, Any]:
    """The fields that an ingested and a failed DSR have alike: its delivery and its key."""
    key = asdict(context)
    return {
        "path": delivery.name,
        "gzip_name": delivery.gzip_name,
        "territory_id": key.pop("territory"),
        "currency_id": key.pop("currency"),
        "imported_by": user,
        **key,
    }


def _rate(context: SalesContext) -> ExchangeRate:
    return exchange_rate(currency=context.currency, period_start=context.period_start, period_end=context.period_end)


def _rate_problem(error: ExchangeRateMissing | ExchangeRateIncomplete, number: int | None) -> Problem:
    currency = error.extra["currency"]
    if isinstance(error, ExchangeRateMissing):
        return Problem(CommonError.EXCHANGE_RATE_MISSING, value=currency, context_number=number)
    found, expected, reason = (error.extra[name] for name in ("days_found", "days_expected", "reason"))
    days = f"{found} of {expected} days, " if expected else ""
    value = f"{currency}: {days}{reason}"
    return Problem(CommonError.EXCHANGE_RATE_INCOMPLETE, value=value, context_number=number)


def _peek(pieces: Iterator[bytes], limit: int) -> tuple[Iterator[bytes], bool]:
    """The same pieces, and whether they are at most `limit` bytes in all."""
    head: list[bytes] = []
    size = 0
    for piece in pieces:
        head.append(piece)
        size += len(piece)
        if size > limit:
            return chain(head, pieces), False
    return iter(head), True


def _next_dsr_number() -> int:
    ((number,),) = rows_of("SELECT nextval(pg_get_serial_sequence('catalogue_dsr', 'id'))")
    return int(number)
