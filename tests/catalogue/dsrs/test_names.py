"""Names of DSPs, offers and societies: what looks the same to people is never counted as two."""

from datetime import date
from io import StringIO
from threading import Barrier

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from catalogue.dsrs import names as names_module
from catalogue.dsrs.names import NameKey, look_alike_dsrs, look_alike_names, names_claim, names_settle
from catalogue.dsrs.services import dsr_delete
from catalogue.exceptions import DSRExists, InvalidReportName, NameLooksAlike
from catalogue.imports.loading.outcome import Outcome
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, RejectedDelivery, ReportProblem
from catalogue.reports.contexts import SalesContext
from catalogue.reports.formats import registry
from catalogue.reports.problems import CommonWarning
from dsrhub.database import locks
from dsrhub.database.statements import rows_of
from dsrhub.texts.spelling import look_alike_key, plain_name, spelled_apart
from tests.catalogue import recipes
from tests.catalogue.helpers import import_report, line, other_transaction, write_report
from tests.catalogue.reports.formats.toy import ToyFormat
from tests.waiting import PATIENCE, wait_for_lock_waiter

pytestmark = pytest.mark.django_db

NFC, NFD = "Caf\u00e9", "Cafe\u0301"
LINE = line(revenue="1")


def named(dsp="Spotify", offer="Duo", society=None, month="01"):
    """The name of a report of Spain in a month."""
    days = {"01": "20200101-20200131", "02": "20200201-20200229"}[month]
    return "_".join([dsp, offer, *([society] if society else []), "ES", "EUR", f"{days}.tsv"])


def context(dsp="Spotify", offer="Duo", society=None, start=date(2020, 1, 1)):
    return SalesContext(dsp, offer, society, "ES", "EUR", start, date(2020, 1, 31))


def earlier_dsr(name, **names):
    """An ingested DSR of an earlier release, under a name that it accepted."""
    fields = {"territory_id": "ES", "currency_id": "EUR", "sha256": 64 * "1", "path": name}
    return recipes.dsr.make(**fields | {"dsp": "Spotify", "offer": "Duo"} | names)


def replayed(tmp_path, name, content="1", **options):
    return dsr_import(path=write_report(tmp_path, name, line(revenue=content)), name=name, **options)


# --- One name in several spellings -----------------------------------------------------------------------------


@pytest.mark.parametrize("other", [NFD, f"{NFC} ", f" {NFC}", f"{NFD}  "])
@pytest.mark.parametrize("part", ["offer", "society"])
def test_a_name_in_another_spelling_is_the_same_dsr(tmp_path, part, other):
    first = import_report(tmp_path, named(**{part: NFC}), LINE)
    assert getattr(first, part) == NFC
    again = replayed(tmp_path, named(**{part: other}))
    assert (again.outcome, again.dsr) == (Outcome.UNCHANGED, first)
    with pytest.raises(DSRExists):
        replayed(tmp_path, named(**{part: other}), "2")
    replaced = replayed(tmp_path, named(**{part: other}), "2", replace=True)
    assert (replaced.outcome, getattr(replaced.dsr, part)) == (Outcome.REPLACED, NFC)
    assert DSR.objects.count() == 1


def test_a_dsp_in_another_composition_is_the_same_dsp(tmp_path):
    import_report(tmp_path, named(NFD), LINE)
    import_report(tmp_path, named(NFC, month="02"), LINE)
    assert set(DSR.objects.values_list("dsp", flat=True)) == {NFC}


def test_single_spaces_inside_a_name_stay(tmp_path):
    assert import_report(tmp_path, named(offer="Family  Plan"), LINE).offer == "Family Plan"


# --- Look-alikes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "other"),
    [
        ("Spotify", "spotify"),
        ("Spotify", "SPOTIFY"),
        ("Spotify", "Sp\u043etify"),  # a Cyrillic letter
        ("Spotify", "\uff33potify"),  # full-width
        ("Caf\u00e9", "CAFE\u0301"),
        ("M\u00fcller Stra\u00dfe", "m\u00fcller strasse"),
        ("Ad-Free", "Ad\u2010Free"),
        ("Kids' Plan", "Kids\u2019 Plan"),
        ("\u0412\u043a", "B\u043a"),  # Cyrillic throughout, and with a Latin letter
    ],
)
def test_a_name_that_only_looks_like_a_known_one_is_refused_by_both_names(tmp_path, known, other):
    import_report(tmp_path, named(known), LINE)
    with pytest.raises(NameLooksAlike) as refusal:
        replayed(tmp_path, named(other, month="02"), replace=True)
    error = refusal.value
    assert error.code == "name_looks_alike"
    assert error.extra == {"kind": "dsp", "name": plain_name(other), "known": known}
    for name in spelled_apart(plain_name(other), known):
        assert name in error.message
    assert list(DSR.objects.values_list("dsp", flat=True)) == [known]
    assert RejectedDelivery.objects.get().reason == error.message


def test_names_that_differ_to_people_are_different(tmp_path):
    for number, dsp in enumerate(["Spotify", "Spotifi", "Spot ify", "Caf\u00e9", "Cafe"], start=1):
        import_report(tmp_path, named(dsp), line(revenue=f"{number}"))
    assert DSR.objects.count() == 5


def test_an_offer_is_compared_with_those_of_its_dsp_and_a_society_with_all(tmp_path):
    import_report(tmp_path, named("Spotify", "Duo", "SGAE"), LINE)
    import_report(tmp_path, named("Deezer", "duo"), line(revenue="2"))
    with pytest.raises(NameLooksAlike, match="'duo' looks like 'Duo'"):
        replayed(tmp_path, named("Spotify", "duo"))
    with pytest.raises(NameLooksAlike, match="'Sgae' looks like 'SGAE'"):
        replayed(tmp_path, named("Deezer", "Free", "Sgae"))


def test_a_name_is_free_again_with_its_last_dsr(tmp_path):
    dsr_delete(dsr_number=import_report(tmp_path, named("Spotify"), LINE).pk)
    recipes.failed_dsr.make(dsp="SPOTIFY")
    assert import_report(tmp_path, named("spotify"), LINE).dsp == "spotify"


@pytest.mark.parametrize(
    "offer", [" ", "\u3164", "Duo\u2800", "Duo\u034f", "\ufe0f", "Duo\x00", "Duo\u200b", "\u00a0", "", 101 * "x"]
)
def test_a_blank_invisible_or_too_long_name_is_refused(offer):
    with pytest.raises(InvalidReportName, match="offer"):
        names_settle([context(offer=offer)])


def test_a_name_that_becomes_too_long_when_it_is_composed_is_refused():
    assert names_settle([context(offer=100 * "e\u0301")]).contexts[0].offer == 100 * "\u00e9"
    with pytest.raises(InvalidReportName, match="more than 100 characters"):
        names_settle([context(offer=51 * "\u0958")])  # NFC has two characters for it


def test_a_delivery_whose_own_names_look_alike_is_refused(tmp_path, monkeypatch):
    """The check is the same for all formats."""
    monkeypatch.setattr(registry, "FORMATS", [ToyFormat(), *registry.FORMATS])
    path = tmp_path / "some.toy"
    path.write_text("TOY\n= Toybox Free ES EUR\na 5 1.50\n= toybox Free NO NOK\na 7 20\n")
    with pytest.raises(NameLooksAlike, match="'toybox' looks like 'Toybox'"):
        dsr_import(path=path, name=path.name)
    path.write_text(f"TOY\n= Toybox {NFC} ES EUR\na 5 1.50\n= Toybox {NFD} ES EUR\na 7 20\n")
    with pytest.raises(InvalidReportName, match="two reports of Toybox"):
        dsr_import(path=path, name=path.name)
    assert not DSR.objects.exists()


def test_a_file_name_in_another_composition_replaces_the_failure(tmp_path):
    with pytest.raises(Exception, match="The cell must have a number"):
        replayed(tmp_path, named(offer=NFC), "x")
    replayed(tmp_path, named(offer=NFD))
    assert list(DSR.objects.values_list("status", flat=True)) == ["ingested"]


def test_a_name_inside_gzip_in_another_composition_is_no_difference(tmp_path):
    name = f"{named(offer=NFC)}.gz"
    path = write_report(tmp_path, name, LINE)
    packed = path.read_bytes()
    # RFC 1952: flag 8, and the name behind the header of ten bytes.
    path.write_bytes(packed[:3] + b"\x08" + packed[4:10] + named(offer=NFD).encode() + b"\0" + packed[10:])
    report = dsr_import(path=path, name=name)
    assert (report.dsr.gzip_name, report.problems.warnings) == (named(offer=NFD), [])


# --- Names of earlier releases ---------------------------------------------------------------------------------


def test_a_decomposed_name_of_an_earlier_release_goes_on(tmp_path):
    earlier = earlier_dsr(named(offer=NFD), offer=NFD, total_revenue=1)
    with pytest.raises(DSRExists) as refusal:
        replayed(tmp_path, named(offer=NFC))
    assert refusal.value.extra["id"] == earlier.pk
    new = replayed(tmp_path, named(offer=NFC, month="02"))
    assert (new.dsr.offer, new.problems.warnings) == (NFD, [])


def test_look_alikes_of_earlier_releases_go_on_with_a_warning(tmp_path):
    earlier_dsr("a", dsp="Spotify")
    earlier_dsr("b", dsp="spotify", offer="Free")
    for dsp in ("spotify", "Spotify"):
        dsr = import_report(tmp_path, named(dsp, month="02"), line(dsp))
        assert dsr.dsp == dsp
        (problem,) = ReportProblem.objects.filter(dsr=dsr)
        assert (problem.code, problem.value) == (CommonWarning.NAME_LOOKS_ALIKE, "'Spotify', 'spotify'")
    with pytest.raises(NameLooksAlike):
        replayed(tmp_path, named("SPOTIFY"))


def test_look_alikes_of_earlier_releases_are_listed():
    same = [earlier_dsr("a", offer=NFC), earlier_dsr("b", offer=NFD)]
    earlier_dsr("c", offer=NFD, period_end=date(2020, 2, 29))
    earlier_dsr("d", dsp="Deezer", society="SGAE")
    earlier_dsr("e", dsp="Deezer", society="Sgae", offer="Free")
    earlier_dsr("f", dsp="Deezer", offer=NFC)
    recipes.failed_dsr.make(dsp="deezer")

    assert {(found.kind, found.dsp): found.dsr_counts for found in look_alike_names()} == {
        ("offer", "Spotify"): {NFC: 1, NFD: 2},
        ("society", None): {"SGAE": 1, "Sgae": 1},
    }
    assert look_alike_dsrs() == [same]
    output = StringIO()
    call_command("list_look_alikes", stdout=output)
    assert output.getvalue().splitlines() == [
        "offer of 'Spotify': 'Cafe\\u0301' (2 DSRs), 'Caf\\xe9' (1 DSR)",
        "society: 'SGAE' (1 DSR), 'Sgae' (1 DSR)",
        f"may count twice: DSR {same[0].pk} ('a'), DSR {same[1].pk} ('b')",
        "2 names with look-alikes, 1 group of DSRs that may count twice.",
    ]


def test_settling_takes_as_many_statements_for_many_names_as_for_one(django_assert_num_queries):
    for number in range(30):
        earlier_dsr(f"{number}", dsp=f"DSP {number}", offer=f"Offer {number}", society=f"S {number}")
    for count in (1, 30):
        with django_assert_num_queries(3):
            names_settle([context(f"DSP {number}", f"Other {number}", "SGAE") for number in range(count)])


def test_settling_finds_every_known_name():
    """Names are found one behind the other, in the order of the index."""
    names = ["a", "B", "\u00e9", "e\u0301x", "Z z", "0", "\u65e5\u672c", "-", "\U0001d11e"]
    for number, name in enumerate(names):
        earlier_dsr(f"{number}", dsp=name, offer="x", society=name)
        earlier_dsr(f"x{number}", offer=name)
    for name in names:
        contexts = [context(name, "new"), context("Spotify", name), context("new", "new", name)]
        assert names_settle(contexts).contexts == contexts
        assert {key.kind for key in names_settle(contexts).known} == {"dsp", "offer", "society"}
        assert look_alike_key(name) in {key.key for key in names_settle(contexts).known}


# --- At the same time ------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("others", [("spotify", "Duo"), ("Spotify", "duo")])
def test_of_two_imports_of_look_alikes_at_once_one_is_refused(tmp_path, in_thread, monkeypatch, others):
    both = Barrier(2, timeout=PATIENCE)
    claim = names_module.names_claim

    def both_have_settled(settled):
        both.wait()
        claim(settled)

    monkeypatch.setattr("catalogue.imports.loading.steps.names_claim", both_have_settled)
    paths = [
        write_report(tmp_path, named("Spotify", "Duo"), LINE),
        write_report(tmp_path, named(*others, month="02"), LINE),
    ]
    imports = [in_thread(dsr_import, path=path, name=path.name) for path in paths]
    errors = [one.exception(PATIENCE) for one in imports]
    assert sorted(type(error) for error in errors if error) == [NameLooksAlike]
    assert DSR.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_imports_of_a_known_name_do_not_wait_for_each_other(tmp_path, in_thread):
    import_report(tmp_path, named(month="01"), LINE)
    path = write_report(tmp_path, named(month="02"), line("b"))
    with other_transaction() as other:
        for key in (NameKey("dsp", "", "spotify"), NameKey("offer", "spotify", "duo")):
            text = locks.NAMES.key(number=key.lock_number)
            other.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", [text])
        in_thread(dsr_import, path=path, name=path.name).result(PATIENCE)
        waiting = write_report(tmp_path, named(offer="duo ", month="02").replace("ES_EUR", "FR_EUR"), line("c"))
        assert in_thread(dsr_import, path=waiting, name=waiting.name).exception(PATIENCE).code == "name_looks_alike"


def test_the_locks_of_names_are_the_same_in_every_release():
    # CRC-32 of the parts with NUL between them, as `gzip -1` computes it, modulo 256.
    assert NameKey("dsp", "", "spotify").lock_number == 0x44
    assert NameKey("offer", "spotify", 'l\'\u00e9t\u00e9 "x"').lock_number == 0x7A


def test_thousands_of_names_take_a_bounded_number_of_locks():
    names_claim(names_settle([context(f"DSP {number}", f"Offer {number}", f"S {number}") for number in range(2000)]))

    ((count,),) = rows_of("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
    # All 256 of them: with 6,000 names, none is left with a probability of 256 * (255 / 256) ** 6000, or 2 * 10 ** -8.
    assert count == 256


def test_a_new_name_that_shares_a_lock_with_a_known_one_is_locked_exclusively(monkeypatch):
    monkeypatch.setattr(names_module, "LOCKS", 1)
    earlier_dsr("a", dsp="Spotify", offer="Duo")

    names_claim(names_settle([context("Spotify", "Other")]))

    assert rows_of("SELECT mode FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()") == [
        ("ExclusiveLock",)
    ]


@pytest.mark.django_db(transaction=True)
def test_an_import_waits_for_an_earlier_release_that_imports_the_same_file(tmp_path, in_thread):
    """It locks the key with the names as they were delivered."""
    path = write_report(tmp_path, named(offer=NFD), LINE)
    with other_transaction() as other:
        text = locks.DSR_KEY.key(
            dsp="Spotify",
            offer=NFD,
            society=None,
            territory="ES",
            currency="EUR",
            period_start=date(2020, 1, 1),
            period_end=date(2020, 1, 31),
        )
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [text])
        importing = in_thread(dsr_import, path=path, name=path.name)
        wait_for_lock_waiter("advisory")
    assert importing.result(PATIENCE).dsr.offer == NFC


# --- Keys ------------------------------------------------------------------------------------------------------


@given(st.text())
def test_a_plain_name_and_its_key_are_stable_and_the_key_ignores_the_spelling(text):
    assert plain_name(plain_name(text)) == plain_name(text)
    key = look_alike_key(text)
    assert look_alike_key(key) == key
    assert look_alike_key(plain_name(text)) == key
    assert look_alike_key(f" {text}\u200b\u00a0") == key
