"""DDEX messages in the database: random ones, samples, and files that only look like messages."""

import gzip
import io
import zipfile
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from unittest.mock import patch

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.dsrs.services import dsr_delete, message_delete
from catalogue.dsrs.versions.superseding import versions_drop
from catalogue.exceptions import DSRExists, InvalidReportName, MessageIdReused, ReportRefused
from catalogue.imports.loading.choices import Choices
from catalogue.imports.loading.outcome import Outcome
from catalogue.imports.services import DeliveredFile, delivery_import
from catalogue.models import (
    DSR,
    RejectedDelivery,
    ReportMessage,
    ReportProblem,
    Resource,
    SupersededDSR,
    UsageLine,
    UseTypeTotal,
)
from catalogue.rates.services import operator_rate_set
from catalogue.reports import delivery
from catalogue.reports.samples.messages import message_list
from catalogue.reports.samples.writing import message_write
from catalogue.resources.services import catalogue_refresh
from tests.catalogue.helpers import SHARED_STORAGE, line_storage, user_with
from tests.catalogue.reports.formats.ddex.messages import file_of, head, messages, recording, stream, summary
from tests.catalogue.reports.formats.ddex.slow_reader import first_isrc, read_message

pytestmark = pytest.mark.django_db

SAMPLES = Path(__file__).resolve().parent.parent.parent / "data" / "ddex"
NAME = "DSR_SocietyX_Tonbank_Premium_2020-01_multi_{}of{}_20200212T083000.tsv"


def write_message(folder, *files, name=NAME):
    """Write the files of a message. Return them as they are delivered."""
    delivered = []
    for number, content in enumerate(files, start=1):
        path = folder / name.format(number, len(files))
        path.write_bytes(content)
        delivered.append(DeliveredFile(path, path.name))
    return delivered


def import_message(folder, *files, name=NAME, **choices):
    return delivery_import(files=write_message(folder, *files, name=name), choices=Choices(**choices))


def import_samples(*names, **choices):
    return delivery_import(files=[DeliveredFile(SAMPLES / name, name) for name in names], choices=Choices(**choices))


def is_nothing_loaded():
    return not DSR.objects.exists() and not ReportMessage.objects.exists() and not UsageLine.objects.exists()


# --- Random messages -------------------------------------------------------------------------------------------

KEY_FIELDS = ["dsp", "offer", "society", "territory_id", "currency_id", "period_start", "period_end"]
KEY_FIELDS += ["commercial_model", "use_type", "subscriber_type"]
LINE_FIELDS = ["line_number", "dsp_id", "title", "artists", "isrc", "usages", "revenue", "use_type"]
LINE_FIELDS += ["is_royalty_bearing", "returns", "transaction_id", "is_release", "iswc", "composers", "label", "icpn"]


def expected_lines(context):
    return [
        (
            *(number, line.dsp_id, line.title, line.artists, first_isrc(line.isrcs), line.usages, line.revenue),
            *(line.use_type, line.is_royalty_bearing, line.returns, line.transaction_id, line.is_release, line.iswc),
            *("|".join(line.composers) or None, line.label, line.icpn),
        )
        for number, line in enumerate(context.lines, start=2)
    ]


def expected_use_types(context):
    sums = {}
    for line in context.lines:
        count, usages, revenue = sums.get(line.use_type or context.use_type, (0, 0, 0))
        sums[line.use_type or context.use_type] = count + 1, usages + line.usages, revenue + (line.revenue or 0)
    return sums


@settings(max_examples=15)
@given(files=messages(), chunk_bytes=st.sampled_from([7, 64 * 1024]), shared_bytes=st.sampled_from([0, 300, 10**6]))
def test_random_messages_are_loaded_exactly(tmp_path, settings, files, chunk_bytes, shared_bytes):
    settings.DSRHUB_SHARED_PARTITION_BYTES = shared_bytes
    delivered = write_message(tmp_path, *files)

    # Each message replaces the one before it, as they have one id.
    with patch.object(delivery, "CHUNK_BYTES", chunk_bytes):
        delivery_import(files=delivered, choices=Choices(replace=True, drop_missing=True), and_catalogue=False)

    expected = read_message(files)
    dsrs = {dsr.summary_id: dsr for dsr in DSR.objects.all()}
    assert dsrs.keys() == expected.keys()
    assert {dsr.message_id for dsr in dsrs.values()} == {ReportMessage.objects.get().pk}
    assert UsageLine.objects.of(dsrs.values()).count() == sum(len(context.lines) for context in expected.values())
    for summary_id, context in expected.items():
        dsr = dsrs[summary_id]
        assert [getattr(dsr, name) for name in KEY_FIELDS] == [
            getattr(context, name.removesuffix("_id")) for name in KEY_FIELDS
        ]
        assert list(UsageLine.objects.of([dsr]).order_by("line_number").values_list(*LINE_FIELDS)) == expected_lines(
            context
        )
        assert {
            one.use_type: (one.line_count, one.total_usages, one.total_revenue) for one in dsr.use_type_totals.all()
        } == expected_use_types(context)
        revenue = sum(line.revenue or 0 for line in context.lines)
        assert (dsr.line_count, dsr.total_usages) == (len(context.lines), sum(line.usages for line in context.lines))
        assert dsr.total_revenue == revenue
        assert (dsr.declared_revenue, dsr.declared_usages, dsr.subscribers, dsr.unallocated_revenue) == (
            *(context.declared_revenue, context.declared_usages, context.subscribers, context.unallocated),
        )
        unpaid = [line for line in context.lines if line.is_royalty_bearing is False]
        assert dsr.usages_without_royalty == sum(line.usages for line in unpaid)
        assert dsr.revenue_without_royalty == sum(line.revenue or 0 for line in unpaid)
        returns = [line.returns for line in context.lines if line.returns is not None]
        assert dsr.returns == (sum(returns) if returns else None)
        if context.declared_revenue is not None:
            assert dsr.total_revenue + dsr.unallocated_revenue == dsr.declared_revenue


# --- Samples ---------------------------------------------------------------------------------------------------

ONE_FILE = "DSR_SocietyX_Tonbank_TonbankPremium-TonbankFree_2026-09_multi_1of1_20261012T083000.tsv"
TWO_FILES = [
    f"DSR_SocietyX_Tonbank_TonbankPremium-TonbankFree_2026-09_multi_{number}of2_20261012T090000.tsv"
    for number in (1, 2)
]
WITHOUT_SALES = "DSR_SocietyX_Tonbank_TonbankPremium_2026-10_NO_1of1_20261112T083000.tsv"

# Calculated by hand: summary id, territory, currency, offer, commercial model, declared usages and revenue, lines,
# usages, allocated revenue, unallocated revenue.
CONTEXTS = [
    ("1", "GB", "GBP", "TonbankPremium", "SubscriptionModel", "1000", "700.00", 4, 893, "625.10", "74.90"),
    ("2", "SE", "SEK", "TonbankPremium", "SubscriptionModel", "500", "1234.565", 1, 500, "1234.565", "0"),
    (
        *("3", "GB", "GBP", "TonbankFree", "AdvertisementSupportedModel", "300", "10", 3, 200),
        *("6.666666666666", "3.333333333334"),
    ),
    ("4", "WW", "EUR", "TonbankShop", "PayAsYouGoModel", "7", "6.93", 2, 7, "6.93", "0"),
    ("5", "NO", "NOK", "TonbankPremium", "SubscriptionModel", "0", "0", 0, 0, "0", "0"),
]
# By summary and dsp_id: usages and revenue. The last digit of 20/3 goes to the line with the most usages.
RECORDINGS = {
    ("1", "trk-1"): (650, "455.00"),
    ("1", "trk-2"): (243, "170.10"),
    ("2", "trk-2"): (500, "1234.565"),
    ("3", "trk-3"): (120, "4"),
    ("3", "trk-1"): (80, "2.666666666666"),
    ("4", "rel-100"): (2, "1.98"),
    ("4", "trk-1"): (5, "4.95"),
}
USE_TYPES = {
    ("1", "OnDemandStream"): (3, 843, "590.10"),
    ("1", "ContentInfluencedStream"): (1, 50, "35.00"),
    ("2", "OnDemandStream"): (1, 500, "1234.565"),
    ("3", "NonInteractiveStream"): (3, 200, "6.666666666666"),
    ("4", "PermanentDownload"): (2, 7, "6.93"),
}


@pytest.fixture
def _rates_of_the_samples():
    """The loaded history of the ECB may end before the months of the samples."""
    for currency, rate in (("GBP", "0.875"), ("SEK", "11.25"), ("NOK", "11.50")):
        for start, end in ((date(2026, 9, 1), date(2026, 9, 30)), (date(2026, 10, 1), date(2026, 10, 31))):
            operator_rate_set(currency=currency, period_start=start, period_end=end, rate=Decimal(rate))


@pytest.mark.usefixtures("_rates_of_the_samples")
@pytest.mark.parametrize("names", [[ONE_FILE], TWO_FILES], ids=["one file", "two files"])
def test_the_samples_have_their_totals(names):
    report = import_samples(*names)

    assert report.problems.errors == []
    assert [
        (
            *(dsr.summary_id, dsr.territory_id, dsr.currency_id, dsr.offer, dsr.commercial_model),
            *(dsr.declared_usages, dsr.declared_revenue, dsr.line_count, dsr.total_usages),
            *(dsr.total_revenue, dsr.unallocated_revenue),
        )
        for dsr in DSR.objects.order_by("id")
    ] == [
        (*texts, Decimal(usages), Decimal(revenue), lines, found, Decimal(allocated), Decimal(rest))
        for *texts, usages, revenue, lines, found, allocated, rest in CONTEXTS
    ]
    assert set(DSR.objects.values_list("dsp", "society", "path", "period_start", "period_end", "revenue_kind")) == {
        ("Tonbank", "SocietyX", names[0], date(2026, 9, 1), date(2026, 9, 30), "allocated")
    }
    by_number = dict(DSR.objects.values_list("id", "summary_id"))
    recordings = {}
    for line in UsageLine.objects.all():
        key = by_number[line.dsr_id], line.dsp_id
        usages, revenue = recordings.get(key, (0, 0))
        recordings[key] = usages + line.usages, revenue + line.revenue
    assert recordings == {key: (usages, Decimal(revenue)) for key, (usages, revenue) in RECORDINGS.items()}
    assert {
        (by_number[one.dsr_id], one.use_type): (one.line_count, one.total_usages, one.total_revenue)
        for one in UseTypeTotal.objects.all()
    } == {key: (count, usages, Decimal(revenue)) for key, (count, usages, revenue) in USE_TYPES.items()}
    third, fourth = DSR.objects.get(summary_id="3"), DSR.objects.get(summary_id="4")
    assert (third.usages_without_royalty, third.revenue_without_royalty) == (20, Decimal("0.666666666666"))
    assert (fourth.returns, DSR.objects.get(summary_id="1").subscribers) == (1, Decimal("52000.5"))
    assert (fourth.use_type, third.use_type) == ("PermanentDownload", "NonInteractiveStream")


@pytest.mark.usefixtures("_rates_of_the_samples")
def test_the_texts_of_a_sample_are_those_of_its_sender():
    import_samples(ONE_FILE)

    texts = UsageLine.objects.values_list("dsp_id", "title", "artists", "artists_delivered", "isrc", "isrcs").distinct()
    assert set(texts) == {
        ("trk-1", 'One "of" these', "The Quoted Ones", None, "QZABC2600001", None),
        ("trk-2", "AC\\DC | live", "A / B", "A | B", "QZABC2600002", "QZABC2600002|QZABC2600003"),
        ("trk-3", "Untitled", None, None, None, None),
        ("rel-100", "Night | Day", 'The "Quoted" Ones', None, None, None),
    }
    assert dict(UsageLine.objects.filter(composers__isnull=False).values_list("dsp_id", "composers").distinct()) == {
        "trk-1": "A. Writer|B. Writer",
        "trk-3": "C. Writer",
    }


@pytest.mark.parametrize("name", TWO_FILES)
@pytest.mark.usefixtures("_rates_of_the_samples")
def test_a_file_of_two_is_not_a_message(name):
    with pytest.raises(ReportRefused) as refused:
        import_samples(name)
    assert [problem.code for problem in refused.value.extra["problems"]] == ["files_missing"]
    assert is_nothing_loaded()


def test_a_message_without_sales_needs_a_rate(tmp_path):
    # Of a month that no history of the ECB has reached.
    content = (SAMPLES / WITHOUT_SALES).read_bytes().replace(b"2026-10\t", b"2190-10\t")
    with pytest.raises(ReportRefused) as refused:
        import_message(tmp_path, content)
    errors = [problem for problem in refused.value.extra["problems"] if problem.is_error]
    assert [problem.code for problem in errors] == ["exchange_rate_incomplete"]
    assert is_nothing_loaded()


@pytest.mark.usefixtures("_rates_of_the_samples")
def test_a_message_without_sales_has_a_dsr_without_lines():
    report = import_samples(WITHOUT_SALES)

    dsr = report.dsr
    assert (dsr.territory_id, dsr.use_type, dsr.line_count, dsr.total_revenue) == ("NO", "OnDemandStream", 0, 0)
    assert (dsr.declared_usages, dsr.declared_revenue, dsr.unallocated_revenue, dsr.subscribers) == (0, 0, 0, 12)
    assert (dsr.period_start, dsr.period_end) == (date(2026, 10, 1), date(2026, 10, 31))
    assert (dsr.exchange_rate, dsr.use_type_totals.count()) == (Decimal("11.50"), 0)
    assert {problem.code for problem in report.problems.kept} == {"period_widened", "sender_unknown"}


# --- Files that only look like messages ------------------------------------------------------------------------


def zipped(content):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("message.tsv", content)
    return packed.getvalue()


def ugc(profile, version):
    """A message of the profile for user generated content, in which lines have revenue of their own."""
    return file_of(
        head(c2="dsrf/30", c3=profile, c4=version),
        ("SY02.01", "1", "", "", "AdvertisementSupportedModel", "Stream", "IS", "Free", "100", "", "USD", "5.5"),
        ("AS01", "1", "A1", "A1", "QZABC2600001", "Aurora", "", "Ana", "", "PT0H0M0S", "SoundRecording"),
        ("RU01", "1", "1", "V1|V2", "3"),
        ("SU03.01", "1", "U1", "1", "A1", "3", "2.0", "20151001", "20151231"),
        ("LI01.01", "1", "1", "PUB_1", "", "", "1.0", "PerformingRight", "0.0", "1.5"),
    )


WHOLE = file_of(head(), summary(), recording(), stream(), stream())
TSV_LINES = b"dsp_id\ttitle\tartists\tisrc\tusages\trevenue\r\na\t\t\t\t1\t1\r\n"
PRETENDERS = {
    "UGCProfile 1.0": (ugc("UGCProfile", "1.0"), "profile_not_supported", "UGCProfile 1.0"),
    "UgcProfile 1.1": (ugc("UgcProfile", "1.1"), "profile_not_supported", "UgcProfile 1.1"),
    "royalties": (ugc("RoyaltyReportingProfile", "1.0.1"), "profile_not_supported", "RoyaltyReportingProfile 1.0.1"),
    "Basic Audio 2.0": (*(file_of(head(c4="2.0"), summary()), "profile_not_supported", "BasicAudioProfile 2.0"),),
    "no profile": (file_of(head(c3=""), summary()), "profile_not_supported", "1.4"),
    "blocks without HEAD": (file_of(recording(), stream()), "head_missing", None),
    "a fragment of cells": (b"1\tA1\tA1\r\n2\tA2\tA2\r\n", "head_missing", None),
    "HEAD of a list": (b"HEAD\tof the list\r\n1\t2\r\n", "head_incomplete", "2 cells, message version 'of the list'"),
    "HEAD alone": (file_of(head(), foot=None), "summary_missing", None),
    "HEAD and FOOT": (file_of(head()), "summary_missing", None),
    "cut off behind a line": (WHOLE[: WHOLE.rindex(b"FOOT")], "foot_missing", None),
    "cut off in a line": (WHOLE[: WHOLE.rindex(b"SU02") + 9], "foot_missing", None),
    "XML": (b'<?xml version="1.0" encoding="UTF-8"?>\n<dsr:SalesReportMessage/>\n', "wrong_file_kind", None),
    "a zip file": (zipped(WHOLE), "wrong_file_kind", None),
    "an empty file": (b"", "head_missing", None),
    "blank lines": (b"\r\n\t\r\n", "head_missing", None),
    "comments": (b"#HEAD\tMessageVersion\r\n", "head_missing", None),
    "UTF-16": (WHOLE.decode().encode("utf-16"), "wrong_file_kind", None),
    "text behind FOOT": (WHOLE + b"SU02\tB1\r\n", "record_after_foot", "SU02"),
    "two messages in one file": (WHOLE + WHOLE, "record_after_foot", "HEAD"),
}


@pytest.mark.parametrize("kind", PRETENDERS)
@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "packed"])
def test_a_file_that_only_looks_like_a_message_has_a_clear_error(tmp_path, kind, is_packed):
    content, code, value = PRETENDERS[kind]
    name = NAME + ".gz" * is_packed
    with pytest.raises(ReportRefused) as refused:
        import_message(tmp_path, gzip.compress(content) if is_packed else content, name=name)
    first = next(problem for problem in refused.value.extra["problems"] if problem.is_error)
    assert first.code == code
    assert value is None or first.value == value
    assert is_nothing_loaded()
    assert line_storage() == SHARED_STORAGE
    assert ReportProblem.objects.filter(rejection__name=name.format(1, 1), code=code).exists()


@pytest.mark.parametrize(
    "kind", [kind for kind in PRETENDERS if kind not in ("text behind FOOT", "two messages in one file")]
)
def test_such_a_file_has_one_error(tmp_path, kind):
    content, code, _ = PRETENDERS[kind]
    with pytest.raises(ReportRefused) as refused:
        import_message(tmp_path, content)
    codes = [problem.code for problem in refused.value.extra["problems"] if problem.is_error]
    assert codes == [code]


def test_a_tsv_report_with_the_name_of_a_message_is_refused(tmp_path):
    with pytest.raises((InvalidReportName, ReportRefused)):
        import_message(tmp_path, TSV_LINES)
    assert is_nothing_loaded()


@pytest.mark.parametrize("kind", PRETENDERS)
def test_such_a_file_is_a_wrong_request(client, kind):
    client.force_login(user_with("add_dsr"))
    content, code, _ = PRETENDERS[kind]
    response = client.post("/dsrs/", {"file": SimpleUploadedFile(NAME.format(1, 1), content)})
    assert response.status_code == 400
    assert code in {problem["code"] for problem in response.json()["problems"]}
    assert is_nothing_loaded()


@pytest.mark.parametrize("name", ["DSR_\udc80_{}of{}.tsv", "DSR_\u202e_{}of{}.tsv", "DSR_\n_{}of{}.tsv", "\x7f{}{}"])
def test_the_name_of_a_message_must_be_a_text(tmp_path, name):
    with pytest.raises(InvalidReportName) as refused:
        import_message(tmp_path, WHOLE, name=name)
    assert refused.value.code == "invalid_report_name"
    assert is_nothing_loaded()
    assert RejectedDelivery.objects.count() == 1


# --- The same message again, and others ------------------------------------------------------------------------


def message_of(*territories, message_id="MSG-1", usages="2", line_count=1):
    """A message of one context for each territory, each with the same lines."""
    contexts = [summary(code, c7=code, c11="EUR") for code in territories]
    lines = [stream("B1", code, usages) for code in territories for _ in range(line_count)]
    return file_of(head(message_id), *contexts, recording(), *lines)


def stored():
    """What is there of each territory: the message and the sum of the usages."""
    return {
        dsr.territory_id: (dsr.message.message_id, dsr.total_usages)
        for dsr in DSR.objects.ingested().select_related("message")
    }


def test_the_same_message_again_changes_nothing(tmp_path):
    first = import_message(tmp_path, message_of("GB", "SE"))
    again = import_message(tmp_path, message_of("GB", "SE"), name="DSR_another_name_of_the_2020-01_same_1of1_file.tsv")

    assert [one.outcome for one in again.imported] == [Outcome.UNCHANGED] * 2
    assert [one.dsr for one in again.imported] == [one.dsr for one in first.imported]
    assert (ReportMessage.objects.count(), UsageLine.objects.count()) == (1, 2)


def test_another_message_over_the_same_keys_is_refused_with_all_of_them(tmp_path):
    import_message(tmp_path, message_of("GB", "SE", "FR"))
    ids = dict(DSR.objects.values_list("territory_id", "id"))

    with pytest.raises(DSRExists) as refused:
        import_message(tmp_path, message_of("FR", "GB", "NO", message_id="MSG-2", usages="3"))

    assert sorted(refused.value.extra["ids"]) == sorted([ids["FR"], ids["GB"]])
    # Both messages are of a file of this name: the new one, and that of all earlier DSRs, which is named once.
    assert refused.value.message.count(DSR.objects.first().path) == 2
    assert f"DSRs {ids['FR']}, {ids['GB']} (" in refused.value.message
    assert stored() == {"GB": ("MSG-1", 2), "SE": ("MSG-1", 2), "FR": ("MSG-1", 2)}


def test_a_replacement_leaves_the_contexts_that_it_lacks(tmp_path):
    import_message(tmp_path, message_of("GB", "SE", "FR"))

    report = import_message(tmp_path, message_of("FR", "NO", message_id="MSG-2", usages="3"), replace=True)

    assert [one.outcome for one in report.imported] == [Outcome.REPLACED, Outcome.LOADED]
    assert [dsr.territory_id for dsr in report.missing] == ["GB", "SE"]
    assert stored() == {"GB": ("MSG-1", 2), "SE": ("MSG-1", 2), "FR": ("MSG-2", 3), "NO": ("MSG-2", 3)}


@pytest.mark.usefixtures("without_versions")
def test_a_replacement_drops_the_contexts_that_it_lacks_if_that_is_asked_for(tmp_path):
    import_message(tmp_path, message_of("GB", "SE", "FR"))

    import_message(tmp_path, message_of("FR", "NO", message_id="MSG-2", usages="3"), replace=True, drop_missing=True)

    assert stored() == {"FR": ("MSG-2", 3), "NO": ("MSG-2", 3)}
    assert ReportMessage.objects.get().message_id == "MSG-2"
    catalogue_refresh()
    assert UsageLine.objects.count() == 2


def test_a_dry_run_lists_the_contexts_that_a_replacement_lacks(tmp_path):
    import_message(tmp_path, message_of("GB", "SE"))
    content = message_of("GB", message_id="MSG-2", usages="3")
    report = import_message(tmp_path, content, replace=True, dry_run=True)
    assert [dsr.territory_id for dsr in report.missing] == ["SE"]
    assert stored() == {"GB": ("MSG-1", 2), "SE": ("MSG-1", 2)}
    assert line_storage() == SHARED_STORAGE


def test_a_message_id_with_other_content_is_refused(tmp_path):
    import_message(tmp_path, message_of("GB"))
    for territories in (["GB"], ["SE"]):
        with pytest.raises(MessageIdReused) as refused:
            import_message(tmp_path, message_of(*territories, usages="3"))
        assert refused.value.code == "message_id_reused"
    assert stored() == {"GB": ("MSG-1", 2)}

    import_message(tmp_path, message_of("GB", usages="3"), replace=True)
    assert stored() == {"GB": ("MSG-1", 3)}
    assert ReportMessage.objects.count() == 1


def test_another_sender_may_use_the_same_message_id(tmp_path):
    import_message(tmp_path, message_of("GB"))
    other = message_of("GB").replace(b"PADPIDA2026000001A\tTonbank", b"PADPIDA2026000003C\tOther")
    import_message(tmp_path, other)
    assert sorted(DSR.objects.values_list("dsp", "message__message_id")) == [("Other", "MSG-1"), ("Tonbank", "MSG-1")]


def test_a_failed_replacement_leaves_everything_as_it_was(tmp_path):
    import_message(tmp_path, message_of("GB", "SE"))
    broken = message_of("GB", "SE", message_id="MSG-2").replace(b"\ttrue\t2", b"\ttrue\t2.5")
    with pytest.raises(ReportRefused):
        import_message(tmp_path, broken, replace=True, drop_missing=True)
    assert stored() == {"GB": ("MSG-1", 2), "SE": ("MSG-1", 2)}
    assert UsageLine.objects.count() == 2


# --- Cost and order --------------------------------------------------------------------------------------------

ISO_CODES = ["AT", "BE", "BG", "CH", "CZ", "DE", "DK", "ES", "FI", "FR", "GB", "GR", "HU", "IE", "IT", "LU", "NL", "NO"]


def test_a_message_of_many_contexts_takes_as_many_statements_as_one_of_few(tmp_path):
    import_message(tmp_path, message_of("PL", message_id="MSG-0"))
    counts = []
    for message_id, codes in (("MSG-1", ISO_CODES[:2]), ("MSG-2", ISO_CODES[2:])):
        content = message_of(*codes, message_id=message_id, line_count=3)
        with CaptureQueriesContext(connection) as queries:
            import_message(tmp_path, content)
        counts.append(len(queries))
    assert DSR.objects.count() == 1 + len(ISO_CODES)
    assert counts[0] == counts[1]


@pytest.mark.parametrize("days", [0, 30])
def test_replacing_and_deleting_many_contexts_takes_as_many_statements_as_few(tmp_path, settings, days):
    settings.DSRHUB_SUPERSEDED_DAYS = days
    counts = []
    for count in (5, 50):
        (message,) = message_list(1, dsrs=count)
        # Each currency needs its rate, and each name its lock: these contexts differ in nothing but their use types.
        one = message.contexts[0]
        message = replace(
            message,
            contexts=[
                replace(context, market=one.market, sales=replace(one.sales, use_types=[f"Use{context.summary_id}"]))
                for context in message.contexts
            ],
        )
        for seed, number in ((1, count), (2, count + 1)):
            (path,) = message_write(tmp_path, replace(message, number=number), seed=seed, lines=3 * count)
            with CaptureQueriesContext(connection) as queries:
                delivered = [DeliveredFile(path, path.name)]
                report = delivery_import(files=delivered, choices=Choices(replace=True), and_catalogue=False)
            counts.append(len(queries))
            with CaptureQueriesContext(connection) as queries:
                catalogue_refresh()
            counts.append(len(queries))
        assert report.outcome == Outcome.REPLACED
        assert DSR.objects.ingested().count() == count
        for work in (lambda: message_delete(message_number=report.message.pk), catalogue_refresh):  # noqa: B023
            with CaptureQueriesContext(connection) as queries:
                work()
            counts.append(len(queries))
        assert not DSR.objects.exists()
        assert UsageLine.objects.exists() == bool(days)
        assert not Resource.objects.exists()
        # The next message has some of the same contexts.
        versions_drop(SupersededDSR.objects.values_list("pk", flat=True), reason="deleted")
        catalogue_refresh()
    assert counts[:6] == counts[6:]


@pytest.mark.usefixtures("without_versions")
def test_who_describes_a_recording_does_not_depend_on_the_order_of_imports(tmp_path):
    """Contexts of messages share a path: the offer decides, then the territory, the model and the use type."""
    described = set()
    contents = [
        _describing("MSG-1", ("GB", "Premium", "SubscriptionModel", "Stream", "Aurora")),
        _describing(
            "MSG-2",
            ("GB", "zoo", "AdvertisementSupportedModel", "Stream", "Sea"),
            ("GB", "zoo", "SubscriptionModel", "Stream", "Last"),
            ("FR", "zoo", "SubscriptionModel", "Stream", "Moon"),
        ),
        _describing("MSG-3", ("GB", "zoo", "SubscriptionModel", "Download", "Star"), ("GB", "Yak", "Z", "Z", "Sun")),
    ]
    for order in permutations(contents):
        for content in order:
            import_message(tmp_path, content)
        described.add(Resource.objects.get().title)
        for dsr in DSR.objects.all():
            dsr_delete(dsr_number=dsr.pk)
        Resource.objects.all().delete()
    assert described == {"Last"}


def _describing(message_id, *contexts):
    """A message of contexts that have one recording, each with another title."""
    summaries, blocks = [], []
    for number, (territory, offer, model, use_type, title) in enumerate(contexts):
        summaries.append(summary(str(number), c5=model, c6=use_type, c7=territory, c8=offer, c11="EUR"))
        blocks += [recording(f"B{number}", c6=title), stream(f"B{number}", str(number))]
    return file_of(head(message_id), *summaries, *blocks)
