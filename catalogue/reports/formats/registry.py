"""The formats that dsrhub reads. To add one, add its folder and its line here."""

from collections.abc import Callable, Sequence

from catalogue.reports.delivery import Delivery
from catalogue.reports.explanations import COMMON, Explanation
from catalogue.reports.formats.ddex.format import DdexFormat
from catalogue.reports.formats.interface import ReportFormat
from catalogue.reports.formats.templates.format import TemplateFormat
from catalogue.reports.formats.templates.recognition import FirstRows
from catalogue.reports.formats.tsv.format import TsvFormat, has_tsv_headings
from dsrhub.files.disk import ends_in, is_system_file
from dsrhub.texts.marked import Text, translated
from dsrhub.texts.marked import gettext_lazy as _

# In the order in which they are asked. TSV comes last: it recognises every file, and refuses a wrong name.
FORMATS: Sequence[ReportFormat] = [DdexFormat(), TsvFormat()]

OF_EARLIER_RELEASES = Explanation(
    _("An earlier release found this problem."), _("Import the file again to see what it is called now.")
)
# Files beside deliveries: one says that a delivery is complete, the other that it has arrived.
SEMAPHORE, ACKNOWLEDGEMENT = ".ctrl", "ACK_"


def format_of(delivery: Delivery) -> ReportFormat:
    """The first format that recognises the delivery."""
    head = delivery.head()
    return next(one for one in FORMATS if one.recognises(delivery.name, head))


def formats_of(delivery: Delivery, templates: Callable[[], Sequence[TemplateFormat]]) -> Sequence[ReportFormat]:
    """The formats of a delivery: several only where several templates recognise it.

    A file that no other format is sure of is one of the templates, or else a TSV report.
    """
    first = format_of(delivery)
    if first is not FORMATS[-1] or has_tsv_headings(delivery.head()):
        return [first]
    file = FirstRows(delivery)
    return [one for one in templates() if one.recognises_file(file)] or [first]


def kinds() -> Sequence[ReportFormat | type[TemplateFormat]]:
    """All kinds of formats, those of templates included."""
    return [*FORMATS[:-1], TemplateFormat, FORMATS[-1]]


def explanation(code: str) -> Explanation:
    """What a code of a problem means, and what to do about it. An earlier release may have had other codes.

    A door translates it: `explanation(code).translated()`.
    """
    known = (one.explanations for one in kinds())
    return next((one[code] for one in (*known, COMMON) if code in one), OF_EARLIER_RELEASES)


def file_endings() -> tuple[str, ...]:
    """The endings of the files that can be imported, in lower case."""
    endings = dict.fromkeys(ending for one in kinds() for ending in one.endings)
    return tuple(f"{ending}{packed}" for ending in endings for packed in ("", ".gz"))


def why_never_imported(name: str) -> Text | None:
    """Why a file of this name cannot be a report, for people; None for every other file."""
    if is_system_file(name):
        return _("a file of the operating system, not a report")
    if name.startswith(ACKNOWLEDGEMENT) or ends_in(name, SEMAPHORE):
        return _("a semaphore of a delivery, not a report")
    return None


def has_report_ending(name: str) -> bool:
    """Whether a file of this name may be a report. The case of its ending does not matter."""
    return ends_in(name, file_endings())


def name_patterns() -> str:
    """How files are named, for people."""
    return ", ".join(dict.fromkeys(translated(one.name_pattern) for one in kinds()))
