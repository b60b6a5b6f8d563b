"""The formats that dsrhub reads. To add one, add its folder and its line here."""

from collections.abc import Sequence

from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.interface import ReportFormat
from catalogue.reports.formats.tsv.format import TsvFormat

# In the order in which they are asked. TSV comes last: it recognises every file, and refuses a wrong name.
FORMATS: Sequence[ReportFormat] = [TsvFormat()]


def format_of(delivery: Delivery) -> ReportFormat:
    """The first format that recognises the delivery."""
    head = delivery.head()
    return next(one for one in FORMATS if one.recognises(delivery.name, head))


def file_endings() -> tuple[str, ...]:
    """The endings of the files that can be imported."""
    endings = dict.fromkeys(ending for one in FORMATS for ending in one.endings)
    return tuple(f"{ending}{packed}" for ending in endings for packed in ("", ".gz"))


def name_patterns() -> str:
    """How files are named, for people."""
    return ", ".join(dict.fromkeys(one.name_pattern for one in FORMATS))
