"""The name of a TSV report, which says what the report is about."""

import re
from datetime import date

from catalogue.exceptions import InvalidReportName
from catalogue.reports.contexts import SalesContext
from catalogue.reports.delivery import LONGEST_NAME
from dsrhub.texts.marked import gettext_lazy as _

NAME_PATTERN = "{DSP}_{Offer}[_{Society}]_{TT}_{CCC}_{yyyymmdd}-{yyyymmdd}.tsv[.gz]"
REPORT_NAME = re.compile(
    r"(?P<dsp>[^\W_][^_/\\]{0,99})"
    r"_(?P<offer>[^_/\\]{1,100})"
    r"(?:_(?P<society>[^_/\\]{1,100}))?"
    r"_(?P<territory>[A-Z]{2})"
    r"_(?P<currency>[A-Z]{3})"
    r"_(?P<period_start>[0-9]{8})-(?P<period_end>[0-9]{8})"
    # In any case, letter by letter: without regard to case, `s` would also match the long s, `ſ`.
    r"\.[Tt][Ss][Vv](?:\.[Gg][Zz])?"
)


def is_report_name(name: str) -> bool:
    """Whether a file is named like a TSV report."""
    return _match(name) is not None


def parse_report_name(name: str) -> SalesContext:
    """Read `{DSP}_{Offer}[_{Society}]_{TT}_{CCC}_{yyyymmdd}-{yyyymmdd}.tsv[.gz]`. The ending may be in capitals.

    Whether the territory and the currency exist is for the caller to find out.
    Raises InvalidReportName.
    """
    match = _match(name)
    if match is None:
        raise InvalidReportName(
            _("The file name %(name)s doesn't match the pattern %(pattern)s")
            % {"name": repr(name[:LONGEST_NAME]), "pattern": NAME_PATTERN},
            name=name,
        )
    parts = match.groupdict()
    try:
        start, end = (_compact_date(parts[part]) for part in ("period_start", "period_end"))
    except ValueError as error:
        raise InvalidReportName(
            _("%(name)s has a date in its period that does not exist.") % {"name": repr(name)}, name=name
        ) from error
    if start > end:
        raise InvalidReportName(
            _("%(name)s has a period that ends before it starts.") % {"name": repr(name)}, name=name
        )
    return SalesContext(
        dsp=parts["dsp"],
        offer=parts["offer"],
        society=parts["society"],
        territory=parts["territory"],
        currency=parts["currency"],
        period_start=start,
        period_end=end,
    )


def _match(name: str) -> re.Match[str] | None:
    return REPORT_NAME.fullmatch(name) if len(name) <= LONGEST_NAME and name.isprintable() else None


def _compact_date(digits: str) -> date:
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
