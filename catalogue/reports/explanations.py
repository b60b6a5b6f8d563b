"""What each code of a problem means, and what to do about it, for people who know reports and not programs."""

from collections.abc import Mapping
from dataclasses import dataclass

from catalogue.reports.problems import CommonError, CommonWarning
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.marked import translated


@dataclass(init=False)
class Explanation:
    """One sentence that says what is wrong, and one or more that say what helps. They are marked for translation."""

    sentence: str
    remedies: tuple[str, ...]

    def __init__(self, sentence: str, *remedies: str) -> None:
        self.sentence, self.remedies = sentence, remedies

    @property
    def remedy(self) -> str:
        return " ".join(self.remedies)

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}"

    def translated(self) -> "Explanation":
        """The explanation in the active language."""
        return Explanation(translated(self.sentence), *map(translated, self.remedies))


Explanations = Mapping[str, Explanation]

NEW_FILE = _("Ask the service for a corrected file.")
DOWNLOAD_AGAIN = _("Download the file again, or ask the service for it.")
NOTHING_TO_DO = _("Nothing has to be done.")

COMMON: Explanations = {
    CommonError.NOT_A_NUMBER: Explanation(_("The cell must have a number, and has something else."), NEW_FILE),
    CommonError.NOT_AN_INTEGER: Explanation(_("The usages must be a whole number, and have a fraction."), NEW_FILE),
    CommonError.NUMBER_OUT_OF_RANGE: Explanation(
        _("The number has more digits than any amount can have."), _("Two numbers may have run together."), NEW_FILE
    ),
    CommonError.NOT_UTF8: Explanation(
        _("The text is not written in UTF-8, so its letters cannot be known."),
        _("Ask the service for the file in UTF-8."),
    ),
    CommonError.CONTROL_CHARACTER: Explanation(_("The cell has a character that no text has."), NEW_FILE),
    CommonError.CELL_TOO_LONG: Explanation(
        _("The cell has more than 4,096 bytes."), _("A separator or a quote may be missing in this line."), NEW_FILE
    ),
    CommonError.LINE_TOO_LONG: Explanation(
        _("The line is longer than any line of a report."), _("Line ends may be missing in the file."), NEW_FILE
    ),
    CommonError.GZIP_TRUNCATED: Explanation(_("The packed file is cut off."), DOWNLOAD_AGAIN),
    CommonError.GZIP_CORRUPT: Explanation(_("The packed file is damaged."), DOWNLOAD_AGAIN),
    CommonError.GZIP_TRAILING_DATA: Explanation(
        _("Other data follows after the end of the packed content."), DOWNLOAD_AGAIN
    ),
    CommonError.WRONG_FILE_KIND: Explanation(
        _("The file is of another kind than its name says."), _("The value says what it is, and what to do.")
    ),
    CommonError.TERRITORY_UNKNOWN: Explanation(
        _("The territory is not a code of ISO 3166-1."), _("Check the code."), NEW_FILE
    ),
    CommonError.CURRENCY_UNKNOWN: Explanation(
        _("The currency is not a code of ISO 4217."), _("Check the code."), NEW_FILE
    ),
    CommonError.CONTEXT_REPEATED: Explanation(
        _("Two parts of the message are about the same sales."),
        _("Check the aliases of their services: both lead to the same name."),
    ),
    CommonError.UNPACKED_TOO_LARGE: Explanation(
        _("The unpacked content is larger than an upload may be."),
        _("Ask an operator to import the file on the server."),
    ),
    CommonError.TOO_MANY_ERRORS: Explanation(
        _("Reading stopped here: the file has too many errors."), _("The file may be of another kind."), NEW_FILE
    ),
    CommonError.EXCHANGE_RATE_MISSING: Explanation(
        _("No exchange rate of the currency is known."), _("Enter a rate for the period, and check the file again.")
    ),
    CommonError.EXCHANGE_RATE_INCOMPLETE: Explanation(
        _("The rates of the European Central Bank do not cover the period."),
        _("Load newer rates or enter a rate for the period, and check the file again."),
    ),
    CommonError.TOTALS_DIFFER: Explanation(
        _("The totals of the file are not those that were declared."),
        _("Check what you typed; if it is right, ask the service which of both is."),
    ),
    CommonWarning.ISRC_INVALID: Explanation(
        _("The ISRC is not of the form of ISO 3901."),
        _("The line counts, and the cell is kept as it is. The recording may be hard to identify."),
    ),
    CommonWarning.INVISIBLE_CHARACTER: Explanation(
        _("An id has a character that nobody sees, so it differs from another one that looks the same."),
        _("The line counts. Tell the service, as the recording may appear twice."),
    ),
    CommonWarning.BYTE_ORDER_MARK: Explanation(
        _("The line begins with a mark that belongs to the beginning of a file."),
        _("The mark is dropped. Files were joined: check that none is missing."),
    ),
    CommonWarning.DSP_ID_ROUNDED: Explanation(
        _("The id is a number that a spreadsheet has rounded, so recordings may have been merged."),
        _("Ask the service for a file that no spreadsheet has written."),
    ),
    CommonWarning.DSP_ID_REPEATED: Explanation(
        _("An earlier line has the same id."), _("Both lines count. Ask the service if many are repeated.")
    ),
    CommonWarning.TOTALS_ROW_SUSPECTED: Explanation(
        _("The last line seems to be the sum of all others, and would count twice."),
        _("Look at the line. If it is a sum, delete the DSR and ask for a file without it."),
    ),
    CommonWarning.GZIP_PADDING: Explanation(_("Zeros or blanks follow after the packed content."), NOTHING_TO_DO),
    CommonWarning.GZIP_NAME_DIFFERS: Explanation(
        _("The file was packed under another name."), _("Check that it is the report that its name says.")
    ),
    CommonWarning.CONTENT_SEEN_BEFORE: Explanation(
        _("Another DSR has exactly the same content."),
        _("Check which of the two has the right name, and delete the other."),
    ),
    CommonWarning.CONTENT_SUPERSEDED: Explanation(
        _("An earlier version of the report has exactly this content."),
        _("If you import the file, that version returns."),
    ),
    CommonWarning.PERIOD_OVERLAPS: Explanation(
        _("Another DSR of the same series has days in common with this one."),
        _("Check that no sales are in both: they would count twice."),
    ),
    CommonWarning.UNLIKE_PREVIOUS_REPORT: Explanation(
        _("The report is very different from the previous one of its series."),
        _("Compare both before you rely on it; the value has their numbers."),
    ),
    CommonWarning.NAME_LOOKS_ALIKE: Explanation(
        _("A name looks like another one that is known, and counts apart from it."),
        _("Rename the DSRs of one of both, so that they count together."),
    ),
    CommonWarning.SENDER_UNKNOWN: Explanation(
        _("No report of this service was imported before."), _("If it is known under another name, add an alias.")
    ),
    CommonWarning.TRANSACTION_ID_REPEATED: Explanation(
        _("Several lines have the same transaction id."),
        _("All of them count. Ask the service whether sales are in twice."),
    ),
}
