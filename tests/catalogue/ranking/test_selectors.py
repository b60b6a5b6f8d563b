"""What a ranking refuses, and scopes without DSRs."""

from datetime import date

import pytest

from catalogue.dsrs.selectors import DSRSearch
from catalogue.exceptions import PeriodReversed
from catalogue.lines.scope import Scope, dsrs_in_scope
from catalogue.ranking.selectors import resource_ranking
from dsrhub.exceptions import InvalidArgument
from tests.catalogue.helpers import ES_JANUARY, import_report, line
from tests.catalogue.ranking.helpers import top_resources

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["without DSRs", "with a DSR"])
def _dsrs(request, tmp_path):
    if request.param == "with a DSR":
        import_report(tmp_path, ES_JANUARY, line("a", revenue="1"))


# Without a DSR in scope, no ranking would ever reach 0 per cent.
@pytest.mark.usefixtures("_dsrs")
@pytest.mark.parametrize("percentile", [0, -1, 101])
def test_a_percentile_outside_1_to_100_is_refused(percentile):
    with pytest.raises(InvalidArgument, match=f"from 1 to 100: {percentile}") as refusal:
        top_resources(percentile=percentile)

    assert refusal.value.extra == {"argument": "percentile"}


@pytest.mark.parametrize("percentile", [1, 100])
def test_the_smallest_and_the_largest_percentile_are_accepted(tmp_path, percentile):
    assert top_resources(percentile=percentile) == []
    import_report(tmp_path, ES_JANUARY, line("a", revenue="1"))
    assert [resource.dsp_id for resource in top_resources(percentile=percentile)] == ["a"]


def test_a_scope_in_which_no_period_lies_has_no_dsr(tmp_path):
    # The first DSR matches the end alone, and the second one the start alone.
    import_report(tmp_path, "Spotify_Free_ES_EUR_20200114-20200115.tsv", line("a", revenue="1"))
    import_report(tmp_path, "Spotify_Free_ES_EUR_20200115-20200116.tsv", line("a", revenue="1"))
    day = {"period_start": date(2020, 1, 15), "period_end": date(2020, 1, 15)}

    assert dsrs_in_scope(Scope(**day)) == []
    assert top_resources(percentile=100, **day) == []
    with resource_ranking(percentile=1, scope=Scope(**day)) as ranking:
        assert (ranking.count, ranking.total) == (0, 0)


@pytest.mark.parametrize("question", [Scope, DSRSearch])
def test_a_question_about_a_period_that_ends_before_it_starts_is_refused(question):
    message = "^The range ends before it starts: 2020-01-16 to 2020-01-15\\.$"
    with pytest.raises(PeriodReversed, match=message) as refusal:
        question(period_start=date(2020, 1, 16), period_end=date(2020, 1, 15))

    assert (refusal.value.code, refusal.value.extra) == ("invalid_argument", {"argument": "period_end"})
