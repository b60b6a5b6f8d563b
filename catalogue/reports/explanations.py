"""What each code of a problem means, and what to do about it, for people who know reports and not programs."""

from collections.abc import Mapping
from typing import NamedTuple

from catalogue.reports.problems import CommonError, CommonWarning


class Explanation(NamedTuple):
    """One sentence that says what is wrong, and one that says what helps."""

    sentence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}"


Explanations = Mapping[str, Explanation]

NEW_FILE = "Ask the service for a corrected file."
DOWNLOAD_AGAIN = "Download the file again, or ask the service for it."
NOTHING_TO_DO = "Nothing has to be done."

COMMON: Explanations = {
    CommonError.NOT_A_NUMBER: Explanation("The cell must have a number, and has something else.", NEW_FILE),
    CommonError.NOT_AN_INTEGER: Explanation("The usages must be a whole number, and have a fraction.", NEW_FILE),
    CommonError.NUMBER_OUT_OF_RANGE: Explanation(
        "The number has more digits than any amount can have.", "Two numbers may have run together. " + NEW_FILE
    ),
    CommonError.NOT_UTF8: Explanation(
        "The text is not written in UTF-8, so its letters cannot be known.", "Ask the service for the file in UTF-8."
    ),
    CommonError.CONTROL_CHARACTER: Explanation("The cell has a character that no text has.", NEW_FILE),
    CommonError.CELL_TOO_LONG: Explanation(
        "The cell has more than 4,096 bytes.", "A separator or a quote may be missing in this line. " + NEW_FILE
    ),
    CommonError.LINE_TOO_LONG: Explanation(
        "The line is longer than any line of a report.", "Line ends may be missing in the file. " + NEW_FILE
    ),
    CommonError.GZIP_TRUNCATED: Explanation("The packed file is cut off.", DOWNLOAD_AGAIN),
    CommonError.GZIP_CORRUPT: Explanation("The packed file is damaged.", DOWNLOAD_AGAIN),
    CommonError.GZIP_TRAILING_DATA: Explanation(
        "Other data follows after the end of the packed content.", DOWNLOAD_AGAIN
    ),
    CommonError.WRONG_FILE_KIND: Explanation(
        "The file is of another kind than its name says.", "The value says what it is, and what to do."
    ),
    CommonError.TERRITORY_UNKNOWN: Explanation(
        "The territory is not a code of ISO 3166-1.", "Check the code. " + NEW_FILE
    ),
    CommonError.CURRENCY_UNKNOWN: Explanation("The currency is not a code of ISO 4217.", "Check the code. " + NEW_FILE),
    CommonError.CONTEXT_REPEATED: Explanation(
        "Two parts of the message are about the same sales.",
        "Check the aliases of their services: both lead to the same name.",
    ),
    CommonError.UNPACKED_TOO_LARGE: Explanation(
        "The unpacked content is larger than an upload may be.", "Ask an operator to import the file on the server."
    ),
    CommonError.TOO_MANY_ERRORS: Explanation(
        "Reading stopped here: the file has too many errors.", "The file may be of another kind. " + NEW_FILE
    ),
    CommonError.EXCHANGE_RATE_MISSING: Explanation(
        "No exchange rate of the currency is known.", "Enter a rate for the period, and check the file again."
    ),
    CommonError.EXCHANGE_RATE_INCOMPLETE: Explanation(
        "The rates of the European Central Bank do not cover the period.",
        "Load newer rates or enter a rate for the period, and check the file again.",
    ),
    CommonError.TOTALS_DIFFER: Explanation(
        "The totals of the file are not those that were declared.",
        "Check what you typed; if it is right, ask the service which of both is.",
    ),
    CommonWarning.ISRC_INVALID: Explanation(
        "The ISRC is not of the form of ISO 3901.",
        "The line counts, and the cell is kept as it is. The recording may be hard to identify.",
    ),
    CommonWarning.INVISIBLE_CHARACTER: Explanation(
        "An id has a character that nobody sees, so it differs from another one that looks the same.",
        "The line counts. Tell the service, as the recording may appear twice.",
    ),
    CommonWarning.BYTE_ORDER_MARK: Explanation(
        "The line begins with a mark that belongs to the beginning of a file.",
        "The mark is dropped. Files were joined: check that none is missing.",
    ),
    CommonWarning.DSP_ID_ROUNDED: Explanation(
        "The id is a number that a spreadsheet has rounded, so recordings may have been merged.",
        "Ask the service for a file that no spreadsheet has written.",
    ),
    CommonWarning.DSP_ID_REPEATED: Explanation(
        "An earlier line has the same id.", "Both lines count. Ask the service if many are repeated."
    ),
    CommonWarning.TOTALS_ROW_SUSPECTED: Explanation(
        "The last line seems to be the sum of all others, and would count twice.",
        "Look at the line. If it is a sum, delete the DSR and ask for a file without it.",
    ),
    CommonWarning.GZIP_PADDING: Explanation("Zeros or blanks follow after the packed content.", NOTHING_TO_DO),
    CommonWarning.GZIP_NAME_DIFFERS: Explanation(
        "The file was packed under another name.", "Check that it is the report that its name says."
    ),
    CommonWarning.CONTENT_SEEN_BEFORE: Explanation(
        "Another DSR has exactly the same content.", "Check which of the two has the right name, and delete the other."
    ),
    CommonWarning.CONTENT_SUPERSEDED: Explanation(
        "An earlier version of the report has exactly this content.", "If you import the file, that version returns."
    ),
    CommonWarning.PERIOD_OVERLAPS: Explanation(
        "Another DSR of the same series has days in common with this one.",
        "Check that no sales are in both: they would count twice.",
    ),
    CommonWarning.UNLIKE_PREVIOUS_REPORT: Explanation(
        "The report is very different from the previous one of its series.",
        "Compare both before you rely on it; the value has their numbers.",
    ),
    CommonWarning.NAME_LOOKS_ALIKE: Explanation(
        "A name looks like another one that is known, and counts apart from it.",
        "Rename the DSRs of one of both, so that they count together.",
    ),
    CommonWarning.SENDER_UNKNOWN: Explanation(
        "No report of this service was imported before.", "If it is known under another name, add an alias."
    ),
    CommonWarning.TRANSACTION_ID_REPEATED: Explanation(
        "Several lines have the same transaction id.", "All of them count. Ask the service whether sales are in twice."
    ),
}
