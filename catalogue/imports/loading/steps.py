"""The steps of one import, in the caller's transaction."""

from collections.abc import Callable, Iterator, Sequence

from catalogue.dsrs.declared import HasTotals, differences_text, found_totals, several_currencies, totals_compared
from catalogue.dsrs.names import names_claim
from catalogue.dsrs.versions.selectors import same_delivery
from catalogue.exceptions import DSRSuperseded
from catalogue.imports.loading.earlier import Earlier, find_earlier
from catalogue.imports.loading.incoming import Incoming
from catalogue.imports.loading.outcome import ImportedDSR, ImportReport, Outcome
from catalogue.imports.loading.placing import DirectLines, Lines, LoadedContext, StagedContexts
from catalogue.imports.loading.rates import context_rates
from catalogue.imports.loading.reverting import Return, versions_revert
from catalogue.imports.loading.warnings import DeliveryWarnings
from catalogue.imports.loading.writing import delivery_write
from catalogue.lines.arriving import Arrival
from catalogue.models import DSR, ReportMessage, SupersededDSR
from catalogue.reports.delivery import DamagedDelivery, Progress
from catalogue.reports.excerpts import excerpts_add
from catalogue.reports.formats.interface import LineReader
from catalogue.reports.problems import LONGEST_AMOUNTS, CommonError, Problem, shown
from dsrhub.database import locks
from dsrhub.exceptions import ConfirmationOutdated
from dsrhub.files.disk import joined_sha256
from dsrhub.texts.marked import gettext_lazy as _


class DeliveryLoad:
    """The import of one delivery: a file, or the files of a message."""

    def __init__(self, incoming: Incoming) -> None:
        self.incoming = incoming
        self.deliveries = incoming.deliveries
        self.contents = incoming.contents
        self.problems = incoming.problems
        self.choices = incoming.choices
        self.superseded: list[SupersededDSR] = []

    def run(
        self, arrival: Arrival, progress: Progress | None, when_read: Callable[[], object] | None = None
    ) -> ImportReport:
        """Raises DSRExists, DSRSuperseded, MessageIdReused, NameLooksAlike, ConfirmationOutdated, InvalidArgument for a
        declared revenue in several currencies, and ReportRefused with the first of all problems.
        """
        self._require_one_currency()
        if self.incoming.is_direct:
            self.incoming.lock_keys()
        earlier = self._earlier()
        if (report := self._known_content(earlier)) is not None:
            return report
        self._require_free(earlier)
        context_rates(self.incoming)  # Before anything is read: without a rate, nothing can be loaded.
        lines, reader = self._load_lines(arrival, progress)
        if when_read is not None:
            when_read()
        if not self.incoming.is_direct:
            self.incoming.lock_keys()
            earlier = self._earlier()
            if earlier.is_same(self._content_hash()):
                lines.discard()
                return self._unchanged(earlier)
            self._require_free(earlier)
        missing = self._missing(earlier)
        loads = lines.contexts(problem_limit=self.problems.limit)
        self._warn(earlier, loads, lines, reader)
        self._require_declared([load.totals for load in loads])
        lines.store()
        names_claim(self.contents.names)
        # Before the rows of earlier DSRs are locked: a change of rates takes both locks in this order.
        locks.RATES.take(shared=True)
        message, imported = self._write(earlier, loads, self._dropped(missing))
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

    def _write(
        self, earlier: Earlier, loads: Sequence[LoadedContext], dropped: Sequence[DSR]
    ) -> tuple[ReportMessage | None, list[ImportedDSR]]:
        return delivery_write(
            self.incoming,
            content_hash=self._content_hash(),
            earlier=earlier,
            dropped=dropped,
            loads=loads,
            rates=context_rates(self.incoming),
        )

    # --- Earlier deliveries ------------------------------------------------------------------------------------

    def _earlier(self) -> Earlier:
        return find_earlier(self.incoming.contexts, self.contents.message)

    def _require_free(self, earlier: Earlier) -> None:
        """Raises DSRExists or MessageIdReused for an earlier delivery, unless it is to be replaced."""
        if not self.choices.replace:
            earlier.refuse(self.incoming.name)

    def _missing(self, earlier: Earlier) -> list[DSR]:
        """The DSRs of replaced messages whose contexts this delivery lacks.

        Raises ConfirmationOutdated, and MessageIdReused where they would stay under the id of the message.
        """
        missing = earlier.missing()
        self._require_as_shown(earlier, missing)
        if not (self.choices.drop_missing or self.choices.dry_run):
            earlier.refuse_missing(self.incoming.name, missing)
        return missing

    def _dropped(self, missing: Sequence[DSR]) -> Sequence[DSR]:
        return missing if self.choices.drop_missing else []

    def _known_content(self, earlier: Earlier) -> ImportReport | None:
        """The report on content that is there already, or was; None for new content."""
        if not (earlier.dsrs or SupersededDSR.objects.under(self.incoming.contexts)):
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
        versions = same_delivery(self.incoming.contexts, content_hash, template_version=self._template_version)
        if versions and not self.choices.replace:
            first = versions[0]
            raise DSRSuperseded(
                _(
                    "%(name)s: this content was imported as DSR %(first)s, which was replaced or deleted on "
                    "%(day)s. It returns only if its replacement is asked for."
                )
                % {"name": self.incoming.name, "first": first.pk, "day": f"{first.superseded_at:%Y-%m-%d}"},
                id=first.pk,
                path=first.path,
            )
        return versions

    def _reverted(self, content_hash: str) -> ImportReport:
        """Let the earlier versions return that this delivery was, instead of loading it."""
        if not self.incoming.is_direct:
            self.incoming.lock_keys()
        earlier = self._earlier()
        missing = self._missing(earlier)
        context_rates(self.incoming)
        versions = same_delivery(self.incoming.contexts, content_hash, template_version=self._template_version)
        if not versions:
            raise ConfirmationOutdated(_("The earlier version has returned or was dropped meanwhile. Try again."))
        self._require_declared(versions)
        dsrs = versions_revert(Return(versions, [*earlier.dsrs, *self._dropped(missing)]), self.choices.user)
        by_context = {dsr.context: dsr for dsr in dsrs}
        return ImportReport(
            [ImportedDSR(by_context[context], Outcome.REVERTED) for context in self.incoming.contexts],
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
        self.incoming.refuse_errors()
        return joined_sha256([delivery.sha256 for delivery in self.deliveries])

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

    # --- Lines -------------------------------------------------------------------------------------------------

    def _load_lines(self, arrival: Arrival, progress: Progress | None) -> tuple[Lines, LineReader]:
        """Read the whole delivery, and load its lines until the first error."""
        dry_run = self.choices.dry_run
        lines: Lines = (
            DirectLines(arrival, dry_run=dry_run)
            if self.incoming.is_direct
            else StagedContexts(
                self.contents.described,
                arrival,
                byte_count=sum(delivery.packed_bytes for delivery in self.deliveries),
                with_repeats=self.incoming.format.has_a_line_for_each_id,
                dry_run=dry_run,
            )
        )
        try:
            reader = self.incoming.format.read(
                self.deliveries, self.contents.contents, self.problems, progress, lines.marks
            )
            lines.load(reader, self._blocks_to_load(reader))
            self._add_excerpts(reader)
        except DamagedDelivery as damage:
            self.problems.add(damage.problem)
        self.incoming.refuse_errors()
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
        return {context.currency for context in self.incoming.contexts}

    def _require_one_currency(self) -> None:
        if self.choices.declared.revenue is not None and len(self._currencies) > 1:
            raise several_currencies()

    def _require_declared(self, parts: Sequence[HasTotals]) -> None:
        """Refuse the delivery if its totals are not those that its caller declared."""
        compared = totals_compared(self.choices.declared, found_totals(parts, self._currencies))
        for text in differences_text(compared):
            self.problems.add(Problem(CommonError.TOTALS_DIFFER, value=shown(text, LONGEST_AMOUNTS)))
        self.incoming.refuse_errors()

    # --- Warnings ----------------------------------------------------------------------------------------------

    def _warn(self, earlier: Earlier, loads: Sequence[LoadedContext], lines: Lines, reader: LineReader) -> None:
        warnings = DeliveryWarnings(self.incoming, earlier)
        warnings.of_files()
        warnings.of_content(self._content_hash(), self.superseded)
        warnings.of_contexts(loads, reader.last_line)
        warnings.of_transactions(lines)
        if self.incoming.is_direct:
            # The lines of other deliveries are numbered by context, and these numbers name no lines of the file.
            self._add_excerpts(reader)

    def _add_excerpts(self, reader: LineReader) -> None:
        """Add the excerpts of the problems that were found after the lines were read."""
        try:
            excerpts_add(self.problems, self.deliveries, reader)
        except DamagedDelivery as damage:
            self.problems.add(damage.problem)
            self.incoming.refuse_errors()
