"""The preview of a checked message: a row for each context, control totals, and what would be replaced."""

import json
import re
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.models import DSR, ImportJob
from tests.catalogue import recipes
from tests.catalogue.admin.imports.test_import import confirm, page_messages, states, upload
from tests.catalogue.sample_message import MESSAGE, SUMMARIES, import_message, write_message

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    """The upload folder."""
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"


def file(folder, **content):
    return SimpleUploadedFile(MESSAGE, write_message(folder, **content).read_bytes())


def card_of(page):
    (card,) = page.context["cards"]
    return card


def full(cell):
    """All digits of an amount and its currency."""
    found = re.search('data-full="(.*?)"', cell)
    return found[1] if found else cell


def many(count, revenue=lambda number: number):
    """Summaries of contexts without sales: `number` has 100 usages, and its revenue in EUR."""
    return "\n".join(
        f"SY01.03;{number};Tonbank;PADPIDA2026000001A;SubscriptionModel;;ES;Offer{number};100;;EUR;{revenue(number)};"
        for number in range(1, count + 1)
    )


def test_each_context_has_a_row_with_declared_and_found_numbers(admin_client, tmp_path):
    page = upload(admin_client, file(tmp_path))
    card = card_of(page)
    assert states(page) == [(MESSAGE, "checked")]
    assert card["dsr_keys"] == ["DSP", "offer", "territory", "currency", "commercial model", "use type"]
    columns = ("declared_usages", "usages", "declared_revenue", "revenue", "unallocated", "lines")
    rows = {
        row["key"][1:4][0] + " " + row["key"][2]: tuple(full(row[name]) for name in columns) for row in card["dsrs"]
    }
    assert rows == {
        "TonbankPremium GB": ("1,000", "893", "700.00 GBP", "625.10 GBP", "74.90 GBP", "4"),
        "TonbankPremium SE": ("500", "500", "1,234.565 SEK", "1,234.565 SEK", "0.00 SEK", "1"),
        "TonbankFree GB": ("300", "200", "10.00 GBP", "6.666666666666 GBP", "3.333333333334 GBP", "3"),
        "TonbankShop WW": ("7", "7", "6.93 EUR", "6.93 EUR", "0.00 EUR", "2"),
        "TonbankPremium NO": ("0", "0", "0.00 NOK", "0.00 NOK", "0.00 NOK", "0"),
    }
    # In EUR, 700 GBP are more than 1,234.565 SEK.
    assert [row["key"][2] for row in card["dsrs"][:2]] == ["GB", "SE"]
    facts = dict(card["message"])
    assert (facts["sender"], facts["message id"], facts["profile"]) == (
        *("Tonbank (PADPIDA2026000001A)", "MSG-1", "BasicAudioProfile 1.4"),
    )
    assert (facts["recipient"], facts["period"]) == ("SocietyX (PADPIDA2026000002B)", "2020-01-01 – 2020-01-31")
    assert not DSR.objects.exists()


def test_control_totals_are_those_of_all_contexts_by_currency(admin_client, tmp_path):
    card = card_of(upload(admin_client, file(tmp_path)))
    pounds = {
        "currency": "GBP",
        "dsrs": "2",
        "without_lines": "0",
        "lines": "7",
        "declared_usages": "1,300",
        "usages": "1,093",
        "declared_revenue": "710.00 GBP",
        "revenue": "631.766666666666 GBP",
        "unallocated": "78.233333333334 GBP",
    }
    rows = [row for row in card["control_totals"] if row["currency"] == "GBP"]
    assert [{name: full(cell) for name, cell in row.items()} for row in rows] == [pounds]
    assert [(row["currency"], row["without_lines"]) for row in card["control_totals"]] == [
        *(("EUR", "0"), ("GBP", "0"), ("NOK", "1"), ("SEK", "0")),
    ]


def test_control_totals_keep_all_digits(admin_client, tmp_path):
    digits = {1: "1" * 30, 2: "0." + "1" * 40}
    card = card_of(upload(admin_client, file(tmp_path, summaries=many(2, digits.get), blocks="")))
    (row,) = card["control_totals"]
    expected = Decimal("1" * 30 + "." + "1" * 40)
    assert full(row["declared_revenue"]).replace(",", "") == f"{expected:f} EUR"


def test_more_usages_than_declared_are_marked(admin_client, tmp_path):
    summaries = SUMMARIES.replace(";GB;TonbankPremium;1000;", ";GB;TonbankPremium;892;")
    card = card_of(upload(admin_client, file(tmp_path, summaries=summaries)))
    assert [row["key"][1:3] for row in card["dsrs"] if row["has_more_usages"]] == [["TonbankPremium", "GB"]]


def test_a_message_of_one_context_has_a_table_too(admin_client, tmp_path):
    page = upload(admin_client, file(tmp_path, summaries=many(1), blocks=""))
    card = card_of(page)
    assert [row["key"][1] for row in card["dsrs"]] == ["Offer1"]
    # Servers of earlier releases show these.
    assert dict(card["preview"]["report"])["offer"] == "Offer1"
    assert card["preview"]["totals"]["line_count"] == 0
    assert "dsrs" not in card["preview"]
    page = confirm(admin_client, page)
    assert states(page) == [(MESSAGE, "done")]
    assert "Show message" in page.content.decode()


def test_of_many_contexts_the_first_hundred_by_revenue_are_shown_and_all_are_counted(admin_client, tmp_path):
    page = upload(admin_client, file(tmp_path, summaries=many(150), blocks=""))
    card = card_of(page)
    assert [row["key"][1] for row in card["dsrs"]] == [f"Offer{number}" for number in range(150, 50, -1)]
    assert "The 100 DSRs with the most revenue, of 150." in page.content.decode()
    (row,) = card["control_totals"]
    # 1 + 2 + ... + 150.
    assert (row["dsrs"], row["declared_revenue"], row["unallocated"]) == ("150", "11,325.00 EUR", "11,325.00 EUR")


def test_all_of_many_earlier_dsrs_are_replaced_also_those_that_are_not_shown(admin_client, tmp_path):
    import_message(tmp_path, summaries=many(120), blocks="")
    page = upload(admin_client, file(tmp_path, summaries=many(120, lambda number: number + 1), blocks=""))
    card = card_of(page)
    assert "120 DSRs with different content" in page.content.decode()
    assert all(row["earlier"] for row in card["dsrs"])
    confirm(admin_client, page, replace=[card["job"].pk])
    assert DSR.objects.count() == 120
    assert DSR.objects.get(offer="Offer1").declared_revenue == 2


def test_an_earlier_dsr_that_is_not_shown_and_changed_meanwhile_is_not_replaced(admin_client, tmp_path):
    message = import_message(tmp_path, summaries=many(120), blocks="")
    page = upload(admin_client, file(tmp_path, summaries=many(120, lambda number: number + 1), blocks=""))
    least = message.dsrs.get(offer="Offer1")
    DSR.objects.filter(pk=least.pk).update(id=least.pk + 1000)  # It was replaced by another one.
    page = confirm(admin_client, page, replace=[card_of(page)["job"].pk])
    assert card_of(page)["job"].message.startswith("The earlier delivery is not the one that was shown.")
    assert DSR.objects.filter(declared_revenue=2).count() == 1


def test_earlier_deliveries_are_found_under_the_names_of_aliases(admin_client, tmp_path):
    recipes.party_alias.make(party_id="PADPIDA2026000001A", party_name="", known_as="Tonbank Music")
    message = import_message(tmp_path)
    page = upload(admin_client, file(tmp_path, summaries=SUMMARIES.replace(";700.00;", ";701;")))
    rows = {row["earlier"]["id"]: row["key"][0] for row in card_of(page)["dsrs"]}
    assert rows == dict.fromkeys(message.dsrs.values_list("pk", flat=True), "Tonbank Music")
    page = confirm(admin_client, page)
    assert "an earlier delivery exists" in page_messages(page)[0]


def test_a_preview_is_plain_json_and_takes_the_same_number_of_queries_for_few_and_for_many(admin_client, tmp_path):
    def queries(count):
        page = upload(admin_client, file(tmp_path, summaries=many(count), blocks="", message_id=f"MSG-{count}"))
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(page.request["PATH_INFO"]).status_code == 200
        return len(captured)

    assert queries(2) == queries(150)
    preview = ImportJob.objects.latest("pk").preview
    assert json.loads(json.dumps(preview)) == preview
    assert len(json.dumps(preview)) < 100_000


def test_names_are_escaped(admin_client, tmp_path):
    evil = "<script>alert(1)</script>"
    page = upload(admin_client, file(tmp_path, summaries=many(2).replace("Offer", evil), blocks="", message_id=evil))
    text = page.content.decode()
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert(" not in text
