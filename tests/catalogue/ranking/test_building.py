"""The ways to build a ranking, each of which has to find it by itself."""

import pytest

from catalogue.lines.scope import scope_state
from catalogue.ranking.building import adding_up, describing, parts, threshold
from catalogue.ranking.building import ways as building
from catalogue.ranking.building.parts import parts_of
from catalogue.ranking.selectors import ALL
from dsrhub.database.statements import rows_of
from tests.catalogue import recipes
from tests.catalogue.helpers import add_lines, line
from tests.catalogue.ranking.helpers import top_resources

pytestmark = pytest.mark.django_db


def refuse(*_):
    raise AssertionError("Another way was to find it.")


@pytest.fixture(params=["few lines", "many lines"])
def _few_or_many(request, monkeypatch):
    monkeypatch.setattr(building, "FEW_LINES", 0)
    if request.param == "many lines":
        monkeypatch.setattr(adding_up, "MANY_LINES", 0)


@pytest.fixture
def _lines():
    """Two DSRs in which r099 has 198 EUR, r098 has 196, and so on: 9,900 EUR in all. Others have nothing."""
    for offer in ("One", "Two"):
        lines = (line(f"r{number:03}", f"Title {number}", usages="1", revenue=f"{number}.0") for number in range(100))
        add_lines(recipes.dsr.make(offer=offer, path=offer, exchange_rate=1), *lines, line("blank", revenue=""))


def top(percentile):
    return [(one.dsp_id, one.revenue, one.usages) for one in top_resources(percentile=percentile)]


def highest(count):
    return [(f"r{number:03}", 2 * number, 2) for number in range(99, 99 - count, -1)]


@pytest.mark.on_one_server(reason="nodes add up exactly, or not at all")
@pytest.mark.usefixtures("_few_or_many", "_lines")
def test_hashed_sums_find_a_share_alone(monkeypatch):
    monkeypatch.setattr(building, "rank_by_threshold", lambda *_: None)
    monkeypatch.setattr(building, "rank_by_adding_up", refuse)

    # 198 + 196 + ... + 142 = 4,930, which is less than half of 9,900, and 140 more are enough.
    assert top(50) == highest(30)
    # 198 + 196 + ... + 64 = 8,908, which is 2 less than 90 %, and 62 more are enough.
    assert top(90) == highest(69)


@pytest.mark.usefixtures("_few_or_many", "_lines")
@pytest.mark.parametrize("most_lookups", [0, 1_000])
def test_the_highest_lines_find_a_share_alone(monkeypatch, most_lookups):
    monkeypatch.setattr(threshold, "FEW_LOOKUPS", most_lookups)
    monkeypatch.setattr(building, "rank_by_hashed_sums", refuse)
    monkeypatch.setattr(building, "rank_by_adding_up", refuse)

    assert top(50) == highest(30)


@pytest.mark.usefixtures("_lines")
def test_where_the_last_digits_of_the_total_decide_all_lines_are_added_up(monkeypatch):
    monkeypatch.setattr(building, "FEW_LINES", 0)
    # 198 of 9,900 are exactly 2 %.
    assert top(2) == highest(1)


def test_parts_have_every_resource_once(monkeypatch):
    """A large DSP is divided by hashes, and small ones are together."""
    monkeypatch.setattr(parts, "LINES_OF_PART", 10)
    for dsp, line_count in (("Spotify", 40), ("Deezer", 6), ("Tidal", 5), ("Qobuz", 4)):
        add_lines(recipes.dsr.make(dsp=dsp), *(line(f"r{number}", revenue="1") for number in range(line_count)))

    divided = parts_of(scope_state(ALL)[1])

    assert [([dsr.dsp for dsr in part.dsrs], part.hash_class, part.class_count) for part in divided] == [
        (["Spotify"], 0, 4),
        (["Spotify"], 1, 4),
        (["Spotify"], 2, 4),
        (["Spotify"], 3, 4),
        (["Deezer"], 0, 1),
        (["Tidal", "Qobuz"], 0, 1),
    ]
    assert len(top(100)) == 55


@pytest.mark.usefixtures("_few_or_many")
def test_a_catalogue_that_falls_behind_meanwhile_is_asked_again(monkeypatch):
    """As if the DSR was not registered any more, after the catalogue was asked how far it is behind."""
    add_lines(recipes.dsr.make(), line("a", "Aurora", revenue="1"))
    answers = [[]]

    def asked_too_early(*args, **parameters):
        return answers.pop() if answers else rows_of(*args, **parameters)

    monkeypatch.setattr(describing, "rows_of", asked_too_early)

    (resource,) = top_resources(percentile=100)

    assert (resource.title, answers) == ("Aurora", [])
