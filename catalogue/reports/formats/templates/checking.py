"""A live check: what a definition makes of a whole file. It writes nothing and knows no database."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

from catalogue.reports.contexts import SalesContext
from catalogue.reports.delivery import DamagedDelivery, Delivery, Progress
from catalogue.reports.formats.templates.cells.contexts import Key
from catalogue.reports.formats.templates.cells.territories import folded
from catalogue.reports.formats.templates.definition import NUMBER_FIELDS, Definition
from catalogue.reports.formats.templates.reader import Group, SalesReader
from catalogue.reports.formats.templates.recognition import problem_of_name
from catalogue.reports.formats.templates.validation import definition_faults, invalid_template
from catalogue.reports.problems import ProblemLog
from dsrhub.values.numbers import WIDE, exact_sum


@dataclass(frozen=True)
class ContextTotals:
    """The exact sums of the rows of a sales context: what its DSR would have."""

    context: SalesContext
    line_count: int
    usages: Decimal
    revenue: Decimal


@dataclass(frozen=True)
class CurrencyTotals:
    """The exact sums of all rows of a currency."""

    currency: str
    context_count: int
    line_count: int
    usages: Decimal
    revenue: Decimal


@dataclass(frozen=True)
class UnmappedValue:
    """A value that a field cannot have, and that no map of the definition knows, such as the name of a territory.

    Its case does not matter: it is written as in its first row, that of `line`. `revenue` is that of its rows by
    currency (as delivered).
    """

    field: str
    value: str
    line: int
    row_count: int
    revenue: Mapping[str, Decimal]


@dataclass(frozen=True)
class Check:
    """What a definition makes of a file.

    `rows` are the first rows behind the headings, cell by cell as delivered. `contexts` come with the most revenue
    first, of many the first; `context_count` is their number. `unmapped` values come with the most revenue first. Where
    the definition has faults, `check` raises; a file that it cannot read has errors among the `problems`.
    `skipped_count` is the number of rows that the definition leaves out, without blank ones and the end of the file.
    `is_whole` is false where there may be more rows than were read.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    contexts: Sequence[ContextTotals]
    context_count: int
    currencies: Sequence[CurrencyTotals]
    unmapped: Sequence[UnmappedValue]
    problems: ProblemLog
    line_count: int
    skipped_count: int
    is_whole: bool = True


def check(
    sample: Delivery,
    definition: Definition,
    *,
    problem_limit: int = 100,
    context_limit: int = 100,
    row_limit: int = 20,
    line_limit: int | None = None,
    progress: Progress | None = None,
) -> Check:
    """Read a file by a definition: the whole file, or its first `line_limit` rows of sales.

    Raises InvalidTemplate where the definition has faults. `progress` may raise to end the check.
    """
    if faults := definition_faults(definition):
        raise invalid_template(faults)
    problems = ProblemLog(problem_limit)
    if problem := problem_of_name(definition, sample.name):
        problems.add(problem)
    sums = _Sums()
    try:
        sales = SalesReader(sample, definition, problems, progress)
        sums.read(sales, row_limit, line_limit)
    except DamagedDelivery as damage:
        problems.add(damage.problem)
        return Check((), (), (), 0, (), (), problems, 0, 0)
    contexts = [ContextTotals(context, *sums.of_contexts[number]) for context, number in sales.contexts.items()]
    contexts.sort(key=lambda one: one.revenue, reverse=True)
    return Check(
        headings=sales.table.headings.cells,
        rows=sums.first_rows,
        contexts=contexts[:context_limit],
        context_count=len(contexts),
        currencies=_by_currency(contexts),
        unmapped=_unmapped(sales, sums),
        problems=problems,
        line_count=sums.line_count,
        skipped_count=sales.table.skipped_count,
        is_whole=sums.is_whole,
    )


class _Amounts(NamedTuple):
    """How many rows there are, and their exact sums."""

    line_count: int
    usages: Decimal
    revenue: Decimal


NOTHING = _Amounts(0, Decimal(0), Decimal(0))


class _Sums:
    """The sums of the rows of a file: by the number of their context, and of those without one by their group."""

    def __init__(self) -> None:
        self.of_contexts: defaultdict[int, _Amounts] = defaultdict(lambda: NOTHING)
        self.of_groups: defaultdict[Key, _Amounts] = defaultdict(lambda: NOTHING)
        self.first_rows: list[list[str]] = []
        self.line_count = 0
        self.is_whole = True

    def read(self, sales: SalesReader, row_limit: int, line_limit: int | None) -> None:
        for batch in sales.batches(line_limit):
            self.line_count += len(batch.rows)
            self.first_rows += [list(cells) for _, cells in batch.rows[: row_limit - len(self.first_rows)]]
            for group, cells in zip(batch.groups, sales.lines_of(batch), strict=True):
                self._add(group, {} if cells is None else dict(zip(sales.lines.columns, cells, strict=True)))
        self.is_whole = line_limit is None or self.line_count < line_limit

    def _add(self, group: Group, amounts: Mapping[str, str]) -> None:
        usages, revenue = (Decimal(amounts.get(name) or 0) for name in NUMBER_FIELDS)
        if group.number is None:
            self.of_groups[group.key] = _added(self.of_groups[group.key], usages, revenue)
        else:
            self.of_contexts[group.number] = _added(self.of_contexts[group.number], usages, revenue)


def _added(sums: _Amounts, usages: Decimal, revenue: Decimal) -> _Amounts:
    return _Amounts(sums.line_count + 1, WIDE.add(sums.usages, usages), WIDE.add(sums.revenue, revenue))


def _by_currency(contexts: Sequence[ContextTotals]) -> list[CurrencyTotals]:
    by_currency: defaultdict[str, list[ContextTotals]] = defaultdict(list)
    for one in contexts:
        by_currency[one.context.currency].append(one)
    return [
        CurrencyTotals(
            currency,
            len(those),
            sum(one.line_count for one in those),
            exact_sum(one.usages for one in those),
            exact_sum(one.revenue for one in those),
        )
        for currency, those in sorted(by_currency.items())
    ]


def _unmapped(sales: SalesReader, sums: _Sums) -> list[UnmappedValue]:
    """The values of cells that keep their rows out of every context."""
    found: dict[tuple[str, str], UnmappedValue] = {}
    for group in sales.groups.values():
        currency, amounts = sales.text("currency", group) if group.faults else "", sums.of_groups[group.key]
        for fault in group.faults:
            value = fault.value.strip()
            if fault.place is None or not value:
                continue
            key = fault.field, folded(value)
            one = found.setdefault(key, UnmappedValue(fault.field, value, group.line, 0, {}))
            revenue = {**one.revenue, currency: WIDE.add(one.revenue.get(currency, Decimal(0)), amounts.revenue)}
            found[key] = replace(one, row_count=one.row_count + amounts.line_count, revenue=revenue)
    return sorted(found.values(), key=lambda one: max(one.revenue.values()), reverse=True)
