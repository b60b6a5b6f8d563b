"""Finding block ids that come back, in little memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.reports.formats.ddex.blocks import BlockIds


def repeated(*ids, most_runs=50_000):
    """The lines that are reported. The blocks begin on lines 10, 20, ..."""
    blocks = BlockIds(most_runs)
    for number, block_id in enumerate(ids, start=1):
        blocks.add(block_id.encode(), 10 * number)
    return blocks.repeated_lines()


@pytest.mark.parametrize(
    ("ids", "lines"),
    [
        ([], []),
        (["B1", "B2", "B3"], []),
        (["B1", "C1", "B2", "1", "2"], []),
        # A leading zero makes another id.
        (["B1", "B01", "B001", "B1x"], []),
        (["B9", "B10", "B11"], []),
        (["B"], []),
        (["B", "B"], [20]),
        (["B1", "x", "B1"], [30]),
        # The run of B5 to B7 has an id of the run of B1 to B6.
        (["B1", "B2", "B3", "B4", "B5", "B6", "x", "B5", "B6", "B7"], [80]),
        (["B2", "B3", "B1", "B2"], [30]),
        (["x", "y", "x", "z", "y"], [30, 50]),
        (["9" * 18, "1" + "0" * 18, "9" * 18], [30]),
        (["9" * 40, "9" * 40], [20]),
        (["é", "e", "é"], [30]),
    ],
)
def test_an_id_that_comes_back_is_found(ids, lines):
    assert repeated(*ids) == lines


@given(st.lists(st.sampled_from([f"{prefix}{number}" for prefix in ("", "B", "B1") for number in range(12)] + ["x"])))
def test_ids_are_repeated_if_and_only_if_one_is_found(ids):
    ids = [one for at, one in enumerate(ids) if at == 0 or one != ids[at - 1]]
    is_repeated = len(set(ids)) < len(ids)
    assert bool(repeated(*ids)) == is_repeated
    # With nearly everything in temporary files, the same lines are found.
    assert repeated(*ids, most_runs=1) == repeated(*ids, most_runs=3) == repeated(*ids)


def test_runs_take_little_memory():
    blocks = BlockIds(most_runs=100)
    for number in range(100_000):
        blocks.add(b"B%d" % number, number)
    assert blocks._runs == blocks._files == []
    for number in range(10_000):
        blocks.add(b"%d-x" % number, number)
    assert len(blocks._runs) <= 100
    assert blocks.repeated_lines() == []
