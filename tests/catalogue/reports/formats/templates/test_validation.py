"""What keeps a definition from being used, by field and stable code."""

from datetime import date

import pytest

from catalogue.exceptions import InvalidTemplate
from catalogue.reports.formats.templates.cells.dates import DateReader, forms_alike
from catalogue.reports.formats.templates.cells.territories import territory_names
from catalogue.reports.formats.templates.definition import definition_json
from catalogue.reports.formats.templates.names import name_fields, name_fits
from catalogue.reports.formats.templates.validation import definition_checked
from tests.catalogue.reports.formats.templates.definitions import TONBANK, changed


def faults_of(data):
    with pytest.raises(InvalidTemplate) as error:
        definition_checked(data)
    return [(fault.path, fault.code) for fault in error.value.extra["faults"]]


def test_a_definition_is_the_same_after_json():
    definition = definition_checked(TONBANK)
    assert definition_checked(definition_json(definition)) == definition
    assert definition_json(definition)["fields"]["dsp_id"] == {
        "columns": ["ISRC", "UPC"],
        "constant": "",
        "values": {},
        "languages": [],
    }


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("sender", None, ("sender", "required")),
        ("sender", 3, ("sender", "wrong_type")),
        ("sender", "a" * 101, ("sender", "too_long")),
        ("sender", "a\0", ("sender", "not_printable")),
        ("colour", "red", ("colour", "unknown_key")),
        ("fields.dsp", "Store", ("fields.dsp", "wrong_type")),
        ("fields.dsp.columns", "Store", ("fields.dsp.columns", "wrong_type")),
        ("fields.dsp.column", "Store", ("fields.dsp.column", "unknown_key")),
        ("fields.colour", {"constant": "red"}, ("fields.colour", "unknown_key")),
        ("recognition.headings", [], ("recognition.headings", "required")),
        ("recognition.headings", ["Net", " net"], ("recognition.headings", "column_repeated")),
        ("recognition.headings", ["a"] * 501, ("recognition.headings", "too_many")),
        ("recognition.name_pattern", "{colour}.csv", ("recognition.name_pattern", "pattern_invalid")),
        ("recognition.name_pattern", "{dsp}{offer}.csv", ("recognition.name_pattern", "pattern_invalid")),
        ("recognition.name_pattern", "*{society}.csv", ("recognition.name_pattern", "pattern_invalid")),
        ("recognition.name_pattern", "**", ("recognition.name_pattern", "pattern_invalid")),
        ("recognition.name_pattern", "{dsp}_*.csv", ("fields.dsp", "field_repeated")),
        ("recognition.refused_names", ["*"], ("recognition.refused_names.0", "required")),
        ("file.kind", "pdf", ("file.kind", "not_a_choice")),
        ("file.encoding", "utf-7", ("file.encoding", "not_a_choice")),
        ("file.delimiter", "a", ("file.delimiter", "not_a_choice")),
        ("file.quote", "`", ("file.quote", "not_a_choice")),
        ("file.heading_row", -1, ("file.heading_row", "wrong_type")),
        ("file.heading_row", True, ("file.heading_row", "wrong_type")),
        ("file.heading_row", 0, ("recognition.headings", "not_allowed")),
        ("rows.ends_at", [" "], ("rows.ends_at.0", "required")),
        ("rows.skip", [{"column": "", "values": ["x"]}], ("rows.skip.0.column", "required")),
        ("rows.skip", [{"column": "Title"}], ("rows.skip.0.values", "required")),
        ("numbers.decimal", "·", ("numbers.decimal", "not_a_choice")),
        ("numbers.thousands", ".", ("numbers.thousands", "signs_equal")),
        ("numbers.negatives", ["red"], ("numbers.negatives.0", "not_a_choice")),
        ("dates.forms", [], ("dates.forms", "required")),
        ("dates.forms", ["DD/MM"], ("dates.forms.0", "date_form_invalid")),
        ("dates.forms", ["YYYY-MM", "DD/MM/YYYY", "MM/DD/YYYY"], ("dates.forms", "date_forms_ambiguous")),
        ("dates.whole_months", 1, ("dates.whole_months", "wrong_type")),
        ("fields.dsp", None, ("fields.dsp", "required")),
        ("fields.period", None, ("fields.period", "required")),
        ("fields.period_end", {"columns": ["End"]}, ("fields.period_end", "field_repeated")),
        ("fields.usages", {}, ("fields.usages.columns", "required")),
        ("fields.usages.columns", [""], ("fields.usages.columns", "required")),
        ("fields.usages.columns", ["net"], ("fields.revenue.columns", "column_repeated")),
        ("fields.usages", {"constant": "1,5"}, ("fields.usages.constant", "number_invalid")),
        ("fields.revenue.constant", "1", ("fields.revenue.constant", "not_allowed")),
        ("fields.revenue.values", {"-": "0"}, ("fields.revenue.values", "not_allowed")),
        ("fields.society", {"columns": ["Society"]}, ("fields.society.columns", "not_allowed")),
        ("fields.dsp_id.columns", ["ISRC", "Isrc"], ("fields.dsp_id.columns", "column_repeated")),
        ("fields.dsp.languages", ["en"], ("fields.dsp.languages", "not_allowed")),
        ("fields.territory.languages", ["tlh"], ("fields.territory.languages.0", "not_a_choice")),
        ("fields.territory.values", {"Spain": "SP"}, ("fields.territory.values.Spain", "territory_unknown")),
        ("fields.territory.values", {"A": "ES", " a": "FR"}, ("fields.territory.values.A", "value_repeated")),
        ("fields.territory", {"constant": "Spain"}, ("fields.territory.constant", "territory_unknown")),
        ("fields.currency", {"constant": "EURO"}, ("fields.currency.constant", "currency_unknown")),
        ("fields.period", {"constant": "01/2020"}, ("fields.period.constant", "date_invalid")),
        ("fields.offer.values", {"a": "b"}, ("fields.offer.values", "not_allowed")),
        ("artists_separator", ", ", ("artists_separator", "not_allowed")),
    ],
)
def test_each_fault_has_its_field_and_code(path, value, fault):
    assert fault in faults_of(changed(path, value))


def test_all_faults_are_told_at_once():
    data = changed("file.quote", "")
    data["numbers"] = {"decimal": ","}
    data["fields"].pop("currency")
    assert faults_of(data) == [("numbers.decimal", "signs_equal"), ("fields.currency", "required")]


@pytest.mark.parametrize("data", [None, [], "{}", 1])
def test_what_is_no_object_is_no_definition(data):
    assert faults_of(data) == [("", "wrong_type")]


@pytest.mark.parametrize(
    ("pattern", "name", "fields"),
    [
        ("*.csv", "a.csv.CSV", {}),
        ("s?_*", "S1_a", {}),
        ("s?_*", "S12_a", None),
        ("a.csv", "a.csv.gz", {}),
        ("a.csv", "aXcsv", None),
        ("{dsp}_{period}_*.csv", "Tonbank_2020_01_x.csv", {"dsp": "Tonbank", "period": "2020"}),
        ("*_{period}.csv", "a_b_2020_01.csv", {"period": "b_2020_01"}),
        ("YouTube_*_M_{period}_*", "youtube_a_b_M_20200101_20200131.csv", {"period": "20200101"}),
        ("{dsp}.csv", ".csv", None),
    ],
)
def test_a_name_fits_a_pattern_and_says_what_is_in_its_braces(pattern, name, fields):
    assert name_fields(pattern, name) == fields
    assert name_fits(pattern, name) == (fields is not None)
    assert name_fits("", name)


def test_no_pattern_is_slow():
    assert not name_fits("a".join("*" * 80) + "b", "a" * 255)


@pytest.mark.parametrize(
    ("form", "text", "days"),
    [
        ("YYYY-MM-DD", "2020-01-31", ("2020-01-31", "2020-01-31")),
        ("YYYYMMDD", "20200131", ("2020-01-31", "2020-01-31")),
        ("D.M.YY", "1.2.20", ("2020-02-01", "2020-02-01")),
        ("MM/YYYY", "02/2020", ("2020-02-01", "2020-02-29")),
        ("MMM-YY", "JAN-20", ("2020-01-01", "2020-01-31")),
        ("MMMM YYYY", "february 2021", ("2021-02-01", "2021-02-28")),
        ("YYYY'M'MM", "2020M12", ("2020-12-01", "2020-12-31")),
        ("'Q'Q YYYY", "Q3 2020", ("2020-07-01", "2020-09-30")),
        ("YYYY", "2020", ("2020-01-01", "2020-12-31")),
    ],
)
def test_a_date_is_the_days_that_its_form_says(form, text, days):
    assert DateReader([form]).days(text) == tuple(map(date.fromisoformat, days))


@pytest.mark.parametrize(
    "text", ["2020-02-30", "2020-13-01", "2020-1-1", "2020-01-01 ", "٢٠٢٠-01-01", "", "0000-01-01"]
)
def test_a_text_that_is_no_date_has_no_days(text):
    assert DateReader(["YYYY-MM-DD"]).days(text) is None


def test_a_day_is_its_month_where_the_template_says_so():
    assert DateReader(["YYYY-MM-DD"], whole_months=True).days("2020-02-10") == (date(2020, 2, 1), date(2020, 2, 29))


@pytest.mark.parametrize(
    ("forms", "alike"),
    [
        (["D/M/YYYY", "MM/DD/YYYY"], "MM/DD/YYYY"),
        (["YYYYMM", "DDMMYY"], "DDMMYY"),
        (["YYYY-MM", "YYYY-MM-DD", "MMM YYYY"], None),
    ],
)
def test_two_forms_that_read_the_same_text_are_found(forms, alike):
    assert forms_alike(forms) == alike


def test_territories_have_names_in_the_languages_that_are_chosen():
    assert territory_names(["en"])["cote d'ivoire"] == "CI"
    assert "alemania" not in territory_names(["en"])
    assert territory_names(["en", "es"])["alemania"] == "DE"


def test_names_that_cldr_has_no_more_stay_known():
    """Senders go on writing them. The names of before and after the change are of one territory."""
    names = territory_names(["en", "fr"])
    assert names["st. helena"] == names["st. helena, ascension and tristan da cunha"] == "SH"
    assert names["heard and mcdonald islands"] == names["heard island and mcdonald islands"] == "HM"
    assert names["french southern territories"] == names["french southern and antarctic lands"] == "TF"
    assert names["région indéterminée"] == names["région inconnue"] == "ZZ"
