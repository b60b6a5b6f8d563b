"""What the codes of DDEX messages mean, and what to do about them."""

from catalogue.reports.explanations import NEW_FILE, NOTHING_TO_DO, Explanation, Explanations
from catalogue.reports.formats.ddex.codes import DdexError, DdexWarning

NEW_MESSAGE = "Ask the service for a corrected message."
ALL_FILES = "Import all files of the message together, each once."

EXPLANATIONS: Explanations = {
    DdexError.HEAD_MISSING: Explanation(
        "The file does not begin like a message.", "It may be a part of one. Ask the service for the whole file."
    ),
    DdexError.HEAD_INCOMPLETE: Explanation("The beginning of the message is not complete.", NEW_MESSAGE),
    DdexError.PROFILE_NOT_SUPPORTED: Explanation(
        "The message has a profile or a version that is not read here.", "Ask the service for one of those that are."
    ),
    DdexError.FOOT_MISSING: Explanation(
        "The message has no end: the file is cut off.", "Download the file again, or ask the service for it."
    ),
    DdexError.RECORD_AFTER_FOOT: Explanation("Something follows after the end of the message.", NEW_MESSAGE),
    DdexError.RECORD_NOT_EXPECTED: Explanation(
        "The line is no record that may stand here.", "A line may be broken into two. " + NEW_MESSAGE
    ),
    DdexError.VALUE_MISSING: Explanation("The cell must have a value, and is blank.", NEW_MESSAGE),
    DdexError.VALUE_INVALID: Explanation("The cell has a value that it may not have.", NEW_MESSAGE),
    DdexError.DATE_INVALID: Explanation("The date does not exist, or is written in another way.", NEW_MESSAGE),
    DdexError.PERIOD_INVALID: Explanation("The period ends before it starts.", NEW_MESSAGE),
    DdexError.TERRITORY_IS_GROUP: Explanation(
        "The territory is a group of countries, of which no rate and no share are known.",
        "Ask the service for a message by country.",
    ),
    DdexError.SUMMARY_MISSING: Explanation(
        "The message has no summary with revenue, so there is nothing to count.", NEW_MESSAGE
    ),
    DdexError.SUMMARY_REPEATED: Explanation("Two summaries with revenue have the same id.", NEW_MESSAGE),
    DdexError.SUMMARY_KEY_REPEATED: Explanation("Two summaries are about the same sales.", NEW_MESSAGE),
    DdexError.SUMMARY_LATE: Explanation("A summary stands behind the first sales.", NEW_MESSAGE),
    DdexError.FILES_MISSING: Explanation("Files of the message are missing.", ALL_FILES),
    DdexError.FILE_REPEATED: Explanation("One file of the message is there twice.", ALL_FILES),
    DdexError.FILES_DIFFER: Explanation("The files are not of one message.", ALL_FILES),
    DdexError.SUMMARY_UNKNOWN: Explanation("The line names a summary that the message does not have.", NEW_MESSAGE),
    DdexError.SUMMARY_WITHOUT_REVENUE: Explanation("The line names a summary without revenue.", NEW_MESSAGE),
    DdexError.REFERENCE_MISSING: Explanation("The line does not say which recording it is about.", NEW_MESSAGE),
    DdexError.REFERENCE_UNKNOWN: Explanation(
        "The line is about a recording that its block does not describe.", NEW_MESSAGE
    ),
    DdexError.REFERENCE_REPEATED: Explanation("A block describes two recordings under one reference.", NEW_MESSAGE),
    DdexError.BLOCK_REPEATED: Explanation("Two blocks have the same id.", NEW_MESSAGE),
    DdexError.BLOCK_TOO_LARGE: Explanation("A block has more records than any block needs.", NEW_MESSAGE),
    DdexError.DSP_ID_MISSING: Explanation("The line does not say which recording it is about.", NEW_FILE),
    DdexError.USAGES_MISSING: Explanation("The line does not say how often the recording was used.", NEW_MESSAGE),
    DdexError.USAGES_NOT_WHOLE: Explanation("The usages must be a whole number, and have a fraction.", NEW_MESSAGE),
    DdexError.NOT_A_BOOLEAN: Explanation("The cell must be true or false.", NEW_MESSAGE),
    DdexError.RETURNS_NEGATIVE: Explanation("The number of returns is less than zero.", NEW_MESSAGE),
    DdexWarning.NAME_DIFFERS: Explanation(
        "The name of the file has another number than the file itself.", "The number inside counts."
    ),
    DdexWarning.PERIOD_WIDENED: Explanation(
        "The period is written as a month or a year, and all of its days count.", NOTHING_TO_DO
    ),
    DdexWarning.TERRITORY_WIDENED: Explanation(
        "The territory is a part of a country, and counts as the country.", NOTHING_TO_DO
    ),
    DdexWarning.FOOT_DIFFERS: Explanation(
        "The end of the message states other numbers than the message has.",
        "Senders are often wrong. Compare the control totals, and ask the service if they differ too.",
    ),
    DdexWarning.RECORDS_SKIPPED: Explanation(
        "Records of an unknown kind were left out.", "Ask the service whether they have sales."
    ),
    DdexWarning.CELLS_SURPLUS: Explanation(
        "A record has more cells than records of its kind have.", "The further cells are left out."
    ),
    DdexWarning.ISRC_REPEATED: Explanation(
        "The recording has several ISRCs.", "All are kept; the first one counts. It may be hard to identify."
    ),
    DdexWarning.DECLARED_USAGES_ZERO: Explanation(
        "The summary has revenue and no usages, so lines can get no share of it.", "Ask the service for the usages."
    ),
    DdexWarning.DECLARED_REVENUE_UNKNOWN: Explanation(
        "The summary does not state its revenue, so lines have none.", "Ask the service for the revenue."
    ),
    DdexWarning.USAGES_ABOVE_DECLARED: Explanation(
        "The lines have more usages than their summary declares.", "Ask the service which of both is right."
    ),
}
