"""The comparison of answers that `tests.benchmarks.engines` makes, without any other engine."""

from decimal import Decimal

from tests.benchmarks.engine_answers import answer_of_dsrhub, answer_of_engine, differences

DSPS = {1: "Deezer", 2: "Spotify"}
PIECES = (
    b'[{"dsp_id":"a]","title":"[x],{}","usages":"3","revenue":"2.5","dsrs":[1]}',
    b',{"dsp_id":"b","isrc":"ES1","revenue":"1.25","dsrs":[2]},{"dsp_id":"c","revenue":"0","dsrs":[1]}]',
)
# As DuckDB writes blank cells, and as ClickHouse does.
LINES = (
    '{"dsp":"Deezer","dsp_id":"a]","title":"[x],{}","artists":null,"isrc":null,"usages":3,"revenue":"2.50","dsrs":[1]}',
    '{"dsp":"Spotify","dsp_id":"b","title":"","artists":"","isrc":"ES1","usages":null,"revenue":"1.25","dsrs":[2]}',
    '{"dsp":"Deezer","dsp_id":"c","title":"","artists":"","isrc":"","usages":null,"revenue":"0","dsrs":[1]}',
)


def compared(folder, *lines):
    path = folder / "answer.json"
    path.write_text("".join(f"{line}\n" for line in lines))
    return differences(answer_of_dsrhub(PIECES, DSPS), answer_of_engine(path))


def test_the_same_answer_in_another_form_has_no_differences(tmp_path):
    assert compared(tmp_path, *LINES) == (3, 3, 0, 0, Decimal(0))
    assert str(compared(tmp_path, *LINES)) == "the same 3 resources in the same order"


def test_an_empty_answer_is_the_same_as_an_empty_answer(tmp_path):
    (tmp_path / "answer.json").touch()

    assert differences(answer_of_dsrhub([b"[]"], DSPS), answer_of_engine(tmp_path / "answer.json"))[:3] == (0, 0, 0)


def test_resources_in_another_order_differ_at_both_places(tmp_path):
    found = compared(tmp_path, LINES[1], LINES[0], LINES[2])

    assert found == (3, 3, 2, 0, Decimal(0))
    assert str(found).startswith("DIFFERENT: 2 places of 3 ")


def test_the_same_dsp_id_of_another_dsp_is_another_resource(tmp_path):
    assert compared(tmp_path, LINES[0], LINES[1].replace("Spotify", "Deezer"), LINES[2]).places == 1


def test_a_shorter_or_longer_list_differs_where_one_of_them_ends(tmp_path):
    assert compared(tmp_path, *LINES[:2]) == (3, 2, 1, 0, Decimal(0))
    assert compared(tmp_path, *LINES, LINES[2]) == (3, 4, 1, 0, Decimal(0))


def test_other_texts_and_rounded_revenue_are_counted_apart(tmp_path):
    other_title, rounded = LINES[0].replace("[x]", "[y]"), LINES[1].replace("1.25", "1.26")

    found = compared(tmp_path, other_title, rounded, LINES[2])

    assert found == (3, 3, 0, 1, Decimal("0.01"))
    assert str(found).endswith("1 other usages, texts or DSRs; revenue differs by 1e-2 EUR at most")
