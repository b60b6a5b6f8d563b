"""How lines are split into cells and values, with the escapes of all senders."""

import pytest

from catalogue.reports.formats.ddex.cells import line_cells, value_of, values_of
from catalogue.reports.formats.ddex.territories import is_group, territory_code


@pytest.mark.parametrize(
    ("delivered", "text"),
    [
        # The standard, Spotify, TikTok and YouTube: three backslashes stand for one.
        (rb"AC\\\DC", rb"AC\DC"),
        (rb"a\\|b", b"a|b"),
        (b"a\\\tb", b"a b"),
        # Amazon: two backslashes stand for one, one or two escape a separator.
        (rb"AC\\DC", rb"AC\DC"),
        (rb"a\|b", b"a|b"),
        # No escapes at all.
        (rb"AC\DC", rb"AC\DC"),
        (b"a|b", b"a|b"),
        # From left to right: a backslash, then an escaped separator.
        (rb"a\\\\|b", rb"a\|b"),
        (rb"a\\\\\|b", rb"a\|b"),
        (rb"\\\\\\", rb"\\"),
        (b"\\\\\\\\\tb", b"\\ b"),
        (b"\\a", b"\\a"),
        (b'the "quoted" one', b'the "quoted" one'),
        (b"  padded  ", b"padded"),
        (b"#unknown#", b""),
        (b" #unknown# ", b""),
        (b"#UNKNOWN#1", b"#UNKNOWN#1"),
        ("é😀".encode(), "é😀".encode()),
    ],
)
def test_a_text_is_read_without_escapes(delivered, text):
    assert [value_of(cell) for cell in line_cells(b"XX01\t" + delivered + b"\tnext")] == [b"XX01", text, b"next"]


@pytest.mark.parametrize(
    ("delivered", "values"),
    [
        (b"a|b", [b"a", b"b"]),
        (b" a | |b|", [b"a", b"b"]),
        (rb"a\\|b|c", [b"a|b", b"c"]),
        # Three backslashes are a backslash, also before a separator.
        (rb"a\\\|b", [b"a\\", b"b"]),
        (b"#unknown#|a", [b"a"]),
        (b"", []),
    ],
)
def test_a_cell_is_split_before_escapes_are_resolved(delivered, values):
    assert values_of(line_cells(b"XX01\t" + delivered)[1]) == values


AS01 = [b"AS01", b"B1", b"1", b"trk-1", b"", b"T", b"", b"Ana", b"", b"PT1S", b"SoundRecording"]


@pytest.mark.parametrize("title", [b"ends in \\", b"\\", b"two \\\\"])
def test_a_backslash_at_the_end_of_a_title_does_not_escape_the_next_cell(title):
    cells = [*AS01[:5], title, *AS01[6:]]
    read = [value_of(cell) for cell in line_cells(b"\t".join(cells))]
    assert read == [*AS01[:5], title.replace(b"\\\\", b"\\"), *AS01[6:]]


def test_the_number_of_cells_says_whether_a_backslash_escapes_a_tab():
    # All twelve cells of this version are there only if the backslash is the end of the title.
    cells = [b"AS01.01", *AS01[1:5], b"ends in \\", *AS01[6:], b"true"]
    assert value_of(line_cells(b"\t".join(cells))[5]) == b"ends in \\"
    # They are there if it is not, and thirteen otherwise.
    cells = [b"AS01.01", *AS01[1:5], b"a\\\tb", *AS01[6:], b"true"]
    assert value_of(line_cells(b"\t".join(cells))[5]) == b"a b"
    assert len(line_cells(b"\t".join(cells))) == 12


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("GB", "GB"),
        ("gb", "GB"),
        ("Worldwide", "WW"),
        ("WORLDWIDE", "WW"),
        ("2136", "WW"),
        ("4", "AF"),
        ("004", "AF"),
        ("0276", "DE"),
        ("276", "DE"),
        ("826", "GB"),
        ("840", "US"),
        ("578", "NO"),
        ("ES-CE", "ES"),
        ("es-ml", "ES"),
        ("ES-CN", "ES"),
        ("XK", "XK"),
        # Countries that are gone: West Germany, East Germany, the Soviet Union, Yugoslavia.
        ("280", None),
        ("278", None),
        ("810", None),
        ("890", None),
        ("2120", None),
        ("249", None),
        ("900", None),
        ("999", None),
        ("0", None),
        ("Europe", None),
        ("ES-MD", None),
        ("G", None),
        ("ÉS", None),
        ("٤", None),
        ("GB|SE", None),
        ("", None),
    ],
)
def test_a_territory_has_a_code(text, code):
    assert territory_code(text) == code


def test_numbers_of_groups_are_known():
    assert [text for text in ("2099", "2100", "2120", "2136", "2137", "GB", "9" * 5000) if is_group(text)] == [
        *("2100", "2120", "2136")
    ]
