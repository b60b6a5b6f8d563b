"""Totals that earlier releases did not count are completed by a worker."""

from decimal import Decimal

import pytest

from catalogue.dsrs.statistics.totals import totals_complete
from catalogue.models import DSR, UseTypeTotal
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line
from tests.catalogue.sample_message import import_message

pytestmark = pytest.mark.django_db

NAMES = ("blank_isrc_usages", "blank_isrc_revenue")
NOT_COUNTED = dict.fromkeys(NAMES)
ISRC = "ESABC2000001"


@pytest.fixture
def _delivered(tmp_path, settings):
    """Reports in the shared partition and in one of their own, and a message."""
    import_report(
        tmp_path,
        ES_JANUARY,
        line("a", isrc=ISRC, usages="3", revenue="10"),
        line("b", usages="4", revenue="2.220446049250313e-16"),
        line("c", usages="9223372036854775807", revenue="-1"),
        line("d"),
    )
    settings.DSRHUB_SHARED_PARTITION_BYTES = 0
    import_report(tmp_path, NO_JANUARY, line("a", isrc=ISRC, usages="3"), line("b", revenue="0.1"))
    import_message(tmp_path)


def totals():
    by_dsr = list(DSR.objects.order_by("pk").values_list("territory_id", "offer", *NAMES))
    return by_dsr, list(UseTypeTotal.objects.order_by("pk").values_list("dsr__offer", "use_type", *NAMES))


# Added up by hand. In the message, the recording trk-3 (100 and 20 streams of 10 GBP / 300) has no ISRC, nor has the
# whole release of which 2 are sold at 0.99 EUR.
BY_DSR = [
    ("ES", "SpotifyFamilyPlan", Decimal("9223372036854775811"), Decimal("-0.9999999999999997779553950749687")),
    ("NO", "SpotifyDuo", Decimal(0), Decimal("0.1")),
    ("GB", "TonbankPremium", Decimal(0), Decimal(0)),
    ("SE", "TonbankPremium", Decimal(0), Decimal(0)),
    ("GB", "TonbankFree", Decimal(120), Decimal(4)),
    ("WW", "TonbankShop", Decimal(2), Decimal("1.98")),
    ("NO", "TonbankPremium", Decimal(0), Decimal(0)),
]
BY_USE_TYPE = {
    ("TonbankPremium", "OnDemandStream", Decimal(0), Decimal(0)),
    ("TonbankPremium", "ContentInfluencedStream", Decimal(0), Decimal(0)),
    ("TonbankFree", "NonInteractiveStream", Decimal(120), Decimal(4)),
    ("TonbankShop", "PermanentDownload", Decimal(2), Decimal("1.98")),
}


@pytest.mark.usefixtures("_delivered")
def test_they_are_counted_at_import_and_the_same_by_a_worker(django_assert_num_queries):
    at_import = totals()
    assert at_import[0] == BY_DSR
    assert set(at_import[1]) == BY_USE_TYPE
    with django_assert_num_queries(1):
        assert totals_complete() == 0

    DSR.objects.update(**NOT_COUNTED)
    UseTypeTotal.objects.update(**NOT_COUNTED)
    recipes.failed_dsr.make()

    assert totals_complete() == len(BY_DSR)
    assert (totals()[0][: len(BY_DSR)], totals()[1]) == at_import
    assert DSR.objects.failed().get().blank_isrc_usages is None


@pytest.mark.usefixtures("_delivered")
def test_a_worker_that_stops_goes_on_later():
    DSR.objects.update(**NOT_COUNTED)
    answers = iter([True, True, True, False, False])
    assert totals_complete(is_alive=lambda: next(answers)) == 2
    assert totals_complete() == len(BY_DSR) - 2
    assert totals()[0] == BY_DSR
