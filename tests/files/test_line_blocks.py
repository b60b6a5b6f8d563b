"""Text cut into blocks of whole lines, without the blank lines at the end."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsrhub.files import line_blocks as module
from dsrhub.files.line_blocks import line_blocks
from tests.invisible import looks_blank


@pytest.mark.parametrize(
    ("chunks", "blocks"),
    [
        ([], []),
        ([b""], []),
        ([b"a\nb\n"], [b"a\nb\n"]),
        ([b"a\nb"], [b"a\n", b"b\n"]),
        ([b"a", b"\n", b"b"], [b"a\n", b"b\n"]),
        ([b"a\nb", b"c", b"", b"d\ne"], [b"a\n", b"bcd\n", b"e\n"]),
        ([b"\n", b"\n"], []),
        ([b"a\n\n", b"\n", b"b\n"], [b"a\n", b"\n\n", b"b\n"]),
        ([b"a\n\n", b"\t\r\n"], [b"a\n"]),
        ([b"a\n\x1a"], [b"a\n"]),
        ([b"a\x1a"], [b"a\n"]),
        ([b"\x1a", b"\x1a"], []),
        ([b"a\n\xc2", b"\xa0"], [b"a\n"]),
        ([b"a\n\0\n"], [b"a\n\0\n"]),
    ],
)
def test_blocks_end_with_a_line_that_is_not_blank(chunks, blocks):
    assert list(line_blocks(chunks, 100)) == blocks


def test_a_line_that_is_too_long_ends_it():
    assert list(line_blocks([b"a\n\nbcd", b"efghi", b"j\nk\n"], 5)) == [b"a\n", b"\n", b"bcdefghi"]


def test_the_memory_for_blank_lines_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "LONGEST_BLANK_END", 4)

    assert list(line_blocks([b"a\n", b"\n\n", b"\n\n"], 100)) == [b"a\n"]
    assert list(line_blocks([b"a\n", b"\n\n", b"\n\n\n", b"\n"], 100)) == [b"a\n", b"\n" * 5]


pieces = st.sampled_from([b"a", b"\n", b"\n\n", b"\r\n", b"\t", b" ", b"\x1a", b"\xc2\xa0", b"\xff", b"\xef\xbb\xbf"])


@settings(max_examples=200)
@given(st.lists(pieces, max_size=20))
def test_all_lines_but_the_blank_ones_at_the_end_stay(chunks):
    lines = b"".join(chunks).split(b"\n")
    lines[-1] = lines[-1].rstrip(b"\x1a")
    while lines and looks_blank(lines[-1].decode(errors="replace")):
        lines.pop()

    assert b"".join(line_blocks(chunks, 1000)) == b"".join(line + b"\n" for line in lines)
