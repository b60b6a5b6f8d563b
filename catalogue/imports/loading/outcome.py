"""How an import went."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from catalogue.models import DSR, ReportMessage, SupersededDSR
from catalogue.reports.contexts import MessageFacts
from catalogue.reports.problems import ProblemLog
from dsrhub.actors import Door, current_actor
from dsrhub.metrics.stored import Addition, StoredCounter, stored_add

REFUSED = "refused"


class Outcome(StrEnum):
    """What became of a DSR whose delivery was not refused. A DSR is reverted where the delivery is an earlier version
    that returns."""

    LOADED = "loaded"
    REPLACED = "replaced"
    REVERTED = "reverted"
    UNCHANGED = "unchanged"
    CHECKED = "checked"


DOORS = tuple((door.value,) for door in Door)
OUTCOMES = (*(one.value for one in Outcome if one != Outcome.CHECKED), REFUSED)
IMPORTS = StoredCounter(
    "dsrhub_imports",
    "Deliveries by door and outcome, without dry runs.",
    ("door", "outcome"),
    tuple((door.value, outcome) for door in Door for outcome in OUTCOMES),
)
IMPORTED_LINES = StoredCounter("dsrhub_imported_lines", "Lines of the DSRs that were loaded.", ("door",), DOORS)
IMPORT_SECONDS = StoredCounter("dsrhub_import_seconds", "The time that it took to load them.", ("door",), DOORS)


@dataclass(frozen=True)
class ImportedDSR:
    """A DSR of an import. After a dry run it is what the DSR would have been, and is not in the database."""

    dsr: DSR
    outcome: Outcome


@dataclass
class ImportReport:
    """How the import of a delivery went. The DSRs come in the order of the delivery; a TSV report has one.

    `message_facts` is what a message says about itself, and `message` its row; after a dry run there is none. `missing`
    are the DSRs of replaced messages whose contexts the delivery lacks, and `dropped` says whether they were removed.
    After a dry run, `superseded` are the earlier versions that would return.
    """

    imported: list[ImportedDSR]
    problems: ProblemLog
    rewritten_count: int = 0
    seconds: float = 0.0
    message: ReportMessage | None = None
    message_facts: MessageFacts | None = None
    missing: list[DSR] = field(default_factory=list)
    dropped: bool = False
    superseded: Sequence[SupersededDSR] = ()

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


def import_count(report: ImportReport | None) -> None:
    """Count an import that ended; without a report, one that was refused."""
    door = current_actor().door.value
    if report is None:
        stored_add(Addition(IMPORTS, (door, REFUSED)))
        return
    loaded = [one.dsr for one in report.imported if one.outcome != Outcome.UNCHANGED]
    stored_add(
        Addition(IMPORTS, (door, report.outcome.value)),
        Addition(IMPORTED_LINES, (door,), sum(dsr.line_count for dsr in loaded)),
        Addition(IMPORT_SECONDS, (door,), report.seconds if loaded else 0),
    )
