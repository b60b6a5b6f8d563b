"""When a file has arrived: by its semaphore, or as it does not change for a while."""

import pytest

from catalogue.folders.arriving import Arrivals, stem
from dsrhub.stores.interface import StoredFile

REPORT = "DSR_SocietyX_Tonbank_Premium_2020-01_multi_1of2_20200212T083000.tsv"


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def file(name=REPORT, mark="1", *, changed_at=0.0, is_regular=True):
    return StoredFile(name, 1, changed_at, mark, is_regular)


def complete(arrivals, *files):
    return [one.name for one in arrivals.sorted_out(files).complete]


def test_a_file_has_arrived_when_it_rested(clock):
    arrivals = Arrivals(rest_seconds=60, semaphores_only=False, clock=clock)
    assert complete(arrivals, file()) == []
    clock.now = 59
    assert complete(arrivals, file()) == []
    clock.now = 60
    assert complete(arrivals, file()) == [REPORT]


def test_a_change_begins_the_rest_anew_and_so_does_an_absence(clock):
    arrivals = Arrivals(rest_seconds=60, semaphores_only=False, clock=clock)
    complete(arrivals, file())
    clock.now = 50
    assert complete(arrivals, file(mark="2")) == []
    clock.now = 109
    assert complete(arrivals, file(mark="2")) == []
    assert complete(arrivals) == []
    clock.now = 200
    assert complete(arrivals, file(mark="2")) == []
    clock.now = 260
    assert complete(arrivals, file(mark="2")) == [REPORT]


def test_the_times_of_the_store_do_not_count(clock):
    """A program may set the time of a file to that of its original while it still writes it."""
    arrivals = Arrivals(rest_seconds=60, semaphores_only=False, clock=clock)
    assert complete(arrivals, file(changed_at=-10_000)) == []


def test_files_come_in_the_order_in_which_they_arrived(clock):
    arrivals = Arrivals(rest_seconds=0, semaphores_only=False, clock=clock)
    files = [file("b.tsv", changed_at=2), file("c.tsv", changed_at=1), file("a.tsv", changed_at=2)]
    assert complete(arrivals, *files) == ["c.tsv", "a.tsv", "b.tsv"]


def test_what_is_no_regular_file_does_not_wait(clock):
    arrivals = Arrivals(rest_seconds=60, semaphores_only=True, clock=clock)
    assert complete(arrivals, file(is_regular=False)) == [REPORT]


@pytest.mark.parametrize(
    "semaphore",
    [
        f"{REPORT}.ctrl",
        REPORT.replace(".tsv", ".ctrl"),
        REPORT.replace(".tsv", ".CTRL"),
        REPORT.replace("_1of2", "").replace(".tsv", ".ctrl"),
        REPORT.replace("_1of2", "_").replace(".tsv", ".ctrl"),
        REPORT.replace("_1of2", "").replace("DSR_", "ACK_").replace(".tsv", ".ctrl"),
        "_" + REPORT.replace("_1of2", "").replace(".tsv", ".ctrl"),
    ],
)
@pytest.mark.parametrize("name", [REPORT, REPORT + ".gz", REPORT.replace(".tsv", ".TSV.GZ")])
def test_a_semaphore_announces_the_files_of_its_name(clock, semaphore, name):
    arrivals = Arrivals(rest_seconds=60, semaphores_only=True, clock=clock)
    second = name.replace("1of2", "2of2")
    other = name.replace("Tonbank", "Tonbank2")
    clock.now = 1000
    found = arrivals.sorted_out([file(name), file(second), file(other), file(semaphore)])
    assert [one.name for one in found.complete] == [name, second]
    assert [one.name for one in found.arriving] == [other]
    assert [one.name for one in found.semaphores] == [semaphore]
    assert found.left == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Spotify_Duo_NO_NOK_20200101-20200131.tsv", "Spotify_Duo_NO_NOK_20200201-20200229.ctrl"),
        ("a_1of2_b.tsv", "a_1of2_c.ctrl"),
        ("Anna.tsv", "Ann.ctrl"),
        ("a.tsv.gz", "a.tsv.gz.tsv.ctrl"),
    ],
)
def test_other_names_are_not_announced(one, other):
    assert stem(one) != stem(other)


def test_an_acknowledgement_is_no_semaphore(clock):
    arrivals = Arrivals(rest_seconds=0, semaphores_only=True, clock=clock)
    found = arrivals.sorted_out([file(), file(REPORT.replace("DSR_", "ACK_"))])
    assert (found.complete, found.semaphores) == ([], [])
    assert [one.name for one, _reason in found.left] == [REPORT.replace("DSR_", "ACK_")]
