"""The problem codes of column files alone, what they mean, and what to do about them."""

from catalogue.reports.explanations import NEW_FILE, Explanation, Explanations
from catalogue.reports.problems import ErrorCode, WarningCode
from dsrhub.texts.marked import gettext_lazy as _


class TemplateError(ErrorCode):
    # What the file is.
    NO_SALES_FILE = "no_sales_file"
    NAME_WITHOUT_FIELDS = "name_without_fields"
    FILE_CHANGED = "file_changed"
    WORKBOOK_DAMAGED = "workbook_damaged"
    WORKBOOK_TOO_LARGE = "workbook_too_large"
    SHEET_MISSING = "sheet_missing"
    # Its headings and rows.
    HEADING_ROW_MISSING = "heading_row_missing"
    HEADING_MISSING = "heading_missing"
    HEADING_REPEATED = "heading_repeated"
    ROW_LENGTH = "row_length"
    ROWS_BEHIND_END = "rows_behind_end"
    QUOTE_BROKEN = "quote_broken"
    ENCODING_DIFFERS = "encoding_differs"
    NO_SALES = "no_sales"
    # Cells.
    CELL_BLANK = "cell_blank"
    NUMBER_FORM_DIFFERS = "number_form_differs"
    DATE_FORM_DIFFERS = "date_form_differs"
    PERIOD_REVERSED = "period_reversed"
    NAME_UNUSABLE = "name_unusable"
    FORMULA_WITHOUT_VALUE = "formula_without_value"
    TOO_MANY_CONTEXTS = "too_many_contexts"


class TemplateWarning(WarningCode):
    ENCODING_DOUBTFUL = "encoding_doubtful"


CHANGE_TEMPLATE = _("If the sender has changed its files, change the template, or make another one.")
SAVE_AGAIN = _("Open the workbook in a spreadsheet program, and save it again.")
CHECK_FORM = _("If all files of the sender are written so, change the template.")

EXPLANATIONS: Explanations = {
    TemplateError.NO_SALES_FILE: Explanation(
        _("The sender gives this name to files without sales, such as summaries."), _("Import the file with the sales.")
    ),
    TemplateError.NAME_WITHOUT_FIELDS: Explanation(
        _("The template takes something from the name of the file, and the name does not fit its pattern."),
        _("Give the file the name under which it was delivered."),
        CHANGE_TEMPLATE,
    ),
    TemplateError.FILE_CHANGED: Explanation(
        _("The file changed while it was being read."), _("Import it again when nobody writes to it.")
    ),
    TemplateError.WORKBOOK_DAMAGED: Explanation(_("The workbook cannot be read."), SAVE_AGAIN, NEW_FILE),
    TemplateError.WORKBOOK_TOO_LARGE: Explanation(
        _("The workbook is too large when it is unpacked."), _("Export the sheet as a CSV file in UTF-8.")
    ),
    TemplateError.SHEET_MISSING: Explanation(
        _("The workbook lacks the sheet that the template names."), CHANGE_TEMPLATE, NEW_FILE
    ),
    TemplateError.HEADING_ROW_MISSING: Explanation(
        _("The file has no row with the headings of the template."), CHANGE_TEMPLATE, NEW_FILE
    ),
    TemplateError.HEADING_MISSING: Explanation(
        _("The file lacks a column that the template needs."), CHANGE_TEMPLATE, NEW_FILE
    ),
    TemplateError.HEADING_REPEATED: Explanation(
        _("The file has a column of the template twice, so it is not known which one counts."), NEW_FILE
    ),
    TemplateError.ROW_LENGTH: Explanation(
        _("The row has more or fewer cells than the file has headings."),
        _("A delimiter or a quote may be missing, or be inside a title."),
        NEW_FILE,
    ),
    TemplateError.ROWS_BEHIND_END: Explanation(
        _("Behind the end of the sales, there is another row of sales."),
        _("Files may have been joined: import each one by itself."),
        CHANGE_TEMPLATE,
    ),
    TemplateError.QUOTE_BROKEN: Explanation(
        _("The quotes in the row do not match."), _("A title may have a quote that is not doubled."), NEW_FILE
    ),
    TemplateError.ENCODING_DIFFERS: Explanation(
        _("The text is not written in the encoding of the template, so its letters cannot be known."), CHANGE_TEMPLATE
    ),
    TemplateError.NO_SALES: Explanation(
        _("The file has no row of sales, so it is not known what it is about."), _("Check the file."), CHANGE_TEMPLATE
    ),
    TemplateError.CELL_BLANK: Explanation(_("The cell must have a value, and is blank."), CHANGE_TEMPLATE, NEW_FILE),
    TemplateError.NUMBER_FORM_DIFFERS: Explanation(
        _("The number is not written as the template says: look at the decimal sign and at the sign for thousands."),
        CHECK_FORM,
        NEW_FILE,
    ),
    TemplateError.DATE_FORM_DIFFERS: Explanation(
        _("The date does not exist, or is not written as the template says."), CHECK_FORM, NEW_FILE
    ),
    TemplateError.PERIOD_REVERSED: Explanation(_("The period of the row ends before it starts."), NEW_FILE),
    TemplateError.NAME_UNUSABLE: Explanation(
        _("The name of a service or an offer is too long, or has characters that nobody sees."),
        _("Map it to another name in the template."),
    ),
    TemplateError.FORMULA_WITHOUT_VALUE: Explanation(
        _("The cell has a formula, and the workbook does not say what it comes to."), SAVE_AGAIN
    ),
    TemplateError.TOO_MANY_CONTEXTS: Explanation(
        _("The file would become too many reports: one for each service, territory, currency and period."),
        _("If it has days, let the template take whole months."),
    ),
    TemplateWarning.ENCODING_DOUBTFUL: Explanation(
        _("The text seems to be written in UTF-8, and the template says otherwise: letters may be wrong."),
        _("Look at a title with accents. If it is wrong, change the template and import the file again."),
    ),
}
