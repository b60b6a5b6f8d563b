"""The name of a delivered file: what it says about the DSR, and which names are refused."""

from datetime import date

import pytest

from catalogue.exceptions import InvalidReportName
from catalogue.reports.contexts import SalesContext
from catalogue.reports.formats.tsv.name import parse_report_name


def test_a_name_says_which_dsr_it_is():
    assert parse_report_name("Spotify_SpotifyDuo_NO_NOK_20200101-20200131.tsv") == SalesContext(
        dsp="Spotify",
        offer="SpotifyDuo",
        society=None,
        territory="NO",
        currency="NOK",
        period_start=date(2020, 1, 1),
        period_end=date(2020, 1, 31),
    )


def test_a_name_may_have_a_society():
    assert parse_report_name("Spotify_SpotifyFamilyPlan_SGAE_ES_EUR_20200201-20200229.tsv.gz") == SalesContext(
        dsp="Spotify",
        offer="SpotifyFamilyPlan",
        society="SGAE",
        territory="ES",
        currency="EUR",
        period_start=date(2020, 2, 1),
        period_end=date(2020, 2, 29),
    )


def test_a_packed_file_is_the_same_report():
    name = "Spotify_SpotifyDuo_NO_NOK_20200101-20200131.tsv"
    assert parse_report_name(name) == parse_report_name(name + ".gz")


@pytest.mark.parametrize("ending", [".TSV", ".Tsv", ".tsv.GZ", ".TSV.GZ", ".TSV.gz"])
def test_the_case_of_the_ending_does_not_matter(ending):
    name = "Spotify_SpotifyDuo_NO_NOK_20200101-20200131"
    assert parse_report_name(name + ending) == parse_report_name(name + ".tsv")


@pytest.mark.parametrize(
    ("name", "dsp", "offer", "society", "territory"),
    [
        # A society that looks like a territory is recognised by its position.
        ("A_B_ES_FR_EUR_20200101-20200131.tsv", "A", "B", "ES", "FR"),
        ("A_ES_EUR_FR_EUR_20200101-20200131.tsv", "A", "ES", "EUR", "FR"),
        ("Amazon Music_Prime-Plus (HD)_ES_EUR_20200101-20200131.tsv", "Amazon Music", "Prime-Plus (HD)", None, "ES"),
        ("Música_Één+_ES_EUR_20200101-20200131.tsv", "Música", "Één+", None, "ES"),
        ("音楽_月額_JASRAC_JP_JPY_20200101-20200131.tsv", "音楽", "月額", "JASRAC", "JP"),
        ("7digital_a.b_GB_GBP_20200101-20200131.tsv", "7digital", "a.b", None, "GB"),
        # The database knows which codes exist, not the parser.
        ("A_B_QQ_QQQ_20200101-20200131.tsv", "A", "B", None, "QQ"),
    ],
)
def test_parts_of_unusual_names(name, dsp, offer, society, territory):
    found = parse_report_name(name)

    assert (found.dsp, found.offer, found.society, found.territory) == (dsp, offer, society, territory)


def test_a_period_may_be_a_single_day():
    found = parse_report_name("A_B_ES_EUR_20240229-20240229.tsv")

    assert (found.period_start, found.period_end) == (date(2024, 2, 29), date(2024, 2, 29))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "report.tsv",
        "A_ES_EUR_20200101-20200131.tsv",  # no offer
        "_B_ES_EUR_20200101-20200131.tsv",  # no DSP
        "A__ES_EUR_20200101-20200131.tsv",  # an empty offer
        "A_B__ES_EUR_20200101-20200131.tsv",  # an empty society
        "A_B_C_D_ES_EUR_20200101-20200131.tsv",  # a part too many
        "A_B_ES_20200101-20200131.tsv",  # no currency
        "A_B_ES_EUR.tsv",  # no period
        "A_B_ES_EUR_20200101.tsv",
        "A_B_ES_EUR_20200101_20200131.tsv",
        "A_B_ES_EUR_2020-01-01-2020-01-31.tsv",
        "A_B_ES_EUR_202001-202001.tsv",
        "A_B_es_EUR_20200101-20200131.tsv",
        "A_B_ES_eur_20200101-20200131.tsv",
        "A_B_ESP_EUR_20200101-20200131.tsv",
        "A_B_E1_EUR_20200101-20200131.tsv",
        "A_B_ES_EU_20200101-20200131.tsv",
        "A_B_ÉS_EUR_20200101-20200131.tsv",
        "A_B_ES_EUR_２０２００１０１-20200131.tsv",  # full-width digits
        "A_B_ES_EUR_٢٠٢٠٠١٠١-20200131.tsv",  # Arabic-Indic digits
        "A_B_ES_EUR_20200101-20200131",
        "A_B_ES_EUR_20200101-20200131.csv",
        "A_B_ES_EUR_20200101-20200131.t\u017fv",  # the long s, whose capital is S
        "A_B_ES_EUR_20200101-20200131.tsv.zip",
        "A_B_ES_EUR_20200101-20200131.tsv.gz.gz",
        "A_B_ES_EUR_20200101-20200131.gz",
        "A_B_ES_EUR_20200101-20200131 (1).tsv",
        "A_B_ES_EUR_20200101-20200131.tsv\n",
        "A_B_ES_EUR_20200101-20200131.tsv ",
        " A_B_ES_EUR_20200101-20200131.tsv",
        "A_B_ES_EUR_20200101-20200131\n.tsv",
        # Names are stored, shown and used in paths, so they have no folder and no unprintable character.
        "in/A_B_ES_EUR_20200101-20200131.tsv",
        "A/B_C_ES_EUR_20200101-20200131.tsv",
        "../A_B_ES_EUR_20200101-20200131.tsv",
        "A_../B_ES_EUR_20200101-20200131.tsv",
        "C:\\in\\A_B_ES_EUR_20200101-20200131.tsv",
        "A_B\\C_ES_EUR_20200101-20200131.tsv",
        ".A_B_ES_EUR_20200101-20200131.tsv",
        "-A_B_ES_EUR_20200101-20200131.tsv",
        "A\0_B_ES_EUR_20200101-20200131.tsv",
        "A\n_B_ES_EUR_20200101-20200131.tsv",
        "A_B\x7f_ES_EUR_20200101-20200131.tsv",
        "A_B\x9b_ES_EUR_20200101-20200131.tsv",
        "A_B\u202e_ES_EUR_20200101-20200131.tsv",
        "A_B_C\u2028_ES_EUR_20200101-20200131.tsv",
        # A name that is not UTF-8, as Python reads it from the disk.
        "A\udcff_B_ES_EUR_20200101-20200131.tsv",
    ],
)
def test_a_name_that_does_not_match_the_pattern_is_refused(name):
    with pytest.raises(InvalidReportName, match="doesn't match the pattern") as caught:
        parse_report_name(name)

    assert caught.value.extra == {"name": name}


@pytest.mark.parametrize(
    "period",
    [
        "20200230-20200301",
        "20200101-20200132",
        "20210228-20210229",  # no leap year
        "19000228-19000229",  # neither is this
        "20201301-20201331",
        "20200001-20200131",
        "20200100-20200131",
        "00000101-20200131",
        "20200101-99999999",
    ],
)
def test_a_date_that_does_not_exist_is_refused(period):
    with pytest.raises(InvalidReportName, match="does not exist"):
        parse_report_name(f"A_B_ES_EUR_{period}.tsv")


@pytest.mark.parametrize("period", ["20200131-20200101", "20200102-20200101", "20210101-20200131"])
def test_a_period_that_ends_before_it_starts_is_refused(period):
    with pytest.raises(InvalidReportName, match="ends before it starts"):
        parse_report_name(f"A_B_ES_EUR_{period}.tsv")


# The rest of these names, `_ES_EUR_20200101-20200131.tsv` and the like, has 29 characters.
@pytest.mark.parametrize(
    ("name", "is_accepted"),
    [
        ("A" * 100 + "_B_ES_EUR_20200101-20200131.tsv", True),
        ("A" * 101 + "_B_ES_EUR_20200101-20200131.tsv", False),
        ("A_" + "B" * 100 + "_ES_EUR_20200101-20200131.tsv", True),
        ("A_" + "B" * 101 + "_ES_EUR_20200101-20200131.tsv", False),
        ("A_B_" + "C" * 100 + "_ES_EUR_20200101-20200131.tsv", True),
        ("A_B_" + "C" * 101 + "_ES_EUR_20200101-20200131.tsv", False),
        ("A" * 100 + "_" + "B" * 100 + "_" + "C" * 24 + "_ES_EUR_20200101-20200131.tsv", True),  # 255 in all
        ("A" * 100 + "_" + "B" * 100 + "_" + "C" * 25 + "_ES_EUR_20200101-20200131.tsv", False),  # 256 in all
    ],
)
def test_no_part_is_longer_than_its_column_in_the_database(name, is_accepted):
    if is_accepted:
        assert parse_report_name(name).territory == "ES"
    else:
        with pytest.raises(InvalidReportName):
            parse_report_name(name)


def test_the_message_of_a_gigantic_name_is_short():
    with pytest.raises(InvalidReportName) as caught:
        parse_report_name("A" * 1_000_000)

    assert len(caught.value.message) < 500
