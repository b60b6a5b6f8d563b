"""A live check: what a definition makes of a whole file. It writes nothing and knows no database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from catalogue.reports.contexts import SalesContext
from catalogue.reports.delivery import Delivery, Progress
from catalogue.reports.formats.templates.definition import Definition
from catalogue.reports.problems import ProblemLog


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

    `revenue` is that of its rows by currency (as delivered), and `line` the first of them.
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
    `is_whole` is false where only the first rows were read.
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
    raise NotImplementedError
