"""Values of problems that are texts for people. They are stored in English, and pages recognise them."""

from collections.abc import Mapping, Sequence

from catalogue.dsrs.declared import DIFFERENCE, MEASURE_WORDS
from catalogue.dsrs.previous import UNLIKE
from catalogue.rates.periods import GAPS, HISTORY_ENDS
from catalogue.reports import delivery
from catalogue.reports.problems import REST_UNCHECKED, CommonError, CommonWarning
from catalogue.reports.totals import AMOUNTS
from dsrhub.files import kinds as file_kinds
from dsrhub.files import unpacking
from dsrhub.texts.marked import Text, text_recognised, translated
from dsrhub.texts.marked import gettext_lazy as _

INCOMPLETE = _("%(currency)s: %(found)s of %(expected)s days, %(reason)s")
# They have no words. The preview of an upload names the context of a problem before its value.
WITHOUT_DAYS = Text.made("%(currency)s: %(reason)s")
IN_CONTEXT = Text.made("%(context)s: %(value)s")

# The texts that the values of a code are made of, of two that fit the more special one first.
TEXTS: Mapping[str, Sequence[Text]] = {
    CommonError.WRONG_FILE_KIND: (
        *(delivery.NOT_GZIP, delivery.GZIP_UNNAMED, delivery.GZIP_TWICE),
        *file_kinds.TEXTS,
    ),
    CommonError.GZIP_CORRUPT: unpacking.TEXTS,
    CommonError.GZIP_TRAILING_DATA: unpacking.TEXTS,
    CommonError.UNPACKED_TOO_LARGE: (delivery.MORE_BYTES,),
    CommonError.TOO_MANY_ERRORS: (REST_UNCHECKED,),
    CommonError.TOTALS_DIFFER: (DIFFERENCE, *MEASURE_WORDS.values()),
    CommonError.EXCHANGE_RATE_INCOMPLETE: (INCOMPLETE, HISTORY_ENDS, *(part for _sentence, part in GAPS.values())),
    CommonWarning.GZIP_PADDING: (delivery.PADDING,),
    CommonWarning.TOTALS_ROW_SUSPECTED: (AMOUNTS,),
    CommonWarning.UNLIKE_PREVIOUS_REPORT: (UNLIKE["revenue per usage"], UNLIKE["usages"], UNLIKE["revenue"]),
}


def value_text(code: str, value: str | None) -> str | None:
    """The stored value of a problem in the active language. What a file has is as it was delivered."""
    return None if value is None else translated(value_recognised(code, value))


def value_recognised(code: str, value: str) -> str:
    """The Text that the stored value of a problem was, or else the value itself."""
    return text_recognised(value, (*TEXTS[code], IN_CONTEXT)) if code in TEXTS else value
