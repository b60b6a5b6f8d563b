"""A delivery that is imported, and what is known of it before its lines are read."""

from collections.abc import Sequence
from dataclasses import dataclass

from catalogue.imports.loading.choices import Choices
from catalogue.imports.loading.contexts import SettledContents
from catalogue.imports.loading.keys import keys_lock
from catalogue.imports.loading.refusals import refusal_of_errors
from catalogue.reports.contexts import SalesContext
from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.interface import ReportFormat
from catalogue.reports.problems import ProblemLog


@dataclass(frozen=True)
class Incoming:
    """A file, or the files of a message. What is found in them is added to `problems`."""

    deliveries: Sequence[Delivery]
    format: ReportFormat
    contents: SettledContents
    problems: ProblemLog
    choices: Choices

    @property
    def name(self) -> str:
        """The name of the delivery: that of its first file."""
        return self.deliveries[0].name

    @property
    def contexts(self) -> Sequence[SalesContext]:
        return self.contents.contexts

    @property
    def context_numbers(self) -> Sequence[int | None]:
        """The numbers by which problems name the contexts, from 1; None for the only context."""
        count = len(self.contexts)
        return [None] if count == 1 else range(1, count + 1)

    @property
    def is_direct(self) -> bool:
        """Whether the lines of the only context are loaded where they belong. Such a delivery waits for its key before
        it is read, others only before their DSRs are written."""
        return self.contents.message is None and len(self.contexts) == 1

    def lock_keys(self) -> None:
        """Let others who import DSRs under the same keys wait until this transaction ends."""
        # Workers of earlier releases lock the names as they were delivered.
        keys_lock([*self.contexts, *self.contents.delivered], is_single=self.is_direct)

    def refuse_errors(self) -> None:
        """Raises ReportRefused with all problems, if any of them is an error."""
        if self.problems.error_count:
            raise refusal_of_errors(self.name, self.problems)
