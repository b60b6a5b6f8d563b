"""The selectors of DSRs, their lines and their problems, and the methods of their querysets."""

from dataclasses import replace
from datetime import date

import pytest
from django.contrib.auth.models import AnonymousUser

from catalogue.dsrs.selectors import DSRSearch, dsr_get, dsr_lines, dsr_list, dsr_problems
from catalogue.exceptions import DSRNotFound, ReportRefused
from catalogue.imports.services import dsr_import
from catalogue.lines.scope import Scope
from catalogue.models import DSR, UsageLine
from catalogue.reports.formats.tsv.name import parse_report_name
from dsrhub.exceptions import InvalidArgument
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, add_lines, line, write_report

pytestmark = pytest.mark.django_db


def failed_import(folder, name, *lines):
    with pytest.raises(ReportRefused) as refusal:
        dsr_import(path=write_report(folder, name, *lines), name=name)
    return DSR.objects.get(pk=refusal.value.extra["dsr"])


# --- DSRs ------------------------------------------------------------------------------------------------------


def test_the_list_has_all_dsrs_by_id_including_failed_ones(tmp_path):
    failed = failed_import(tmp_path, NO_JANUARY, line(usages="many"))
    ingested = dsr_import(path=write_report(tmp_path, ES_JANUARY, line()), name=ES_JANUARY).dsr
    # An update moves a row to the end of its table.
    failed.save()

    assert [dsr.id for dsr in dsr_list()] == [failed.pk, ingested.pk]
    assert [dsr.id for dsr in dsr_list(after=failed.pk)] == [ingested.pk]
    assert [dsr.id for dsr in dsr_list(limit=1)] == [failed.pk]


def test_the_list_with_territories_and_currencies_is_one_statement(django_assert_num_queries):
    for offer in ("One", "Two", "Three"):
        recipes.dsr.make(offer=offer)

    with django_assert_num_queries(1):
        shown = [(dsr.territory, dsr.territory_code, dsr.currency, dsr.currency_code) for dsr in dsr_list()]

    assert shown == [("Norway", "NO", "Norwegian Krone", "NOK")] * 3


def test_a_dsr_is_found_by_its_id(tmp_path):
    dsr = recipes.dsr.make()
    failed = failed_import(tmp_path, ES_JANUARY, line(usages="many"))

    assert dsr_get(dsr_number=dsr.pk) == dsr
    assert dsr_get(dsr_number=failed.pk) == failed
    with pytest.raises(DSRNotFound) as refusal:
        dsr_get(dsr_number=failed.pk + 1)
    assert refusal.value.extra == {"id": failed.pk + 1}


# --- Lines -----------------------------------------------------------------------------------------------------


def dsp_ids(dsr, *, after, limit):
    return [(one.line_number, one.dsp_id) for one in dsr_lines(dsr=dsr, after=after, limit=limit)]


@pytest.mark.parametrize("limit_bytes", [0, 1024**2], ids=["own partition", "shared partition"])
def test_lines_are_paginated_in_the_order_of_the_file(tmp_path, settings, limit_bytes):
    settings.DSRHUB_SHARED_PARTITION_BYTES = limit_bytes
    other = write_report(tmp_path, NO_JANUARY, line("x"), line("y"), line("z"))
    dsr_import(path=other, name=NO_JANUARY)
    path = write_report(tmp_path, ES_JANUARY, line("c"), line("a"), line("b"), line("a"), line("d"))
    dsr = dsr_import(path=path, name=ES_JANUARY).dsr

    # The header is line 1, so the first page after line 0 is full too.
    assert dsp_ids(dsr, after=0, limit=2) == [(2, "c"), (3, "a")]
    assert dsp_ids(dsr, after=1, limit=2) == [(2, "c"), (3, "a")]
    assert dsp_ids(dsr, after=2, limit=2) == [(3, "a"), (4, "b")]
    assert dsp_ids(dsr, after=3, limit=2) == [(4, "b"), (5, "a")]
    assert dsp_ids(dsr, after=5, limit=2) == [(6, "d")]
    assert dsp_ids(dsr, after=6, limit=2) == []
    assert dsp_ids(dsr, after=0, limit=1) == [(2, "c")]
    assert dsp_ids(dsr, after=0, limit=9) == [(2, "c"), (3, "a"), (4, "b"), (5, "a"), (6, "d")]
    assert dsp_ids(dsr, after=2**63 - 1, limit=2) == []


def test_the_lines_of_some_dsrs_exclude_those_of_others():
    one, two, three = (recipes.dsr.make(offer=offer) for offer in ("One", "Two", "Three"))
    for dsr, dsp_id in ((one, "a"), (two, "b"), (three, "c")):
        add_lines(dsr, line(dsp_id))

    lines = UsageLine.objects.of([one, three])

    assert sorted(lines.values_list("dsr", "dsp_id")) == [(one.pk, "a"), (three.pk, "c")]
    assert not UsageLine.objects.of([]).exists()


# --- Problems --------------------------------------------------------------------------------------------------


def test_problems_are_paginated_in_the_order_in_which_they_were_found(tmp_path):
    failed_import(tmp_path, NO_JANUARY, line(revenue="other"))
    dsr = failed_import(
        tmp_path, ES_JANUARY, line(usages="many"), line(isrc="none", revenue="much"), line(usages="0.5")
    )

    nobody = AnonymousUser()

    def problems(after, limit):
        return [
            (one.line, one.column, one.code) for one in dsr_problems(dsr=dsr, after=after, limit=limit, user=nobody)
        ]

    first = dsr_problems(dsr=dsr, after=0, limit=1, user=nobody)[0].pk
    assert problems(0, 2) == [(2, "usages", "not_a_number"), (3, "isrc", "isrc_invalid")]
    assert problems(first, 2) == [(3, "isrc", "isrc_invalid"), (3, "revenue", "not_a_number")]
    assert problems(first + 2, 2) == [(4, "usages", "not_an_integer")]
    assert problems(first + 3, 2) == []


# --- Querysets -------------------------------------------------------------------------------------------------


def test_each_dsr_is_either_ingested_or_failed():
    ingested, failed = recipes.dsr.make(), recipes.failed_dsr.make()

    assert list(DSR.objects.ingested()) == [ingested]
    assert list(DSR.objects.failed()) == [failed]


def test_a_dsr_is_within_a_range_if_its_whole_period_is():
    dsr = recipes.dsr.make(period_start=date(2020, 1, 1), period_end=date(2020, 1, 31))

    def is_within(start, end):
        return dsr in DSR.objects.within(start=start, end=end)

    assert is_within(None, None)
    assert is_within(date(2020, 1, 1), date(2020, 1, 31))
    assert is_within(date(2019, 12, 31), None)
    assert is_within(None, date(2020, 2, 1))
    assert not is_within(date(2020, 1, 2), date(2020, 1, 31))
    assert not is_within(date(2020, 1, 1), date(2020, 1, 30))


@pytest.mark.parametrize(
    "other",
    [
        {"dsp": "Deezer"},
        {"offer": "SpotifyFree"},
        {"society": "TONO"},
        {"territory_id": "SE"},
        {"currency_id": "EUR"},
        {"period_start": date(2019, 12, 31)},
        {"period_end": date(2020, 1, 30)},
        {"commercial_model": "SubscriptionModel"},
        {"use_type": "Stream"},
        {"subscriber_type": "Student"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_every_part_of_a_context_is_part_of_the_key(other):
    dsr = recipes.dsr.make()
    recipes.dsr.make(**other)

    assert under_key(parse_report_name(NO_JANUARY)) == [dsr]


def test_a_society_is_part_of_the_key():
    dsr = recipes.dsr.make(society="TONO")

    assert under_key(parse_report_name(NO_JANUARY.replace("_NO_", "_TONO_NO_"))) == [dsr]
    assert under_key(parse_report_name(NO_JANUARY)) == []


def under_key(context):
    return [dsr for dsr in DSR.objects.near([context]) if dsr.context == context]


def test_periods_that_share_a_day_overlap():
    periods = [
        (date(2019, 12, 1), date(2019, 12, 31)),
        (date(2019, 12, 1), date(2020, 1, 1)),
        (date(2020, 1, 10), date(2020, 1, 20)),
        (date(2019, 1, 1), date(2020, 12, 31)),
        (date(2020, 1, 31), date(2020, 2, 29)),
        (date(2020, 2, 1), date(2020, 2, 29)),
    ]
    for number, (start, end) in enumerate(periods):
        recipes.dsr.make(path=f"{number}.tsv", period_start=start, period_end=end)
    recipes.dsr.make(offer="SpotifyFree")
    january = parse_report_name(NO_JANUARY)
    swedish = replace(january, territory="SE")

    assert DSR.objects.overlapping([january, swedish]) == {
        january: ["1.tsv", "2.tsv", "3.tsv", "4.tsv"],
        swedish: [],
    }


# --- Scopes of searches ------------------------------------------------------------------------------------------


def test_the_scope_of_a_search_has_the_ingested_dsrs_that_it_finds():
    recipes.failed_dsr.make(path=ES_JANUARY, offer="Duo")
    found = [recipes.dsr.make(offer="Duo", currency_id=currency).pk for currency in ("NOK", "EUR")]
    recipes.dsr.make(offer="Family")
    assert DSRSearch(offer="Duo").scope() == Scope(dsrs=tuple(found))


def test_the_scope_of_a_use_type_has_whole_dsrs():
    by_itself = recipes.dsr.make(use_type="OnDemandStream")
    by_lines = recipes.dsr.make(offer="Family")
    recipes.use_type_total.make(dsr=by_lines, use_type="OnDemandStream")
    assert DSRSearch(use_type="OnDemandStream").scope() == Scope(dsrs=(by_itself.pk, by_lines.pk))


@pytest.mark.parametrize("other", ["Download", None])
def test_a_dsr_of_several_use_types_is_in_no_scope_of_one(other):
    mixed = recipes.dsr.make()
    for use_type in ("OnDemandStream", other):
        recipes.use_type_total.make(dsr=mixed, use_type=use_type)
    with pytest.raises(InvalidArgument, match=f"DSR {mixed.pk} has lines of OnDemandStream and others"):
        DSRSearch(use_type="OnDemandStream").scope()
