"""Renaming a DSP or a society: all of its DSRs at once, with answers under the new name, or nothing."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.exceptions import RenameCollides
from catalogue.models import DSR, PartyAlias, Resource
from catalogue.resources.renaming import party_rename
from catalogue.resources.services import catalogue_refresh
from dsrhub.models import AuditEntry
from tests.catalogue.helpers import import_report, line
from tests.catalogue.ranking.helpers import top_resources

pytestmark = pytest.mark.django_db(transaction=True)

DSP, SOCIETY = PartyAlias.Role.DSP, PartyAlias.Role.SOCIETY
OLD_JANUARY = "Spotify AB_Duo_ES_EUR_20200101-20200131.tsv"
NEW_FEBRUARY = "Spotify_Duo_ES_EUR_20200201-20200229.tsv"


def rename(role=DSP, name="Spotify AB", known_as="Spotify"):
    return party_rename(role=role, name=name, known_as=known_as)


def test_a_cached_ranking_is_not_answered_under_the_old_name(tmp_path):
    import_report(tmp_path, OLD_JANUARY, line("a", revenue="2"), line("b", revenue="1"))
    import_report(tmp_path, NEW_FEBRUARY, line("a", revenue="3"))
    assert [(one.dsp, one.dsp_id, one.revenue) for one in top_resources(percentile=100)] == [
        ("Spotify", "a", 3),
        ("Spotify AB", "a", 2),
        ("Spotify AB", "b", 1),
    ]

    assert rename() == 1

    # 3 + 2 of the recording that both names had.
    assert [(one.dsp, one.dsp_id, one.revenue) for one in top_resources(percentile=100)] == [
        ("Spotify", "a", Decimal(5)),
        ("Spotify", "b", Decimal(1)),
    ]


def test_recordings_of_both_names_are_registered_anew_as_one(tmp_path):
    import_report(tmp_path, OLD_JANUARY, line("a", "January"), line("b", "Only old"))
    import_report(tmp_path, NEW_FEBRUARY, line("a", "February"))
    rename()
    catalogue_refresh()

    found = Resource.objects.order_by("dsp_id").values_list("dsp", "dsp_id", "title")
    assert list(found) == [("Spotify", "a", "February"), ("Spotify", "b", "Only old")]
    assert not DSR.objects.uncatalogued().exists()


def test_keys_that_would_collide_are_listed_and_nothing_is_changed(tmp_path):
    old = import_report(tmp_path, OLD_JANUARY, line("a"))
    other = import_report(tmp_path, OLD_JANUARY.replace("_ES_", "_FR_"), line("a"))
    new = import_report(tmp_path, OLD_JANUARY.replace("Spotify AB", "Spotify"), line("b"))
    before = list(DSR.objects.order_by("id").values())

    with pytest.raises(RenameCollides, match=f"{old.pk} and {new.pk}") as refusal:
        rename()

    assert refusal.value.extra["pairs"] == [(old.pk, new.pk)]
    assert list(DSR.objects.order_by("id").values()) == before
    assert DSR.objects.get(pk=other.pk).dsp == "Spotify AB"


def test_a_society_is_renamed_without_registering_anything_anew(tmp_path):
    dsr = import_report(tmp_path, "Spotify_Duo_Sgae_ES_EUR_20200101-20200131.tsv", line("a"))

    assert rename(SOCIETY, "Sgae", "SGAE") == 1

    dsr.refresh_from_db()
    assert (dsr.society, dsr.is_catalogued) == ("SGAE", True)
    entry = AuditEntry.objects.get(action="party_renamed")
    assert entry.details | {"role": "society", "old": "Sgae", "new": "SGAE", "dsrs": 1} == entry.details


@pytest.mark.parametrize(("name", "known_as"), [("Nobody", "Spotify"), ("Spotify AB", "Spotify AB")])
def test_nothing_to_rename_leaves_no_entry(tmp_path, name, known_as):
    import_report(tmp_path, OLD_JANUARY, line("a"))
    assert rename(DSP, name, known_as) == 0
    assert not AuditEntry.objects.filter(action="party_renamed").exists()


def test_a_hundred_dsrs_take_as_many_statements_as_one(tmp_path):
    def statements():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            rename()
        return len(captured)

    import_report(tmp_path, OLD_JANUARY, line("a"))
    of_one = statements()
    for day in range(1, 6):
        import_report(tmp_path, OLD_JANUARY.replace("20200131", f"202001{day:02}"), line("a"))
    assert statements() == of_one
