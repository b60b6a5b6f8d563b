"""What messages tell of recordings: the most recent value of each fact in the DSRs in scope. Sums by territory."""

from decimal import Decimal
from itertools import permutations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.lines.scope import ALL, Scope
from catalogue.models import DSR, ReportMessage
from catalogue.resources.found import ResourceKey, ResourceSums
from catalogue.resources.reported import ResourceFacts, SumsByTerritory, resource_facts, resource_territories
from tests.catalogue.helpers import import_report, line
from tests.catalogue.sample_message import dsr_of, import_message

pytestmark = pytest.mark.django_db

SUMMARY = "SY01.03;1;Tonbank;;SubscriptionModel;OnDemandStream;{territory};Premium;10;;GBP;10;;;;;;"
BLOCK = """
RE01.03;B1;R;rel-1;;;{icpn};The Band;;Album;;Album;{label};;;;
AS02.04;B1;1;a;{isrcs};Song;;The Band;;;SoundRecording;{iswc};{composers};;
SU02.03;B1;1;;;1;true;5;;;;
"""


def message(folder, number, *, territory="GB", month=1, **facts):
    """A message with one line of the recording `a`."""
    known = {"icpn": "", "label": "", "isrcs": "", "iswc": "", "composers": ""} | facts
    return import_message(
        folder,
        f"message-{number}.tsv",
        message_id=f"MSG-{number}",
        start=f"2020-0{month}-01",
        end=f"2020-0{month}-28",
        summaries=SUMMARY.format(territory=territory),
        blocks=BLOCK.format(**known),
    )


def facts_of(*dsp_ids, scope=ALL):
    keys = [ResourceKey("Tonbank", dsp_id) for dsp_id in dsp_ids]
    facts = resource_facts(resources=keys, scope=scope)
    return [facts[key] for key in keys]


JANUARY = {"number": 1, "month": 1, "label": "Old", "iswc": "T1", "composers": "A. Writer", "isrcs": "QZABC2600001"}
FEBRUARY = {"number": 2, "month": 2, "label": "New", "icpn": "4006381333931", "isrcs": "QZABC2600001|QZABC2600002"}
MARCH = {"number": 3, "month": 3, "composers": "B. Writer|C. Writer", "isrcs": "QZABC2600003"}


@pytest.mark.parametrize("order", list(permutations([JANUARY, FEBRUARY, MARCH])), ids="012345")
def test_each_fact_is_that_of_the_most_recent_message_that_has_it(tmp_path, order):
    for facts in order:
        message(tmp_path, **facts)
    # A report without any of these facts, which is more recent than all messages.
    import_report(tmp_path, "Tonbank_Premium_GB_GBP_20200401-20200430.tsv", line("a", "Song", "The Band"))
    expected = ResourceFacts("T1", "B. Writer|C. Writer", "New", "4006381333931", "QZABC2600001|QZABC2600002")
    assert facts_of("a") == [expected]


def test_only_dsrs_in_scope_tell_facts(tmp_path):
    message(tmp_path, 1, label="British", icpn="1")
    message(tmp_path, 2, month=2, territory="SE", label="Swedish")
    assert facts_of("a") == [ResourceFacts(label="Swedish", icpn="1")]
    assert facts_of("a", scope=Scope(territory="GB")) == [ResourceFacts(label="British", icpn="1")]
    assert facts_of("a", scope=Scope(territory="SE")) == [ResourceFacts(label="Swedish")]
    assert facts_of("a", scope=Scope(territory="NO")) == [ResourceFacts()]


def test_a_recording_of_another_dsp_has_facts_of_its_own(tmp_path):
    message(tmp_path, 1, label="Blank Records")
    other = ResourceKey("Spotify", "a")
    assert resource_facts(resources=[other], scope=ALL) == {other: ResourceFacts()}


def test_a_deleted_message_tells_nothing(tmp_path):
    first = message(tmp_path, 1, label="Old")
    message(tmp_path, 2, month=2, label="New")
    second = ReportMessage.objects.exclude(pk=first.pk).get()
    DSR.objects.filter(message=second).delete()
    assert facts_of("a") == [ResourceFacts(label="Old")]


@pytest.mark.parametrize("limit_bytes", [0, 1024**2], ids=["own partitions", "shared partition"])
def test_facts_of_an_imported_message(tmp_path, settings, limit_bytes):
    settings.DSRHUB_SHARED_PARTITION_BYTES = limit_bytes
    imported = import_message(tmp_path)
    assert facts_of("trk-1", "trk-2", "trk-3", "rel-100", "missing") == [
        # The last context tells the ICPN too, and nothing else of this recording.
        ResourceFacts("T0345246801", "A. Writer|B. Writer", "Blank Records", "4006381333931"),
        ResourceFacts(None, None, "Blank Records", "4006381333931", "QZABC2600002|QZABC2600003"),
        ResourceFacts("T0345246801", "C. Writer"),
        ResourceFacts(icpn="4006381333931"),
        ResourceFacts(),
    ]
    only_shop = Scope(dsrs=(dsr_of(imported, "4").pk,))
    assert facts_of("trk-1", scope=only_shop) == [ResourceFacts(icpn="4006381333931")]


@pytest.mark.on_one_server(reason="a cluster gathers the lines by more statements")
def test_facts_of_many_recordings_need_as_many_statements_as_those_of_one(tmp_path):
    import_message(tmp_path)

    def statements(*dsp_ids):
        with CaptureQueriesContext(connection) as captured:
            facts_of(*dsp_ids)
        return len(captured)

    # The DSRs in scope, the facts, and whether the DSRs are still there.
    assert statements("trk-1") == statements("trk-1", "trk-2", "trk-3", "rel-100") == 3


# --- Sums by territory -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit_bytes", [0, 1024**2], ids=["own partitions", "shared partition"])
def test_sums_by_territory(tmp_path, settings, limit_bytes):
    settings.DSRHUB_SHARED_PARTITION_BYTES = limit_bytes
    reports = {
        # Two lines of one DSR, and another DSR of the same territory.
        "Tonbank_Duo_ES_EUR_20200101-20200131.tsv": [line("a", usages="4", revenue="0.1"), line("a", revenue="0.2")],
        "Tonbank_Duo_ES_EUR_20200201-20200229.tsv": [line("a", usages="1", revenue="-0.05"), line("b", revenue="9")],
        "Tonbank_Duo_FR_EUR_20200101-20200131.tsv": [line("a", usages="2")],
        "Tonbank_Duo_IT_EUR_20200101-20200131.tsv": [line("b", revenue="9")],
        "Deezer_Free_ES_EUR_20200101-20200131.tsv": [line("a", revenue="9")],
    }
    for name, lines in reports.items():
        import_report(tmp_path, name, *lines)

    def sums(dsp_id, **scope):
        return resource_territories(resource=ResourceKey("Tonbank", dsp_id), scope=Scope(**scope))

    spain, france = ResourceSums(5, Decimal("0.25"), 2), ResourceSums(2, None, 1)
    assert sums("a") == SumsByTerritory(ResourceSums(7, Decimal("0.25"), 3), {"ES": spain, "FR": france})
    assert sums("a", territory="FR") == SumsByTerritory(france, {"FR": france})
    nothing = SumsByTerritory(ResourceSums(None, None, 0), {})
    assert [sums("missing"), sums("a", dsp="Tidal")] == [nothing, nothing]
