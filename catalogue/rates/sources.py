"""Where the exchange rate of a DSR comes from, in words. They are stored in English."""

from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.marked import text_recognised, translated

# DSRs are rated again where their source is another text: only with a reason is the English of one of them changed.
ECB_MEAN = _("ECB reference rates of %(days)s days, %(first)s to %(last)s")
ECB_LAST = _("ECB reference rate of %(day)s, the last day of publication before the period")
OPERATOR = _("operator's rate number %(number)s")


def source_text(stored: str) -> str:
    """A stored source in the active language. The note of an operator is as it was written."""
    return translated(text_recognised(stored, (ECB_MEAN, ECB_LAST, OPERATOR)))
