"""Several files of one key in one call: their order decides, not the threads."""

import io
from collections import defaultdict
from datetime import date, timedelta
from itertools import permutations
from pathlib import Path
from threading import Event

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from catalogue.imports import many
from catalogue.imports.grouping import FoundDelivery
from catalogue.imports.many import PlannedDelivery, deliveries_plan, earlier_of_series, predecessors, repeated_keys
from catalogue.models import DSR, RejectedDelivery, UsageLine
from catalogue.reports.contexts import SalesContext
from catalogue.reports.formats import registry
from dsrhub.files.disk import FoundFile
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, line, write_report
from tests.catalogue.reports.formats.toy import ToyFormat
from tests.waiting import PATIENCE

KEY = "(Spotify SpotifyDuo, NO, NOK, 2020-01-01 to 2020-01-31)"
# The lines of a file that takes several times as long as one of a single line.
MANY = 3_000


def import_dsr(*paths, **options):
    """Return the lines on stdout and on stderr. The error of the command, if any, comes last."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("import_dsr", *paths, **options, stdout=out, stderr=err)
    except CommandError as failure:
        err.write(f"{failure}\n")
    return out.getvalue().splitlines(), err.getvalue().splitlines()


def delivered(folder, dsp_id, name=NO_JANUARY, *, line_count=1):
    """A report in a folder of its own, as files of one folder have different names."""
    (folder / dsp_id).mkdir()
    return write_report(folder / dsp_id, name, *(line(f"{dsp_id}{number or ''}") for number in range(line_count)))


def toy(folder, name, *dsrs):
    (folder / name).write_text("TOY\n" + "".join(f"= Toybox Free {code}\n{name} 1 1\n" for code in dsrs))
    return folder / name


def ingested():
    return [(dsr.territory_id, _ids(dsr)) for dsr in DSR.objects.ingested().order_by("territory")]


def _ids(dsr):
    return ",".join(UsageLine.objects.of([dsr]).order_by("line_number").values_list("dsp_id", flat=True))


# --- The last one wins -----------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("jobs", [1, 3])
def test_the_last_file_named_wins_with_replace(tmp_path, jobs):
    # The first file is by far the largest: without an order, it would end last.
    paths = {one: delivered(tmp_path, one, line_count=MANY if one == "a" else 1) for one in "abc"}
    for order in (("a", "b", "c"), ("a", "c", "b"), ("b", "c", "a")):
        out, err = import_dsr(*(paths[one] for one in order), jobs=jobs, replace=True)

        assert len(out) == 4
        assert [ids[:1] for _, ids in ingested()] == [order[-1]]
        names = ", ".join(str(paths[one]) for one in order)
        assert err == [
            f"same key: {names}: {KEY}. They are imported in this order, and each replaces the one before it."
        ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("jobs", [1, 3])
def test_without_replace_the_first_file_named_is_loaded_and_the_others_are_refused(tmp_path, jobs):
    first, second = delivered(tmp_path, "a", line_count=MANY), delivered(tmp_path, "b")

    out, err = import_dsr(first, second, jobs=jobs)

    assert out[0].startswith(f"{NO_JANUARY}: loaded as DSR ")
    assert err[0] == (
        f"same key: {first}, {second}: {KEY}. They are imported in this order, and none replaces another, "
        "as --replace is not given."
    )
    assert "is an earlier delivery of this report with different content" in err[1]
    assert err[2] == "1 of 2 files refused."
    assert ingested()[0][1].startswith("a,")


@pytest.mark.django_db(transaction=True)
def test_a_bad_last_file_leaves_the_one_before_it(tmp_path):
    first, last = delivered(tmp_path, "a"), delivered(tmp_path, "b")
    last.write_bytes(b"dsp_id\n")

    assert import_dsr(first, last, jobs=3, replace=True)[1][-1] == "1 of 2 files refused."

    assert ingested() == [("NO", "a")]


@pytest.mark.django_db(transaction=True)
def test_the_same_content_twice_is_unchanged_the_second_time(tmp_path):
    path = delivered(tmp_path, "a")

    out, err = import_dsr(path, path, jobs=2)

    assert [text.split(":")[1].split(" as")[0] for text in out[:2]] == [" loaded", " unchanged, already imported"]
    assert len(err) == 1


@pytest.mark.django_db(transaction=True)
def test_only_files_of_one_key_wait_for_each_other(tmp_path, monkeypatch):
    first, last, other = delivered(tmp_path, "a"), delivered(tmp_path, "b"), delivered(tmp_path, "c", ES_JANUARY)
    done, real, other_is_done = [], many.delivery_import, Event()

    def import_and_note(*, files, **options):
        """The first file is imported only when the other one, which comes after it, is."""
        path = files[0].path
        done.append(f"{path.parent.name} begins")
        assert path != first or other_is_done.wait(PATIENCE)
        report = real(files=files, **options)
        done.append(f"{path.parent.name} ends")
        if path == other:
            other_is_done.set()
        return report

    monkeypatch.setattr(many, "delivery_import", import_and_note)
    import_dsr(first, last, other, jobs=3, replace=True)

    assert done.index("c ends") < done.index("a ends") < done.index("b begins")
    assert ingested() == [("ES", "c"), ("NO", "b")]


@pytest.mark.django_db(transaction=True)
def test_a_warning_of_an_overlap_does_not_depend_on_the_threads(tmp_path):
    """The second file waits for the first one, and only then looks for others."""
    first = delivered(tmp_path, "a", line_count=MANY)
    second = delivered(tmp_path, "b", "Spotify_SpotifyDuo_NO_NOK_20200131-20200229.tsv")

    assert import_dsr(first, second, jobs=2)[1] == []

    counts = DSR.objects.order_by("period_start").values_list("warning_count", flat=True)
    assert list(counts) == [0, 1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_first_large", [True, False])
def test_a_comparison_with_the_previous_report_does_not_depend_on_the_threads(tmp_path, is_first_large):
    """All files are read at a time. Then each waits for the earlier ones of its series."""
    sizes = [MANY, 1, MANY] if is_first_large else [1, MANY, 1]
    paths = []
    for days, usages, size in zip(("0301-20200331", "0201-20200229", "0401-20200430"), (1, 1, 100), sizes, strict=True):
        lines = (line(f"{number}", usages=str(0 if number else usages)) for number in range(size))
        paths.append(write_report(tmp_path, f"Spotify_SpotifyDuo_NO_NOK_2020{days}.tsv", *lines))

    # March comes before February, which it does not know, and April after both.
    assert import_dsr(*paths, jobs=3)[1] == []

    warned = DSR.objects.order_by("period_start").values_list("period_start__month", "problems__value")
    march = DSR.objects.get(period_start__month=3)
    value = f"usages 100, previously 1 (DSR {march.pk}, {march.path})"
    assert list(warned) == [(2, None), (3, None), (4, value)]


@pytest.mark.django_db(transaction=True)
def test_of_two_failures_of_one_name_the_last_one_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "FORMATS", [ToyFormat(), *registry.FORMATS])
    paths = []
    for name, reason in (("a", "XX"), ("b", "XY")):
        (tmp_path / name).mkdir()
        paths.append(toy(tmp_path / name, "r.toy", f"{reason} EUR"))
    import_dsr(*paths, jobs=2)

    assert "'XY'" in RejectedDelivery.objects.get(name="r.toy").reason


# --- Files of several contexts ---------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_each_context_is_of_the_last_file_that_has_it(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "FORMATS", [ToyFormat(), *registry.FORMATS])
    dsrs = {"a.toy": ("ES EUR", "NO NOK"), "b.toy": ("NO NOK", "FR EUR"), "c.toy": ("FR EUR", "ES EUR")}
    for name, codes in dsrs.items():
        toy(tmp_path, name, *codes)
    for order in permutations(dsrs):
        _, err = import_dsr(*(tmp_path / name for name in order), jobs=3, replace=True)

        last = {code[:2]: name for name in order for code in dsrs[name]}
        assert ingested() == sorted(last.items())
        # Each two of the files share one context.
        assert len([text for text in err if text.startswith("same key: ")]) == 3


@pytest.mark.django_db
def test_files_that_share_several_keys_are_named_once(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "FORMATS", [ToyFormat(), *registry.FORMATS])
    files = [FoundFile(toy(tmp_path, name, "ES EUR", "NO NOK")) for name in ("a.toy", "b.toy")]

    repeated = repeated_keys(deliveries_plan(files))

    assert {paths: len(contexts) for paths, contexts in repeated.items()} == {(files[0].path, files[1].path): 2}


@pytest.mark.django_db
def test_a_file_that_does_not_say_its_contexts_has_none(tmp_path):
    files = [FoundFile(tmp_path / name) for name in ("notes.txt", "missing.tsv", NO_JANUARY)]
    for file in (files[0], files[2]):
        file.path.touch()
    (tmp_path / "link.tsv").symlink_to(files[2].path)

    planned = deliveries_plan([*files, FoundFile(tmp_path / "link.tsv", tmp_path)])

    assert [len(one.contexts) for one in planned] == [0, 0, 1, 0]


CONTEXTS = st.builds(
    lambda offer, start, days: SalesContext(
        *("Spotify", offer, None, "NO", "NOK"),
        date(2020, 1, 1) + timedelta(start),
        date(2020, 1, 1) + timedelta(start + days),
    ),
    st.sampled_from("xy"),
    st.integers(0, 20),
    st.integers(0, 6),
)
PLANNED = st.builds(
    lambda name, contexts: PlannedDelivery(FoundDelivery((FoundFile(Path(f"{name}.tsv")),)), contexts),
    st.integers(0, 5),
    st.lists(CONTEXTS, max_size=3, unique=True),
)


@given(st.lists(PLANNED, max_size=8))
def test_a_file_waits_for_exactly_the_earlier_files_that_it_may_meet(planned):
    waits_for = predecessors(planned)
    last_of_name = defaultdict(set)
    for position, one in enumerate(planned):
        meets = {
            earlier
            for earlier in range(position)
            for mine in one.contexts
            for other in planned[earlier].contexts
            if mine.offer == other.offer and _days(mine) & _days(other)
        }
        assert waits_for[position] == meets | last_of_name[one.delivery.path.name]
        last_of_name[one.delivery.path.name] = {position}


@given(st.lists(PLANNED, max_size=8))
def test_a_file_is_compared_after_exactly_the_earlier_files_of_its_series(planned):
    offers = [{context.offer for context in one.contexts} for one in planned]
    assert earlier_of_series(planned) == [
        {earlier for earlier in range(position) if offers[earlier] & offers[position]}
        for position in range(len(planned))
    ]


def _days(context):
    return {
        context.period_start + timedelta(day) for day in range((context.period_end - context.period_start).days + 1)
    }
