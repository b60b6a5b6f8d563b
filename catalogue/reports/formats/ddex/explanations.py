"""What the codes of DDEX messages mean, and what to do about them."""

from catalogue.reports.explanations import NEW_FILE, NOTHING_TO_DO, Explanation, Explanations
from catalogue.reports.formats.ddex.codes import DdexError, DdexWarning
from dsrhub.texts.marked import gettext_lazy as _

NEW_MESSAGE = _("Ask the service for a corrected message.")
ALL_FILES = _("Import all files of the message together, each once.")

EXPLANATIONS: Explanations = {
    DdexError.HEAD_MISSING: Explanation(
        _("The file does not begin like a message."), _("It may be a part of one. Ask the service for the whole file.")
    ),
    DdexError.HEAD_INCOMPLETE: Explanation(_("The beginning of the message is not complete."), NEW_MESSAGE),
    DdexError.PROFILE_NOT_SUPPORTED: Explanation(
        _("The message has a profile or a version that is not read here."),
        _("Ask the service for one of those that are."),
    ),
    DdexError.FOOT_MISSING: Explanation(
        _("The message has no end: the file is cut off."), _("Download the file again, or ask the service for it.")
    ),
    DdexError.RECORD_AFTER_FOOT: Explanation(_("Something follows after the end of the message."), NEW_MESSAGE),
    DdexError.RECORD_NOT_EXPECTED: Explanation(
        _("The line is no record that may stand here."), _("A line may be broken into two."), NEW_MESSAGE
    ),
    DdexError.VALUE_MISSING: Explanation(_("The cell must have a value, and is blank."), NEW_MESSAGE),
    DdexError.VALUE_INVALID: Explanation(_("The cell has a value that it may not have."), NEW_MESSAGE),
    DdexError.DATE_INVALID: Explanation(_("The date does not exist, or is written in another way."), NEW_MESSAGE),
    DdexError.PERIOD_INVALID: Explanation(_("The period ends before it starts."), NEW_MESSAGE),
    DdexError.TERRITORY_IS_GROUP: Explanation(
        _("The territory is a group of countries, of which no rate and no share are known."),
        _("Ask the service for a message by country."),
    ),
    DdexError.SUMMARY_MISSING: Explanation(
        _("The message has no summary with revenue, so there is nothing to count."), NEW_MESSAGE
    ),
    DdexError.SUMMARY_REPEATED: Explanation(_("Two summaries with revenue have the same id."), NEW_MESSAGE),
    DdexError.SUMMARY_KEY_REPEATED: Explanation(_("Two summaries are about the same sales."), NEW_MESSAGE),
    DdexError.SUMMARY_LATE: Explanation(_("A summary stands behind the first sales."), NEW_MESSAGE),
    DdexError.FILES_MISSING: Explanation(_("Files of the message are missing."), ALL_FILES),
    DdexError.FILE_REPEATED: Explanation(_("One file of the message is there twice."), ALL_FILES),
    DdexError.FILES_DIFFER: Explanation(_("The files are not of one message."), ALL_FILES),
    DdexError.SUMMARY_UNKNOWN: Explanation(_("The line names a summary that the message does not have."), NEW_MESSAGE),
    DdexError.SUMMARY_WITHOUT_REVENUE: Explanation(_("The line names a summary without revenue."), NEW_MESSAGE),
    DdexError.REFERENCE_MISSING: Explanation(_("The line does not say which recording it is about."), NEW_MESSAGE),
    DdexError.REFERENCE_UNKNOWN: Explanation(
        _("The line is about a recording that its block does not describe."), NEW_MESSAGE
    ),
    DdexError.REFERENCE_REPEATED: Explanation(_("A block describes two recordings under one reference."), NEW_MESSAGE),
    DdexError.BLOCK_REPEATED: Explanation(_("Two blocks have the same id."), NEW_MESSAGE),
    DdexError.BLOCK_TOO_LARGE: Explanation(_("A block has more records than any block needs."), NEW_MESSAGE),
    DdexError.DSP_ID_MISSING: Explanation(_("The line does not say which recording it is about."), NEW_FILE),
    DdexError.USAGES_MISSING: Explanation(_("The line does not say how often the recording was used."), NEW_MESSAGE),
    DdexError.USAGES_NOT_WHOLE: Explanation(_("The usages must be a whole number, and have a fraction."), NEW_MESSAGE),
    DdexError.NOT_A_BOOLEAN: Explanation(_("The cell must be true or false."), NEW_MESSAGE),
    DdexError.RETURNS_NEGATIVE: Explanation(_("The number of returns is less than zero."), NEW_MESSAGE),
    DdexWarning.NAME_DIFFERS: Explanation(
        _("The name of the file has another number than the file itself."), _("The number inside counts.")
    ),
    DdexWarning.PERIOD_WIDENED: Explanation(
        _("The period is written as a month or a year, and all of its days count."), NOTHING_TO_DO
    ),
    DdexWarning.TERRITORY_WIDENED: Explanation(
        _("The territory is a part of a country, and counts as the country."), NOTHING_TO_DO
    ),
    DdexWarning.FOOT_DIFFERS: Explanation(
        _("The end of the message states other numbers than the message has."),
        _("Senders are often wrong. Compare the control totals, and ask the service if they differ too."),
    ),
    DdexWarning.RECORDS_SKIPPED: Explanation(
        _("Records of an unknown kind were left out."), _("Ask the service whether they have sales.")
    ),
    DdexWarning.CELLS_SURPLUS: Explanation(
        _("A record has more cells than records of its kind have."), _("The further cells are left out.")
    ),
    DdexWarning.ISRC_REPEATED: Explanation(
        _("The recording has several ISRCs."), _("All are kept; the first one counts. It may be hard to identify.")
    ),
    DdexWarning.DECLARED_USAGES_ZERO: Explanation(
        _("The summary has revenue and no usages, so lines can get no share of it."),
        _("Ask the service for the usages."),
    ),
    DdexWarning.DECLARED_REVENUE_UNKNOWN: Explanation(
        _("The summary does not state its revenue, so lines have none."), _("Ask the service for the revenue.")
    ),
    DdexWarning.USAGES_ABOVE_DECLARED: Explanation(
        _("The lines have more usages than their summary declares."), _("Ask the service which of both is right.")
    ),
}
