"""The steps of one import, in the caller's transaction."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from django.contrib.auth.models import User

from catalogue.dsrs.declared import (
    NOTHING_DECLARED,
    DeclaredTotals,
    HasTotals,
    differences_text,
    found_totals,
    several_currencies,
    totals_compared,
)
from catalogue.dsrs.events import dsrs_tell
from catalogue.dsrs.kept_files import dsr_file_keep
from catalogue.dsrs.names import names_claim
from catalogue.dsrs.previous import UNLIKE, PreviousReport, previous_reports, unlike_measures
from catalogue.dsrs.services import deletion_entry, dsrs_remove, empty_messages_remove, problems_of_dsrs_keep
from catalogue.dsrs.versions.selectors import same_delivery
from catalogue.exceptions import DSRSuperseded, ExchangeRateIncomplete, ExchangeRateMissing, ReportRefused
from catalogue.imports.loading.contexts import SettledContents
from catalogue.imports.loading.earlier import Earlier, find_earlier
from catalogue.imports.loading.keys import keys_lock
from catalogue.imports.loading.outcome import ImportedDSR, ImportReport, Outcome
from catalogue.imports.loading.placing import DirectLines, Lines, LoadedContext, StagedContexts
from catalogue.imports.loading.reverting import Return, versions_revert
from catalogue.imports.loading.rows import delivery_fields, dsrs_write, message_write, new_dsr, replacement_entry
from catalogue.imports.loading.values import INCOMPLETE, WITHOUT_DAYS, value_recognised
from catalogue.lines.arriving import Arrival
from catalogue.models import DSR, ReportMessage, SupersededDSR, TemplateVersion
from catalogue.querysets import DSRQuerySet
from catalogue.rates.services import ExchangeRate, exchange_rate
from catalogue.reports.contexts import SalesContext
from catalogue.reports.delivery import DamagedDelivery, Delivery, Progress
from catalogue.reports.excerpts import excerpts_add
from catalogue.reports.formats.interface import LineReader, ReportFormat
from catalogue.reports.formats.registry import explanation
from catalogue.reports.problems import LONGEST_AMOUNTS, CommonError, CommonWarning, Problem, ProblemLog, shown
from catalogue.reports.totals import AMOUNTS, LastLine, is_totals_row
from dsrhub.database import locks
from dsrhub.exceptions import ConfirmationOutdated, InvalidArgument
from dsrhub.logs.audit import audit_write
from dsrhub.texts.marked import Text, joined, ngettext_lazy, quoted
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.spelling import plain_name
from dsrhub.webhooks.models import EventType


@dataclass(frozen=True)
class Choices:
    """What the caller of an import chose. See `delivery_import`. Raises InvalidArgument.

    The totals that are `declared` are those of the whole delivery. Without a `template`, the delivery is recognised.
    """

    replace: bool = False
    replace_only: Collection[int] | None = None
    drop_missing: bool = False
    drop_only: Collection[int] | None = None
    dry_run: bool = False
    user: User | None = None
    declared: DeclaredTotals = NOTHING_DECLARED
    template: TemplateVersion | None = None

    def __post_init__(self) -> None:
        if self.drop_missing and not self.replace:
            raise InvalidArgument(
                _("Missing contexts are dropped only where a message is replaced."), argument="drop_missing"
            )


class DeliveryLoad:
    """The import of one delivery: a file, or the files of a message."""

    def __init__(
        self,
        deliveries: Sequence[Delivery],
        report_format: ReportFormat,
        contents: SettledContents,
        problems: ProblemLog,
        choices: Choices,
    ) -> None:
        self.deliveries = deliveries
        self.format = report_format
        self.contents = contents
        self.contexts = contents.contexts
        self.problems = problems
        self.choices = choices
        self.superseded: list[SupersededDSR] = []

    @property
    def name(self) -> str:
        """The name of the delivery: that of its first file."""
        return self.deliveries[0].name

    @property
    def is_direct(self) -> bool:
        """Whether the lines of the only context are loaded where they belong. Such a delivery waits for its key before
        it is read, others only before their DSRs are written."""
        return self.contents.message is None and len(self.contexts) == 1

    def run(
        self, arrival: Arrival, progress: Progress | None, when_read: Callable[[], object] | None = None
    ) -> ImportReport:
        """Raises DSRExists, DSRSuperseded, MessageIdReused, NameLooksAlike, ConfirmationOutdated, InvalidArgument for a
        declared revenue in several currencies, and ReportRefused with the first of all problems.
        """
        self._require_one_currency()
        if self.is_direct:
            self.lock_keys()
        earlier = self._earlier()
        if (report := self._known_content(earlier)) is not None:
            return report
        self._require_free(earlier)
        self._rates()  # Before anything is read: without a rate, nothing can be loaded.
        lines, reader = self._load_lines(arrival, progress)
        if when_read is not None:
            when_read()
        if not self.is_direct:
            self.lock_keys()
            earlier = self._earlier()
            if earlier.is_same(self._content_hash()):
                lines.discard()
                return self._unchanged(earlier)
            self._require_free(earlier)
        missing = earlier.missing()
        self._require_as_shown(earlier, missing)
        if not (self.choices.drop_missing or self.choices.dry_run):
            earlier.refuse_missing(self.name, missing)
        loads = lines.contexts(problem_limit=self.problems.limit)
        self._warn(earlier, loads, lines, reader)
        self._require_declared([load.totals for load in loads])
        lines.store()
        names_claim(self.contents.names)
        # Before the rows of earlier DSRs are locked: a change of rates takes both locks in this order.
        locks.RATES.take(shared=True)
        message, imported = self._write(earlier, loads, self._rates(), missing)
        return ImportReport(
            imported,
            self.problems,
            reader.rewritten_count,
            message=message,
            message_facts=self.contents.message,
            missing=missing,
            dropped=self.choices.drop_missing,
            superseded=self.superseded,
        )

    # --- Earlier deliveries ------------------------------------------------------------------------------------

    def lock_keys(self) -> None:
        """Let others who import DSRs under the same keys wait until this transaction ends."""
        # Workers of earlier releases lock the names as they were delivered.
        keys_lock([*self.contexts, *self.contents.delivered], is_single=self.is_direct)

    def _earlier(self) -> Earlier:
        return find_earlier(self.contexts, self.contents.message)

    def _require_free(self, earlier: Earlier) -> None:
        """Raises DSRExists or MessageIdReused for an earlier delivery, unless it is to be replaced."""
        if not self.choices.replace:
            earlier.refuse(self.name)

    def _known_content(self, earlier: Earlier) -> ImportReport | None:
        """The report on content that is there already, or was; None for new content."""
        if not (earlier.dsrs or SupersededDSR.objects.under(self.contexts)):
            return None
        content_hash = self._content_hash(by_pass=True)
        if earlier.is_same(content_hash):
            return self._unchanged(earlier)
        self.superseded = self._superseded(content_hash)
        return self._reverted(content_hash) if self.superseded and not self.choices.dry_run else None

    def _unchanged(self, earlier: Earlier) -> ImportReport:
        self._require_declared(earlier.dsrs)
        imported = [ImportedDSR(dsr, Outcome.UNCHANGED) for dsr in earlier.dsrs]
        return ImportReport(imported, self.problems, message=earlier.message, message_facts=self.contents.message)

    def _superseded(self, content_hash: str) -> list[SupersededDSR]:
        """The earlier versions that this delivery was. Raises DSRSuperseded, unless they are to return."""
        versions = same_delivery(self.contexts, content_hash, template_version=self._template_version)
        if versions and not self.choices.replace:
            first = versions[0]
            raise DSRSuperseded(
                _(
                    "%(name)s: this content was imported as DSR %(first)s, which was replaced or deleted on "
                    "%(day)s. It returns only if its replacement is asked for."
                )
                % {"name": self.name, "first": first.pk, "day": f"{first.superseded_at:%Y-%m-%d}"},
                id=first.pk,
                path=first.path,
            )
        return versions

    def _reverted(self, content_hash: str) -> ImportReport:
        """Let the earlier versions return that this delivery was, instead of loading it."""
        if not self.is_direct:
            self.lock_keys()
        earlier = self._earlier()
        missing = earlier.missing()
        self._require_as_shown(earlier, missing)
        if not self.choices.drop_missing:
            earlier.refuse_missing(self.name, missing)
        self._rates()
        versions = same_delivery(self.contexts, content_hash, template_version=self._template_version)
        if not versions:
            raise ConfirmationOutdated(_("The earlier version has returned or was dropped meanwhile. Try again."))
        self._require_declared(versions)
        standing = [*earlier.dsrs, *(missing if self.choices.drop_missing else [])]
        dsrs = versions_revert(Return(versions, standing), self.choices.user)
        by_context = {dsr.context: dsr for dsr in dsrs}
        return ImportReport(
            [ImportedDSR(by_context[context], Outcome.REVERTED) for context in self.contexts],
            self.problems,
            message=dsrs[0].message,
            message_facts=self.contents.message,
            missing=missing,
            dropped=self.choices.drop_missing,
        )

    @property
    def _template_version(self) -> int | None:
        return None if self.contents.message is None else self.contents.message.template_version

    def _content_hash(self, *, by_pass: bool = False) -> str:
        """The hash of the content; that of several files is made of their hashes.

        It is known after the lines are read, or after a pass of its own: only a key that is there already is worth it.
        """
        try:
            for _ in (chunk for delivery in self.deliveries if by_pass for chunk in delivery.chunks()):
                pass
        except DamagedDelivery as damage:
            self.problems.add(damage.problem)
        self._refuse_errors()
        hashes = [delivery.sha256 for delivery in self.deliveries]
        return hashes[0] if len(hashes) == 1 else sha256(" ".join(hashes).encode()).hexdigest()

    def _require_as_shown(self, earlier: Earlier, missing: Sequence[DSR]) -> None:
        """Refuse to replace or drop other DSRs than those that a user saw.

        Only under the lock of the keys do they stay so.
        """
        replace_only, drop_only = self.choices.replace_only, self.choices.drop_only
        is_other = replace_only is not None and set(earlier.ids) != set(replace_only)
        drops_more = (
            self.choices.drop_missing and drop_only is not None and {dsr.pk for dsr in missing} - set(drop_only)
        )
        if is_other or drops_more:
            raise ConfirmationOutdated(_("The earlier delivery is not the one that was shown. Check the file again."))

    # --- Rates -------------------------------------------------------------------------------------------------

    def _rates(self) -> list[ExchangeRate]:
        """The exchange rate of each context. Refuses the delivery where one is missing, naming all that are."""
        rates: dict[tuple[object, ...], ExchangeRate | None] = {}
        texts = []
        for number, context in self._numbered():
            key = _rate_key(context)
            if key in rates:
                continue
            try:
                rates[key] = exchange_rate(
                    currency=context.currency, period_start=context.period_start, period_end=context.period_end
                )
            except (ExchangeRateMissing, ExchangeRateIncomplete) as error:
                rates[key] = None
                self.problems.add(_rate_problem(error, number))
                texts.append(error.text)
        if texts:
            text = _("%(name)s: %(faults)s") % {"name": self.name, "faults": joined(dict.fromkeys(texts), " ")}
            raise report_refused(text, self.problems)
        return [rate for context in self.contexts if (rate := rates[_rate_key(context)]) is not None]

    def _numbered(self) -> Iterator[tuple[int | None, SalesContext]]:
        if len(self.contexts) == 1:
            yield None, self.contexts[0]
        else:
            yield from enumerate(self.contexts, start=1)

    # --- Lines -------------------------------------------------------------------------------------------------

    def _load_lines(self, arrival: Arrival, progress: Progress | None) -> tuple[Lines, LineReader]:
        """Read the whole delivery, and load its lines until the first error."""
        dry_run = self.choices.dry_run
        lines: Lines = (
            DirectLines(arrival, dry_run=dry_run)
            if self.is_direct
            else StagedContexts(
                self.contents.described,
                arrival,
                byte_count=sum(delivery.packed_bytes for delivery in self.deliveries),
                with_repeats=self.format.has_a_line_for_each_id,
                dry_run=dry_run,
            )
        )
        try:
            reader = self.format.read(self.deliveries, self.contents.contents, self.problems, progress, lines.marks)
            lines.load(reader, self._blocks_to_load(reader))
            self._add_excerpts(reader)
        except DamagedDelivery as damage:
            self.problems.add(damage.problem)
        self._refuse_errors()
        return lines, reader

    def _blocks_to_load(self, reader: LineReader) -> Iterator[bytes]:
        """The blocks until the first error. The rest is checked for more errors and not loaded."""
        try:
            for block in reader:
                if not self.problems.error_count:
                    yield block
        except DamagedDelivery as damage:
            self.problems.add(damage.problem)

    # --- Declared totals ---------------------------------------------------------------------------------------

    @property
    def _currencies(self) -> set[str]:
        return {context.currency for context in self.contexts}

    def _require_one_currency(self) -> None:
        if self.choices.declared.revenue is not None and len(self._currencies) > 1:
            raise several_currencies()

    def _require_declared(self, parts: Sequence[HasTotals]) -> None:
        """Refuse the delivery if its totals are not those that its caller declared."""
        compared = totals_compared(self.choices.declared, found_totals(parts, self._currencies))
        for text in differences_text(compared):
            self.problems.add(Problem(CommonError.TOTALS_DIFFER, value=shown(text, LONGEST_AMOUNTS)))
        self._refuse_errors()

    # --- Problems ----------------------------------------------------------------------------------------------

    def _refuse_errors(self) -> None:
        if self.problems.error_count:
            raise refusal_of_errors(self.name, self.problems)

    def _warn(self, earlier: Earlier, loads: Sequence[LoadedContext], lines: Lines, reader: LineReader) -> None:
        """Report what is legal and yet deserves a look."""
        for delivery in self.deliveries:
            self._warn_of_file(delivery)
        for names in self.contents.names.look_alikes:
            self.problems.add(Problem(CommonWarning.NAME_LOOKS_ALIKE, value=shown(names)))
        others = DSR.objects.ingested().exclude(pk__in=earlier.ids)
        self._warn_of_content(others)
        overlapping = others.overlapping(self.contexts)
        previous = previous_reports(self.contexts, without=earlier.ids)
        for (number, context), load in zip(self._numbered(), loads, strict=True):
            for path in overlapping.get(context, []):
                self.problems.add(Problem(CommonWarning.PERIOD_OVERLAPS, value=path, context_number=number))
            if context in previous:
                self._warn_of_unlike(load, previous[context], number)
            self._warn_of_repeats(load, number)
            self._warn_of_totals_row(load, reader.last_line)
        count, first = lines.repeated_transactions(limit=self.problems.limit)
        for transaction_id in first:
            self.problems.add(Problem(CommonWarning.TRANSACTION_ID_REPEATED, value=shown(transaction_id)))
        self.problems.count_warnings(count - len(first), None)
        if self.is_direct:
            # The lines of other deliveries are numbered by context, and these numbers name no lines of the file.
            self._add_excerpts(reader)

    def _add_excerpts(self, reader: LineReader) -> None:
        """Add the excerpts of the problems that were found after the lines were read."""
        try:
            excerpts_add(self.problems, self.deliveries, reader)
        except DamagedDelivery as damage:
            self.problems.add(damage.problem)
            self._refuse_errors()

    def _warn_of_content(self, others: DSRQuerySet) -> None:
        # Reports without lines all have the same content.
        seen = others.filter(sha256=self._content_hash(), line_count__gt=0).values_list("path", flat=True)
        for path in dict.fromkeys(seen):
            self.problems.add(Problem(CommonWarning.CONTENT_SEEN_BEFORE, value=path))
        for path in dict.fromkeys(version.path for version in self.superseded):
            self.problems.add(Problem(CommonWarning.CONTENT_SUPERSEDED, value=path))

    def _warn_of_file(self, delivery: Delivery) -> None:
        file = delivery.name if len(self.deliveries) > 1 else None
        gzip_name = delivery.gzip_name
        if gzip_name is not None and plain_name(gzip_name) != plain_name(delivery.unpacked_name):
            self.problems.add(Problem(CommonWarning.GZIP_NAME_DIFFERS, value=gzip_name, file=file))
        for problem in delivery.warnings:
            self.problems.add(replace(problem, file=file))

    def _warn_of_unlike(self, load: LoadedContext, previous: PreviousReport, number: int | None) -> None:
        totals = load.totals
        for measure, now, before in unlike_measures(
            usages=totals.total_usages, revenue=totals.total_revenue, previous=previous
        ):
            facts = {"now": f"{now:f}", "before": f"{before:f}", "id": previous.id, "path": previous.path}
            value = shown(UNLIKE[measure] % facts, LONGEST_AMOUNTS)
            self.problems.add(Problem(CommonWarning.UNLIKE_PREVIOUS_REPORT, value=value, context_number=number))

    def _warn_of_totals_row(self, load: LoadedContext, last: LastLine | None) -> None:
        totals = load.totals
        if last is not None and is_totals_row(
            last,
            line_count=totals.line_count,
            total_usages=totals.total_usages,
            total_revenue=totals.total_revenue,
        ):
            amounts = AMOUNTS % {"usages": f"{last.usages:f}", "revenue": f"{last.revenue:f}"}
            self.problems.add(Problem(CommonWarning.TOTALS_ROW_SUSPECTED, last.number, value=shown(amounts)), last.raw)

    def _warn_of_repeats(self, load: LoadedContext, number: int | None) -> None:
        if load.repeats is None:
            return
        for line_number, dsp_id in load.repeats.first:
            self.problems.add(
                Problem(CommonWarning.DSP_ID_REPEATED, line_number, "dsp_id", shown(dsp_id), context_number=number)
            )
        self.problems.count_warnings(load.repeats.line_count - len(load.repeats.first), number)

    # --- Rows --------------------------------------------------------------------------------------------------

    def _write(
        self,
        earlier: Earlier,
        loads: Sequence[LoadedContext],
        rates: Sequence[ExchangeRate],
        missing: Sequence[DSR],
    ) -> tuple[ReportMessage | None, list[ImportedDSR]]:
        """Write the rows of the message and its DSRs, in place of the earlier ones."""
        facts, user, dry_run = self.contents.message, self.choices.user, self.choices.dry_run
        dropped = missing if self.choices.drop_missing else []
        numbers = zip(earlier.by_context, (load.dsr_number for load in loads), strict=True)
        successors = {old.pk: number for old, number in numbers if old is not None}
        removed = dsrs_remove([*earlier.ids, *(dsr.pk for dsr in dropped)], successors=successors, user=user)
        message = None
        if facts is not None and not dry_run:
            problems = self.problems if len(self.contexts) > 1 else None
            # A server of the release before, which does not know messages, may have deleted the DSRs of one.
            empty_messages_remove(message_id=facts.message_id)
            message = message_write(self.deliveries, self.format.name, facts, problems, user)
        common = {**delivery_fields(self.deliveries[0], user), "sha256": self._content_hash()}
        dsrs = [
            new_dsr(described, load, rate, message, warning_count=self._warning_count(number), **common)
            for (number, _), described, load, rate in zip(
                self._numbered(), self.contents.described, loads, rates, strict=True
            )
        ]
        dsrs_write(dsrs, loads)
        of_context = self._problems_by_context()
        problems_of_dsrs_keep(
            {dsr.pk: of_context[number] for (number, _), dsr in zip(self._numbered(), dsrs, strict=True)}
        )
        if dry_run:
            return None, [ImportedDSR(dsr, Outcome.CHECKED) for dsr in dsrs]
        if message is None:
            for dsr in dsrs:
                dsr_file_keep(self.deliveries[0].packed(), dsr)
        self._audit(removed, dropped, zip(dsrs, earlier.by_context, strict=True))
        dsrs_tell(EventType.DSR_REPLACED if earlier.ids else EventType.DSR_INGESTED, dsrs, replaced=earlier.ids)
        dsrs_tell(EventType.DSR_DELETED, [removed[dsr.pk] for dsr in dropped if dsr.pk in removed])
        return message, [
            ImportedDSR(dsr, Outcome.LOADED if old is None else Outcome.REPLACED)
            for dsr, old in zip(dsrs, earlier.by_context, strict=True)
        ]

    def _audit(
        self, removed: Mapping[int, DSR], dropped: Sequence[DSR], pairs: Iterable[tuple[DSR, DSR | None]]
    ) -> None:
        """Note which DSRs are replaced, and which are dropped."""
        user = self.choices.user
        replaced = [(dsr, removed[old.pk]) for dsr, old in pairs if old is not None and old.pk in removed]
        entries = [replacement_entry(dsr, old, user) for dsr, old in replaced]
        entries += [deletion_entry(dsr.pk, dsr, user) for dsr in dropped if dsr.pk in removed]
        audit_write(entries)

    def _problems_by_context(self) -> Mapping[int | None, list[Problem]]:
        """The kept problems of each context. Those of a whole message are kept with the message."""
        if self.contents.message is None or len(self.contexts) == 1:
            return {number: self.problems.of(number) for number, _ in self._numbered()}
        by_context: dict[int | None, list[Problem]] = defaultdict(list)
        for problem in self.problems.kept:
            by_context[problem.context_number].append(problem)
        return by_context

    def _warning_count(self, number: int | None) -> int:
        if self.contents.message is None or number is None:
            return self.problems.warning_count_of(number)
        return self.problems.warning_counts[number]


def refusal_of_errors(name: str, problems: ProblemLog) -> ReportRefused:
    """The exception for a delivery with errors. Its message explains the first one."""
    first, count = problems.errors[0], problems.error_count
    text = ngettext_lazy(
        "%(name)s: %(count)s error, nothing is loaded. The first: %(first)s",
        "%(name)s: %(count)s errors, nothing is loaded. The first: %(first)s",
        count,
    )
    return report_refused(text % {"name": name, "count": count, "first": _located(first)}, problems)


def _located(problem: Problem) -> str | Text:
    """What a problem means, and where it is. Its code is for programs: the problems of the exception have it."""
    sentence = explanation(problem.code).sentence
    parts = (
        (_("file %(value)s"), problem.file),
        (_("line %(value)s"), problem.line),
        (_("column %(value)s"), problem.column),
        (_("value %(value)s"), problem.value and value_recognised(problem.code, problem.value)),
    )
    location = [text % {"value": quoted(value)} for text, value in parts if value is not None]
    if not location:
        return sentence
    return _("%(sentence)s (%(location)s)") % {"sentence": sentence, "location": joined(location)}


def report_refused(text: Text, problems: ProblemLog) -> ReportRefused:
    return ReportRefused(
        text,
        error_count=problems.error_count,
        warning_count=problems.warning_count,
        problems=problems.kept,
    )


def _rate_key(context: SalesContext) -> tuple[object, ...]:
    return context.currency, context.period_start, context.period_end


def _rate_problem(error: ExchangeRateMissing | ExchangeRateIncomplete, number: int | None) -> Problem:
    currency = error.extra["currency"]
    if isinstance(error, ExchangeRateMissing):
        return Problem(CommonError.EXCHANGE_RATE_MISSING, value=currency, context_number=number)
    found, expected, reason = (error.extra[name] for name in ("days_found", "days_expected", "reason"))
    facts = {"currency": currency, "found": found, "expected": expected, "reason": reason}
    value = (INCOMPLETE if expected else WITHOUT_DAYS) % facts
    return Problem(CommonError.EXCHANGE_RATE_INCOMPLETE, value=str(value), context_number=number)
