"""Renaming a DSP or a society: all of its DSRs at once, with answers under the new name, or nothing."""

from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from catalogue.exceptions import InvalidPartyName, NameLooksAlike, RenameCollides
from catalogue.models import DSR, PartyAlias, Resource
from catalogue.resources.renaming import party_rename
from catalogue.resources.services import catalogue_refresh
from dsrhub.models import AuditEntry
from tests.catalogue.helpers import import_report, line
from tests.catalogue.ranking.helpers import top_resources
from tests.waiting import PATIENCE, wait_for_lock_waiter

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


# --- What looks the same never counts as two ---------------------------------------------------------------------


def test_the_new_name_is_stored_in_its_plain_form(tmp_path):
    import_report(tmp_path, "Some_Duo_ES_EUR_20200101-20200131.tsv", line("a"))
    assert rename(name="Some", known_as=" Cafe\u0301  Music ") == 1
    assert DSR.objects.get().dsp == "Caf\u00e9 Music"


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\u200bb", "a\nb", "\u200c"])
def test_what_is_no_name_is_refused(tmp_path, name):
    import_report(tmp_path, OLD_JANUARY, line("a"))
    with pytest.raises(InvalidPartyName):
        rename(known_as=name)
    assert DSR.objects.get().dsp == "Spotify AB"


@pytest.mark.parametrize("new", ["spotify", "Spot\u0456fy", "\uff33potify"])
def test_a_name_that_only_looks_like_a_known_one_is_refused(tmp_path, new):
    import_report(tmp_path, OLD_JANUARY, line("a"))
    import_report(tmp_path, NEW_FEBRUARY, line("a"))
    with pytest.raises(NameLooksAlike, match="Enter 'Spotify'"):
        rename(known_as=new)
    assert sorted(DSR.objects.values_list("dsp", flat=True)) == ["Spotify", "Spotify AB"]


def test_a_name_may_change_into_one_that_looks_like_it(tmp_path):
    import_report(tmp_path, "spotify_Duo_ES_EUR_20200101-20200131.tsv", line("a"))
    assert rename(name="spotify") == 1
    assert DSR.objects.get().dsp == "Spotify"


def test_look_alikes_of_earlier_releases_become_one(tmp_path):
    import_report(tmp_path, NEW_FEBRUARY, line("a"))
    earlier = import_report(tmp_path, OLD_JANUARY, line("a"))
    DSR.objects.filter(pk=earlier.pk).update(dsp="spotify")
    assert rename(name="spotify") == 1
    assert set(DSR.objects.values_list("dsp", flat=True)) == {"Spotify"}


def test_offers_that_would_look_alike_are_refused(tmp_path):
    import_report(tmp_path, OLD_JANUARY.replace("Duo", "duo"), line("a"))
    import_report(tmp_path, NEW_FEBRUARY, line("a"))
    with pytest.raises(NameLooksAlike, match="anew as 'Duo' first"):
        rename()
    assert sorted(DSR.objects.values_list("dsp", "offer")) == [("Spotify", "Duo"), ("Spotify AB", "duo")]


def test_an_import_under_a_look_alike_waits_for_the_renaming_and_is_refused(tmp_path, in_thread):
    import_report(tmp_path, OLD_JANUARY, line("a"))
    with transaction.atomic():
        rename()
        importing = in_thread(import_report, tmp_path, NEW_FEBRUARY.replace("Spotify", "spotify"), line("a"))
        wait_for_lock_waiter("advisory")
    with pytest.raises(NameLooksAlike):
        importing.result(PATIENCE)
