"""Warnings of a delivery: what is legal and yet deserves a look."""

from collections.abc import Sequence
from dataclasses import replace

from catalogue.dsrs.previous import UNLIKE, PreviousReport, previous_reports, unlike_measures
from catalogue.imports.loading.earlier import Earlier
from catalogue.imports.loading.incoming import Incoming
from catalogue.imports.loading.placing import Lines, LoadedContext
from catalogue.models import DSR, SupersededDSR
from catalogue.reports.delivery import Delivery
from catalogue.reports.problems import LONGEST_AMOUNTS, CommonWarning, Problem, shown
from catalogue.reports.totals import AMOUNTS, LastLine, is_totals_row
from dsrhub.texts.spelling import plain_name


class DeliveryWarnings:
    """Adds warnings to the problems of a delivery, compared with the DSRs that it does not replace."""

    def __init__(self, incoming: Incoming, earlier: Earlier) -> None:
        self._incoming = incoming
        self._problems = incoming.problems
        self._replaced = earlier.ids
        self._others = DSR.objects.ingested().exclude(pk__in=earlier.ids)

    def of_files(self) -> None:
        for delivery in self._incoming.deliveries:
            self._of_file(delivery)
        for names in self._incoming.contents.names.look_alikes:
            self._problems.add(Problem(CommonWarning.NAME_LOOKS_ALIKE, value=shown(names)))

    def _of_file(self, delivery: Delivery) -> None:
        file = delivery.name if len(self._incoming.deliveries) > 1 else None
        gzip_name = delivery.gzip_name
        if gzip_name is not None and plain_name(gzip_name) != plain_name(delivery.unpacked_name):
            self._problems.add(Problem(CommonWarning.GZIP_NAME_DIFFERS, value=gzip_name, file=file))
        for problem in delivery.warnings:
            self._problems.add(replace(problem, file=file))

    def of_content(self, content_hash: str, superseded: Sequence[SupersededDSR]) -> None:
        """The same content in other DSRs, and in earlier versions."""
        # Reports without lines all have the same content.
        seen = self._others.filter(sha256=content_hash, line_count__gt=0).values_list("path", flat=True)
        for path in dict.fromkeys(seen):
            self._problems.add(Problem(CommonWarning.CONTENT_SEEN_BEFORE, value=path))
        for path in dict.fromkeys(version.path for version in superseded):
            self._problems.add(Problem(CommonWarning.CONTENT_SUPERSEDED, value=path))

    def of_contexts(self, loads: Sequence[LoadedContext], last_line: LastLine | None) -> None:
        contexts = self._incoming.contexts
        overlapping = self._others.overlapping(contexts)
        previous = previous_reports(contexts, without=self._replaced)
        for number, context, load in zip(self._incoming.context_numbers, contexts, loads, strict=True):
            for path in overlapping.get(context, []):
                self._problems.add(Problem(CommonWarning.PERIOD_OVERLAPS, value=path, context_number=number))
            if context in previous:
                self._of_unlike(load, previous[context], number)
            self._of_repeats(load, number)
            self._of_totals_row(load, last_line)

    def _of_unlike(self, load: LoadedContext, previous: PreviousReport, number: int | None) -> None:
        totals = load.totals
        for measure, now, before in unlike_measures(
            usages=totals.total_usages, revenue=totals.total_revenue, previous=previous
        ):
            facts = {"now": f"{now:f}", "before": f"{before:f}", "id": previous.id, "path": previous.path}
            value = shown(UNLIKE[measure] % facts, LONGEST_AMOUNTS)
            self._problems.add(Problem(CommonWarning.UNLIKE_PREVIOUS_REPORT, value=value, context_number=number))

    def _of_repeats(self, load: LoadedContext, number: int | None) -> None:
        if load.repeats is None:
            return
        for line_number, dsp_id in load.repeats.first:
            self._problems.add(
                Problem(CommonWarning.DSP_ID_REPEATED, line_number, "dsp_id", shown(dsp_id), context_number=number)
            )
        self._problems.count_warnings(load.repeats.line_count - len(load.repeats.first), number)

    def _of_totals_row(self, load: LoadedContext, last: LastLine | None) -> None:
        totals = load.totals
        if last is not None and is_totals_row(
            last,
            line_count=totals.line_count,
            total_usages=totals.total_usages,
            total_revenue=totals.total_revenue,
        ):
            amounts = AMOUNTS % {"usages": f"{last.usages:f}", "revenue": f"{last.revenue:f}"}
            self._problems.add(Problem(CommonWarning.TOTALS_ROW_SUSPECTED, last.number, value=shown(amounts)), last.raw)

    def of_transactions(self, lines: Lines) -> None:
        count, first = lines.repeated_transactions(limit=self._problems.limit)
        for transaction_id in first:
            self._problems.add(Problem(CommonWarning.TRANSACTION_ID_REPEATED, value=shown(transaction_id)))
        self._problems.count_warnings(count - len(first), None)
