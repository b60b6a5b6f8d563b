"""What the codes of TSV mean, and what to do about them."""

from catalogue.reports.explanations import NEW_FILE, Explanation, Explanations
from catalogue.reports.formats.tsv.reader import TsvError
from dsrhub.texts.marked import gettext_lazy as _

EXPLANATIONS: Explanations = {
    TsvError.HEADER_MISSING: Explanation(_("The first line does not name the columns."), NEW_FILE),
    TsvError.WRONG_SEPARATOR: Explanation(
        _("The columns are separated by other characters than tabs."), _("Ask the service for a file with tabs.")
    ),
    TsvError.QUOTED_HEADINGS: Explanation(
        _("The names of the columns are in quotes."), _("Ask the service for a file without quotes.")
    ),
    TsvError.MISSPELLED_HEADINGS: Explanation(
        _("The names of the columns are spelled in another way."),
        _("They must be dsp_id, title, artists, isrc, usages and revenue."),
    ),
    TsvError.COLUMN_UNKNOWN: Explanation(
        _("A report has no such column."),
        _("Its columns are dsp_id, title, artists, isrc, usages and revenue."),
        NEW_FILE,
    ),
    TsvError.COLUMN_MISSING: Explanation(
        _("The report lacks a column."),
        _("Its columns are dsp_id, title, artists, isrc, usages and revenue."),
        NEW_FILE,
    ),
    TsvError.COLUMN_REPEATED: Explanation(_("The report has a column twice."), NEW_FILE),
    TsvError.CELL_COUNT: Explanation(
        _("The line has more or fewer cells than the report has columns."),
        _("A tab or a line end may be missing, or be inside a title."),
        NEW_FILE,
    ),
    TsvError.DSP_ID_MISSING: Explanation(_("The line does not say which recording it is about."), NEW_FILE),
}
