"""What the codes of TSV mean, and what to do about them."""

from catalogue.reports.explanations import NEW_FILE, Explanation, Explanations
from catalogue.reports.formats.tsv.reader import TsvError

COLUMNS_IN_WORDS = "dsp_id, title, artists, isrc, usages and revenue"

EXPLANATIONS: Explanations = {
    TsvError.HEADER_MISSING: Explanation("The first line does not name the columns.", NEW_FILE),
    TsvError.WRONG_SEPARATOR: Explanation(
        "The columns are separated by other characters than tabs.", "Ask the service for a file with tabs."
    ),
    TsvError.QUOTED_HEADINGS: Explanation(
        "The names of the columns are in quotes.", "Ask the service for a file without quotes."
    ),
    TsvError.MISSPELLED_HEADINGS: Explanation(
        "The names of the columns are spelled in another way.", f"They must be {COLUMNS_IN_WORDS}."
    ),
    TsvError.COLUMN_UNKNOWN: Explanation(
        "A report has no such column.", f"Its columns are {COLUMNS_IN_WORDS}. " + NEW_FILE
    ),
    TsvError.COLUMN_MISSING: Explanation(
        "The report lacks a column.", f"Its columns are {COLUMNS_IN_WORDS}. " + NEW_FILE
    ),
    TsvError.COLUMN_REPEATED: Explanation("The report has a column twice.", NEW_FILE),
    TsvError.CELL_COUNT: Explanation(
        "The line has more or fewer cells than the report has columns.",
        "A tab or a line end may be missing, or be inside a title. " + NEW_FILE,
    ),
    TsvError.DSP_ID_MISSING: Explanation("The line does not say which recording it is about.", NEW_FILE),
}
