"""The problem codes of DDEX messages alone."""

from catalogue.reports.problems import ErrorCode, WarningCode


class DdexError(ErrorCode):
    # What the file is.
    HEAD_MISSING = "head_missing"
    HEAD_INCOMPLETE = "head_incomplete"
    PROFILE_NOT_SUPPORTED = "profile_not_supported"
    FOOT_MISSING = "foot_missing"
    RECORD_AFTER_FOOT = "record_after_foot"
    RECORD_NOT_EXPECTED = "record_not_expected"
    # HEAD and summaries.
    VALUE_MISSING = "value_missing"
    VALUE_INVALID = "value_invalid"
    DATE_INVALID = "date_invalid"
    PERIOD_INVALID = "period_invalid"
    TERRITORY_IS_GROUP = "territory_is_group"
    SUMMARY_MISSING = "summary_missing"
    SUMMARY_REPEATED = "summary_repeated"
    SUMMARY_KEY_REPEATED = "summary_key_repeated"
    SUMMARY_LATE = "summary_late"
    # Several files.
    FILES_MISSING = "files_missing"
    FILE_REPEATED = "file_repeated"
    FILES_DIFFER = "files_differ"
    # Blocks and lines.
    SUMMARY_UNKNOWN = "summary_unknown"
    SUMMARY_WITHOUT_REVENUE = "summary_without_revenue"
    REFERENCE_MISSING = "reference_missing"
    REFERENCE_UNKNOWN = "reference_unknown"
    REFERENCE_REPEATED = "reference_repeated"
    BLOCK_REPEATED = "block_repeated"
    BLOCK_TOO_LARGE = "block_too_large"
    DSP_ID_MISSING = "dsp_id_missing"
    USAGES_MISSING = "usages_missing"
    USAGES_NOT_WHOLE = "usages_not_whole"
    NOT_A_BOOLEAN = "not_a_boolean"
    RETURNS_NEGATIVE = "returns_negative"


class DdexWarning(WarningCode):
    NAME_DIFFERS = "name_differs"
    PERIOD_WIDENED = "period_widened"
    TERRITORY_WIDENED = "territory_widened"
    FOOT_DIFFERS = "foot_differs"
    RECORDS_SKIPPED = "records_skipped"
    CELLS_SURPLUS = "cells_surplus"
    ISRC_REPEATED = "isrc_repeated"
    DECLARED_USAGES_ZERO = "declared_usages_zero"
    DECLARED_REVENUE_UNKNOWN = "declared_revenue_unknown"
    USAGES_ABOVE_DECLARED = "usages_above_declared"
