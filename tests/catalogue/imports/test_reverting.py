"""Earlier versions: replaced and deleted DSRs leave all answers at once, and return in one step."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalogue.dsrs.declared import DeclaredTotals
from catalogue.dsrs.services import dsr_delete, message_delete
from catalogue.dsrs.versions.selectors import versions_disk_usage
from catalogue.dsrs.versions.superseding import versions_drop, versions_drop_surplus
from catalogue.exceptions import (
    DSRSuperseded,
    ExchangeRateMissing,
    MessageIdReused,
    NameLooksAlike,
    ReportRefused,
    VersionNeedsMessage,
    VersionNotFound,
)
from catalogue.imports.loading.choices import Choices
from catalogue.imports.loading.outcome import Outcome
from catalogue.imports.loading.reverting import version_return, version_revert
from catalogue.imports.services import DeliveredFile, delivery_import, dsr_import
from catalogue.models import (
    DSR,
    LeftoverLines,
    OperatorRate,
    PartyAlias,
    RateChange,
    ReportMessage,
    ReportProblem,
    Resource,
    SupersededDSR,
    SupersededMessage,
    UsageLine,
    UseTypeTotal,
)
from catalogue.rates.services import operator_rate_delete, operator_rate_set
from catalogue.resources.renaming import party_rename
from catalogue.resources.services import catalogue_refresh
from dsrhub.exceptions import ConfirmationOutdated
from dsrhub.models import AuditEntry
from tests import recipes as dsrhub_recipes
from tests.catalogue import recipes
from tests.catalogue.helpers import (
    ES_JANUARY,
    NO_JANUARY,
    SHARED_STORAGE,
    import_report,
    line,
    line_storage,
    write_report,
)
from tests.catalogue.imports.test_messages import import_message, message_of
from tests.catalogue.ranking.helpers import top_resources

pytestmark = pytest.mark.django_db

OLD = [line("a", "Old", isrc="NO1", usages="2", revenue="1.50"), line("b", usages="1", revenue="0.25")]
NEW = [line("a", "New", usages="3", revenue="2"), line("c", usages="1", revenue="1")]


@pytest.fixture(params=["shared partition", "own partition"])
def either_partition(request, settings):
    settings.DSRHUB_SHARED_PARTITION_BYTES = 1024**2 if request.param == "shared partition" else 0


def replaced(folder, name, *lines):
    return dsr_import(path=write_report(folder, name, *lines), name=name, replace=True).dsr


def everything():
    """All rows of DSRs and of what belongs to them. A worker catalogues them when it likes."""
    tables = (DSR, ReportProblem, RateChange, UseTypeTotal, ReportMessage)
    rows = {model: list(model.objects.order_by("pk").values()) for model in tables}
    for dsr in rows[DSR]:
        del dsr["is_catalogued"]
    return rows


def answers():
    """What the ranking and the catalogue of recordings say."""
    ranked = [(one.dsp_id, one.title, one.usages, one.revenue) for one in top_resources(percentile=100)]
    return ranked, sorted(Resource.objects.values_list("dsp", "dsp_id", "title", "isrc"))


# --- Superseding -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("either_partition")
def test_a_replaced_dsr_is_in_no_answer_and_is_kept(tmp_path):
    old = import_report(tmp_path, ES_JANUARY, *OLD)
    new = replaced(tmp_path, ES_JANUARY, *NEW)

    assert list(DSR.objects.values_list("pk", "total_revenue")) == [(new.pk, Decimal(3))]
    assert answers() == (
        [("a", "New", 3, Decimal(2)), ("c", None, 1, Decimal(1))],
        [("Spotify", "a", "New", None), ("Spotify", "c", None, None)],
    )
    assert not LeftoverLines.objects.exists()
    version = SupersededDSR.objects.get()
    assert (version.pk, version.successor, version.total_revenue, version.imported_at) == (
        *(old.pk, new.pk, Decimal("1.75")),
        old.imported_at,
    )
    assert [one["code"] for one in version.belongings["catalogue_reportproblem"]] == ["isrc_invalid"]
    assert not ReportProblem.objects.filter(dsr=old.pk).exists()
    assert UsageLine.objects.filter(dsr=old.pk).count() == 2


def test_a_failed_dsr_is_not_kept():
    failed = recipes.failed_dsr.make()
    dsr_delete(dsr_number=failed.pk)
    assert not SupersededDSR.objects.exists()


def test_the_user_who_superseded_a_dsr_may_be_deleted(tmp_path):
    ada = dsrhub_recipes.user.make()
    old = import_report(tmp_path, ES_JANUARY, *OLD)
    DSR.objects.update(imported_by=ada)
    dsr_delete(dsr_number=old.pk, user=ada)
    version = SupersededDSR.objects.get()
    assert (version.superseded_by, version.imported_by, version.successor) == (ada, ada, None)
    # As a server of the release before deletes a user, whose tables do not name these.
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("DELETE FROM auth_user WHERE id = %s", [ada.pk])
    version.refresh_from_db()
    assert (version.superseded_by, version.imported_by) == (None, None)
    version_revert(version_number=old.pk)
    assert DSR.objects.get().imported_by is None


# --- Returning ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("either_partition")
def test_a_version_returns_in_place_of_the_dsr_that_replaced_it(tmp_path):
    old = import_report(tmp_path, ES_JANUARY, *OLD)
    before, answered = everything(), answers()
    new = replaced(tmp_path, ES_JANUARY, *NEW)

    (returned,) = version_revert(version_number=old.pk)
    catalogue_refresh()

    assert returned == old
    assert (everything(), answers()) == (before, answered)
    version = SupersededDSR.objects.get()
    assert (version.pk, version.successor) == (new.pk, old.pk)
    # And back again.
    version_revert(version_number=new.pk)
    assert [one.dsp_id for one in top_resources(percentile=100)] == ["a", "c"]


@pytest.mark.usefixtures("either_partition")
def test_a_deleted_dsr_returns_with_all_that_belongs_to_it(tmp_path):
    old = import_report(tmp_path, NO_JANUARY, *OLD)
    rate = {"currency": "NOK", "period_start": date(2020, 1, 1), "period_end": date(2020, 1, 31)}
    operator_rate_set(**rate, rate=Decimal("9.1234567890123456789012345678901234567890"))
    ben = dsrhub_recipes.user.make(username="ben")
    operator_rate_set(**rate, rate=Decimal("9.5"), user=ben)
    before = everything()
    dsr_delete(dsr_number=old.pk)
    User.objects.filter(pk=ben.pk).delete()
    assert (answers(), DSR.objects.count(), RateChange.objects.count()) == (
        ([], [("Spotify", "a", "Old", "NO1"), ("Spotify", "b", None, None)]),
        0,
        0,
    )

    version_revert(version_number=old.pk)
    catalogue_refresh()

    expected = before[RateChange]
    expected[1]["changed_by_id"] = None
    assert everything() == before | {RateChange: expected}


def test_what_goes_again_before_it_is_registered_leaves_no_recording(tmp_path):
    old = import_report(tmp_path, ES_JANUARY, *OLD)
    for _ in range(2):
        dsr_delete(dsr_number=old.pk)
        version_revert(version_number=old.pk)
    dsr_delete(dsr_number=old.pk)
    assert Resource.objects.exists()
    catalogue_refresh()
    assert not Resource.objects.exists()


def test_a_version_returns_at_its_present_rate(tmp_path):
    old = import_report(tmp_path, NO_JANUARY, *OLD)
    dsr_delete(dsr_number=old.pk)
    operator_rate_set(currency="NOK", period_start=date(2020, 1, 1), period_end=date(2020, 1, 31), rate=Decimal(7))
    assert SupersededDSR.objects.get().exchange_rate == old.exchange_rate

    (returned,) = version_revert(version_number=old.pk)

    assert returned.exchange_rate == 7
    assert list(RateChange.objects.values_list("old_rate", "new_rate")) == [(old.exchange_rate, 7)]


def test_a_version_without_a_rate_does_not_return(tmp_path):
    name = "Spotify_Free_AR_ARS_20200101-20200131.tsv"
    rate = {"currency": "ARS", "period_start": date(2020, 1, 1), "period_end": date(2020, 1, 31)}
    operator_rate_set(**rate, rate=Decimal(2))
    old = import_report(tmp_path, name, *OLD)
    dsr_delete(dsr_number=old.pk)
    operator_rate_delete(operator_rate=OperatorRate.objects.get())
    with pytest.raises(ExchangeRateMissing):
        version_revert(version_number=old.pk)
    assert (DSR.objects.count(), SupersededDSR.objects.count()) == (0, 1)


def test_a_version_whose_name_looks_like_a_later_one_does_not_return(tmp_path):
    old = import_report(tmp_path, ES_JANUARY, *OLD)
    dsr_delete(dsr_number=old.pk)
    import_report(tmp_path, ES_JANUARY.replace("Spotify_", "SPOTIFY_"), *NEW)
    with pytest.raises(NameLooksAlike):
        version_revert(version_number=old.pk)
    assert SupersededDSR.objects.filter(pk=old.pk).exists()


def test_a_version_follows_the_new_name_of_its_dsp(tmp_path):
    old = import_report(tmp_path, ES_JANUARY, *OLD)
    new = replaced(tmp_path, ES_JANUARY, *NEW)
    party_rename(role=PartyAlias.Role.DSP, name="Spotify", known_as="Spot")
    version_revert(version_number=old.pk)
    assert list(DSR.objects.values_list("pk", "dsp")) == [(old.pk, "Spot")]
    assert list(SupersededDSR.objects.values_list("pk", "dsp")) == [(new.pk, "Spot")]


@pytest.mark.parametrize("number", [0, -1, 2**31, 10**30])
def test_a_missing_version_cannot_return(number):
    with pytest.raises(VersionNotFound) as refusal:
        version_revert(version_number=number)
    assert refusal.value.extra == {"id": number}


def test_a_version_does_not_return_in_place_of_another_dsr_than_was_shown(tmp_path):
    old = import_report(tmp_path, ES_JANUARY, *OLD)
    replaced(tmp_path, ES_JANUARY, *NEW)
    seen = version_return(version_number=old.pk).digest
    third = replaced(tmp_path, ES_JANUARY, *OLD, *NEW)
    with pytest.raises(ConfirmationOutdated):
        version_revert(version_number=old.pk, seen=seen)
    assert DSR.objects.get() == third
    version_revert(version_number=old.pk, seen=version_return(version_number=old.pk).digest)
    assert DSR.objects.get() == old


def test_a_return_is_in_the_audit_log(tmp_path):
    ada = dsrhub_recipes.user.make(username="ada")
    old = import_report(tmp_path, ES_JANUARY, *OLD)
    new = replaced(tmp_path, ES_JANUARY, *NEW)
    version_revert(version_number=old.pk, user=ada)
    entry = AuditEntry.objects.get(action="dsr_reverted")
    assert (entry.user_name, entry.object_id) == ("ada", str(old.pk))
    revenue = {side: entry.details[side]["total_revenue"] for side in ("old", "new")}
    assert (entry.details["old"]["id"], revenue) == (new.pk, {"old": "3", "new": "1.75"})


@pytest.mark.usefixtures("either_partition")
def test_a_return_runs_as_many_statements_for_1_line_as_for_1000(tmp_path):
    few = import_report(tmp_path, ES_JANUARY, line("a"))
    many = import_report(tmp_path, NO_JANUARY, *[line("a", isrc="wrong")] * 1000)
    counts = []
    for dsr in (few, many):
        dsr_delete(dsr_number=dsr.pk)
        with CaptureQueriesContext(connection) as queries:
            version_revert(version_number=dsr.pk)
        counts.append(len(queries))
    # A rate in EUR is looked up nowhere.
    assert counts[1] - counts[0] == 3


# --- The same bytes again ----------------------------------------------------------------------------------------


def test_the_content_of_a_version_returns_only_if_that_is_asked_for(tmp_path):
    old = import_report(tmp_path, ES_JANUARY, *OLD)
    before = everything()
    new = replaced(tmp_path, ES_JANUARY, *NEW)
    path = write_report(tmp_path, ES_JANUARY, *OLD)

    with pytest.raises(DSRSuperseded, match=f"this content was imported as DSR {old.pk}") as refusal:
        dsr_import(path=path, name=ES_JANUARY)
    assert refusal.value.extra == {"id": old.pk, "path": ES_JANUARY}
    assert DSR.objects.get() == new

    report = dsr_import(path=path, name=ES_JANUARY, replace=True)
    assert (report.outcome, report.dsr.pk) == (Outcome.REVERTED, old.pk)
    assert everything() == before


def test_the_content_of_a_deleted_dsr_returns_only_if_that_is_asked_for(tmp_path):
    old = import_report(tmp_path, ES_JANUARY, *OLD)
    dsr_delete(dsr_number=old.pk)
    path = write_report(tmp_path, ES_JANUARY, *OLD)
    with pytest.raises(DSRSuperseded):
        dsr_import(path=path, name=ES_JANUARY)
    with pytest.raises(DSRSuperseded):
        dsr_import(path=path, name=ES_JANUARY, dry_run=True)
    assert dsr_import(path=path, name=ES_JANUARY, replace=True).dsr == old
    # Another content is a new DSR.
    dsr_delete(dsr_number=old.pk)
    assert import_report(tmp_path, ES_JANUARY, *NEW).pk != old.pk


def test_a_dry_run_says_which_version_would_return(tmp_path):
    old = import_report(tmp_path, ES_JANUARY, *OLD)
    new = replaced(tmp_path, ES_JANUARY, *NEW)
    path = write_report(tmp_path, ES_JANUARY, *OLD)
    report = dsr_import(path=path, name=ES_JANUARY, replace=True, dry_run=True)
    assert report.outcome == Outcome.CHECKED
    assert [version.pk for version in report.superseded] == [old.pk]
    assert ("content_superseded", ES_JANUARY) in [(one.code, one.value) for one in report.problems.warnings]
    assert DSR.objects.get() == new


@pytest.mark.usefixtures("without_versions")
def test_without_versions_the_same_content_is_loaded_again(tmp_path):
    old = import_report(tmp_path, ES_JANUARY, *OLD)
    dsr_delete(dsr_number=old.pk)
    report = dsr_import(path=write_report(tmp_path, ES_JANUARY, *OLD), name=ES_JANUARY)
    assert (report.outcome, report.dsr.pk > old.pk) == (Outcome.LOADED, True)


# --- Messages ----------------------------------------------------------------------------------------------------


def test_a_replaced_message_returns_with_all_its_dsrs(tmp_path):
    first = import_message(tmp_path, message_of("GB", "SE"))
    before = everything()
    second = import_message(tmp_path, message_of("GB", "SE", "FR", usages="3"), replace=True)
    assert SupersededMessage.objects.get().pk == first.message.pk
    assert SupersededDSR.objects.count() == 2

    # FR stands under the same message id: two messages of one id cannot stand.
    gb = first.imported[0].dsr
    returning = version_return(version_number=gb.pk)
    assert [dsr.territory_id for dsr in returning.standing] == ["GB", "SE", "FR"]
    version_revert(version_number=gb.pk)

    assert everything() == before
    assert SupersededMessage.objects.get().pk == second.message.pk
    assert SupersededDSR.objects.count() == 3


def test_the_message_of_a_version_that_is_delivered_again_returns(tmp_path):
    first = import_message(tmp_path, message_of("GB", "SE"))
    import_message(tmp_path, message_of("GB", "SE", "FR", usages="3"), replace=True)
    with pytest.raises(DSRSuperseded):
        import_message(tmp_path, message_of("GB", "SE"))
    with pytest.raises(MessageIdReused, match="Drop the missing contexts too"):
        import_message(tmp_path, message_of("GB", "SE"), replace=True)

    report = import_message(tmp_path, message_of("GB", "SE"), replace=True, drop_missing=True)

    assert [(one.dsr.pk, one.outcome) for one in report.imported] == [
        (one.dsr.pk, Outcome.REVERTED) for one in first.imported
    ]
    assert report.message == first.message
    assert [dsr.territory_id for dsr in report.missing] == ["FR"]
    assert sorted(DSR.objects.values_list("territory", flat=True)) == ["GB", "SE"]


def test_a_deleted_message_returns_and_one_of_its_dsrs_by_itself(tmp_path):
    report = import_message(tmp_path, message_of("GB", "SE"))
    before = everything()
    gb, se = (one.dsr for one in report.imported)
    dsr_delete(dsr_number=gb.pk)
    assert not SupersededMessage.objects.exists()
    version_revert(version_number=gb.pk)
    assert everything() == before

    dsr_delete(dsr_number=gb.pk)
    message_delete(message_number=report.message.pk)
    assert not ReportMessage.objects.exists()
    # They were superseded in two steps, the message in the second.
    with pytest.raises(VersionNeedsMessage, match=f"Revert to {se.pk} first"):
        version_revert(version_number=gb.pk)
    assert version_revert(version_number=se.pk) == [se]
    assert version_revert(version_number=gb.pk) == [gb]
    assert everything() == before


# --- Dropping ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("either_partition")
def test_versions_that_are_too_old_are_dropped_for_good(tmp_path, settings):
    settings.DSRHUB_KEEP_FILES = str(tmp_path / "kept")
    old = import_report(tmp_path, ES_JANUARY, *OLD)
    middle = replaced(tmp_path, ES_JANUARY, *NEW)
    last = replaced(tmp_path, ES_JANUARY, *NEW, *OLD)
    settings.DSRHUB_SUPERSEDED_DAYS = 7
    ago = timezone.now() - timedelta(days=7, seconds=1)
    SupersededDSR.objects.filter(pk=old.pk).update(superseded_at=ago)

    assert versions_drop_surplus() == 1

    catalogue_refresh()
    assert list(SupersededDSR.objects.values_list("pk", flat=True)) == [middle.pk]
    assert sorted(set(UsageLine.objects.values_list("dsr", flat=True))) == [middle.pk, last.pk]
    assert f"catalogue_usageline_{old.pk}" not in line_storage()
    entry = AuditEntry.objects.get(action="versions_dropped")
    assert entry.details["dsrs"] == [old.pk]
    assert entry.details["reason"] == "too old"


def test_the_oldest_versions_beyond_the_bytes_are_dropped(tmp_path, settings):
    numbers = [replaced(tmp_path, ES_JANUARY, line("a", usages=str(usages))).pk for usages in range(4)]
    sizes = dict(SupersededDSR.objects.values_list("pk", "byte_count"))
    usage = versions_disk_usage()
    assert (usage.version_count, usage.byte_count) == (3, sum(sizes.values()))
    settings.DSRHUB_SUPERSEDED_BYTES = sizes[numbers[2]] + sizes[numbers[1]]
    assert versions_drop_surplus() == 1
    assert set(SupersededDSR.objects.values_list("pk", flat=True)) == {numbers[1], numbers[2]}
    settings.DSRHUB_SUPERSEDED_BYTES = 0
    assert versions_drop_surplus() == 2


def test_a_dropped_version_goes_with_its_message_and_its_files(tmp_path, settings, django_capture_on_commit_callbacks):
    settings.DSRHUB_KEEP_FILES = str(tmp_path / "kept")
    report = import_message(tmp_path, message_of("GB", "SE"))
    message_delete(message_number=report.message.pk)

    def kept():
        return [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]

    gb, se = (one.dsr.pk for one in report.imported)
    assert SupersededMessage.objects.get().byte_count == kept()[0].stat().st_size
    with django_capture_on_commit_callbacks(execute=True):
        versions_drop([gb], reason="asked for")
    assert (len(kept()), SupersededMessage.objects.count()) == (1, 1)
    with django_capture_on_commit_callbacks(execute=True):
        versions_drop([se], reason="asked for")
    assert (kept(), SupersededMessage.objects.count()) == ([], 0)
    catalogue_refresh()
    assert not UsageLine.objects.exists()
    assert line_storage() == SHARED_STORAGE


def test_declared_totals_are_those_of_the_version_that_would_return(tmp_path):
    old = import_report(tmp_path, ES_JANUARY, *OLD)
    replaced(tmp_path, ES_JANUARY, *NEW)
    files = [DeliveredFile(write_report(tmp_path, ES_JANUARY, *OLD), ES_JANUARY)]
    with pytest.raises(ReportRefused) as refusal:
        delivery_import(files=files, choices=Choices(replace=True, declared=DeclaredTotals(lines=3)))
    assert [problem.code for problem in refusal.value.extra["problems"]] == ["totals_differ"]
    assert SupersededDSR.objects.get().pk == old.pk
    report = delivery_import(files=files, choices=Choices(replace=True, declared=DeclaredTotals(lines=2)))
    assert report.outcome == Outcome.REVERTED
