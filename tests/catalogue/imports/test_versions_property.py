"""Random imports, replacements, deletions and returns: all answers are those of a plain calculation from the files."""

from fractions import Fraction

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.dsrs.services import dsr_delete
from catalogue.dsrs.statistics.groups import Grouping, dsr_statistics
from catalogue.imports.loading.reverting import version_revert
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, Resource, SupersededDSR
from catalogue.resources.services import catalogue_refresh
from tests.catalogue.helpers import line, write_report
from tests.catalogue.ranking.helpers import top_resources

pytestmark = pytest.mark.django_db

NAMES = [
    f"{dsp}_Free_{territory}_EUR_20200{month}01-20200{month}28.tsv"
    for dsp in ("Spotify", "Deezer")
    for territory in ("ES", "FR")
    for month in (1, 2)
]
LINES = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["", "T", "U"]), st.integers(0, 9), st.integers(-3, 9)),
    min_size=1,
    max_size=3,
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("import"), st.sampled_from(NAMES), LINES),
        st.tuples(st.just("delete"), st.integers(0, 99), st.none()),
        st.tuples(st.just("revert"), st.integers(0, 99), st.none()),
        st.tuples(st.just("refresh"), st.none(), st.none()),
    ),
    min_size=4,
    max_size=12,
)


class World:
    """The files of the DSRs that stand, by their names; and of all DSRs that there ever were, by their ids."""

    def __init__(self, folder):
        self.folder = folder
        self.standing = {}
        self.files = {}

    def do(self, kind, what, lines):
        getattr(self, f"_{kind}")(what, lines)

    def _import(self, name, lines):
        rows = [line(dsp_id, title, "", "", str(usages), str(revenue)) for dsp_id, title, usages, revenue in lines]
        number = dsr_import(path=write_report(self.folder, name, *rows), name=name, replace=True).dsr.pk
        self.files[number] = (name, lines)
        self.standing[name] = number

    def _delete(self, place, _):
        if self.standing:
            name = sorted(self.standing)[place % len(self.standing)]
            dsr_delete(dsr_number=self.standing.pop(name))

    def _revert(self, place, _):
        versions = sorted(self.files.keys() - set(self.standing.values()))
        if versions:
            number = versions[place % len(versions)]
            version_revert(version_number=number)
            self.standing[self.files[number][0]] = number

    def _refresh(self, *_):
        catalogue_refresh()

    def lines(self):
        """The lines that stand: DSP, territory and the parts of the line, in the order in which they describe."""
        for name, number in sorted(self.standing.items(), key=lambda one: (one[0].split("_")[4], one[0])):
            dsp, _, territory, *_ = name.split("_")
            for of_line in self.files[number][1]:
                yield dsp, territory, *of_line


def sums(lines, key):
    found = {}
    for one in lines:
        usages, revenue = found.get(key(one), (0, Fraction(0)))
        found[key(one)] = (usages + one[4], revenue + one[5])
    return found


@settings(max_examples=15)
@given(steps=STEPS, own=st.booleans())
def test_every_answer_is_that_of_the_files_that_stand(tmp_path_factory, steps, own):
    # As the transaction of a test: an import must be the outermost one of all others.
    of_example = transaction.atomic()
    of_example._from_testcase = True
    with of_example:
        world = World(tmp_path_factory.mktemp("files"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(django_settings, "DSRHUB_SHARED_PARTITION_BYTES", 0 if own else 1024**2)
            for step in steps:
                world.do(*step)
        check(world)
        transaction.set_rollback(True)


def check(world):
    assert set(DSR.objects.values_list("pk", flat=True)) == set(world.standing.values())
    assert set(SupersededDSR.objects.values_list("pk", flat=True)) == world.files.keys() - set(world.standing.values())
    lines = list(world.lines())
    by_territory = {
        one.territory: (one.usages, Fraction(one.revenue_eur)) for one in dsr_statistics(group_by=[Grouping.TERRITORY])
    }
    assert by_territory == sums(lines, lambda one: one[1])
    titles = {}
    for dsp, _, dsp_id, title, *_ in lines:
        titles[dsp, dsp_id] = title or titles.get((dsp, dsp_id))
    ranked = {(one.dsp, one.dsp_id): one for one in top_resources(percentile=100)}
    expected = sums(lines, lambda one: (one[0], one[2]))
    if sum(revenue for _, revenue in expected.values()) <= 0:
        assert ranked == {}
    else:
        assert {key: (one.usages, Fraction(one.revenue)) for key, one in ranked.items()} == expected
        assert {key: one.title for key, one in ranked.items()} == titles
    catalogue_refresh()
    assert {(one.dsp, one.dsp_id): one.title for one in Resource.objects.all()} == titles
