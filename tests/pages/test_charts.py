"""What a chart gives to its script."""

from decimal import Decimal

from django.template.loader import render_to_string

from dsrhub.pages.charts import Chart, Series


def chart(*values, **more):
    return Chart(
        chart_id="c", title="A <title>", labels=["x", "y", "z"], series=[Series(name="s", values=values)], **more
    )


def test_it_draws_floats_and_shows_exact_texts():
    (series,) = chart(Decimal("1234.5670"), None, unit="EUR").data["series"]
    assert (series["values"], series["texts"]) == ([1234.567, None], ["1,234.567 EUR", ""])


def test_series_have_the_colours_in_turn_or_their_own():
    two = Chart(
        chart_id="c",
        title="",
        labels=["x"],
        series=[Series(name="a", values=[1]), Series(name="b", values=[2]), Series(name="c", values=[3], color=7)],
    )
    assert [series["color"] for series in two.data["series"]] == [1, 2, 7]


def test_a_logarithmic_axis_is_offered_where_numbers_are_far_apart():
    assert chart(1, 51).may_be_logarithmic
    assert not chart(1, 50).may_be_logarithmic
    # Zero and negative numbers have no logarithm, so they do not count.
    assert not chart(0, 100).may_be_logarithmic
    assert not chart(-5, 0).may_be_logarithmic


def test_a_logarithmic_axis_says_what_it_leaves_out():
    left_out = "without zero and negative numbers"
    pages = [render_to_string("admin/dsrhub/chart.html", {"chart": chart(low, 1, 1000)}) for low in (None, 0, -1)]
    assert [left_out in page for page in pages] == [False, True, True]


def test_its_title_and_its_table_are_told_to_who_does_not_see_it():
    page = render_to_string("admin/dsrhub/chart.html", {"chart": chart(1, 1000)})
    assert 'aria-label="A &lt;title&gt;: the table has the numbers."' in page
    assert 'data-logarithmic="c"' in page
