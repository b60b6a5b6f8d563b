"""Deliveries for fuzzing: real reports with changes of bytes, lines, cells, compression and names."""

import gzip
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

DATA = Path(__file__).resolve().parent.parent.parent / "data"
HEADER = b"dsp_id\ttitle\tartists\tisrc\tusages\trevenue\r\n"
# The name of a DSR that is imported before each case.
RESIDENT = "Spotify_Duo_GB_GBP_20200101-20200131.tsv"
# The limit of an unpacked upload in the fuzz run.
UNPACKED_LIMIT = 2 * 1024 * 1024

Draw = Callable[[st.SearchStrategy[Any]], Any]


class Delivery(NamedTuple):
    """The name is in bytes, as in a request or a folder. The printed form is enough to repeat the case."""

    name: bytes
    data: bytes
    replace: bool
    how: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Delivery({self.name!r}, {self.data[:2000]!r}, {len(self.data)} bytes, {self.replace}, {self.how})"


@cache
def samples() -> list[list[bytes]]:
    """The lines after the header of each TSV report in data/."""
    reports = sorted(path for path in DATA.glob("*.gz") if not path.name.startswith("DSR_"))
    return [gzip.decompress(path.read_bytes()).splitlines(keepends=True)[1:] for path in reports]


NASTY_BYTES = [b"\0", b"\x01", b"\r", b"\n", b"\t", b'"', b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x1f"]
NASTY_BYTES += [
    b"\xe2\x80\xa8",
    b"\x7f",
    b"\xc2\x85",
    b"\\.",
    b"\\N",
    b"'; DROP TABLE catalogue_dsr; --",
    b" ",
    b"\0" * 9,
]
NASTY_CELLS = ["", " ", "0", "-1", "+5", "5.0", "5.5", "1e2", "1e-7", "-0.0", ".5", "5.", "1,5", "1_000", "NaN", "inf"]
NASTY_CELLS += [
    "-Infinity",
    "1e131000",
    "1e400",
    "0e99999999999",
    "1e-61",
    "9" * 30,
    "9" * 31,
    "0." + "1" * 61,
    "٣",
    "１",
]
NASTY_CELLS += [str(2**63 - 1), str(2**63), str(-(2**63)), "0x10", "1e", "e5", "--1", "ESABC2000001", "es-abc-20-00001"]
NASTY_CELLS += ["0" * 5000 + "1", "1" * 5000, "1e" + "9" * 5000, "🎵" * 300, "{}", "<script>", "%s", "\u202e", "NULL"]

NASTY_PARTS = [
    "",
    "..",
    "/etc/passwd",
    "ES",
    "ÉS",
    "ZZ",
    "EUR",
    "XXX",
    "ARS",
    "20200231-20200101",
    "%2e%2e",
    "\\",
    "🎵",
]
NASTY_PARTS += ["99999999-00000000", "00000101-00000102", "20200101-20200131.tsv.gz.gz", "a" * 100, "a" * 101, "\u202e"]

# Created once, as Hypothesis takes long for a new strategy.
ANY_BYTES = st.sampled_from(NASTY_BYTES) | st.binary(max_size=8)
ANY_CELL = st.sampled_from(NASTY_CELLS) | st.text(max_size=12)
ANY_PART = st.sampled_from(NASTY_PARTS) | st.text(max_size=9)
LONG_TEXT, LONG_BYTES, RUBBISH = st.text(max_size=60), st.binary(max_size=300), st.binary(min_size=1, max_size=30)


def _flip(draw: Draw, content: bytes) -> bytes:
    at = draw(st.integers(0, max(len(content) - 1, 0)))
    return content[:at] + bytes([content[at] ^ 1 << draw(st.integers(0, 7))]) + content[at + 1 :] if content else b""


def _insert(draw: Draw, content: bytes) -> bytes:
    at = draw(st.integers(0, len(content)))
    return content[:at] + draw(ANY_BYTES) + content[at:]


def _cut(draw: Draw, content: bytes) -> bytes:
    return content[: draw(st.integers(0, len(content)))]


def _lines(draw: Draw, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    if not lines:
        return content
    at = draw(st.integers(0, len(lines) - 1))
    line = draw(
        st.sampled_from([[], [lines[at]] * 2, [lines[at].strip()], [lines[at][: len(lines[at]) // 2] + b"\r\n"]])
    )
    return b"".join([*lines[:at], *line, *lines[at + 1 :]])


def _line_ends(draw: Draw, content: bytes) -> bytes:
    old, new = draw(st.sampled_from([(b"\r\n", b"\n"), (b"\r\n", b"\r"), (b"\n", b"\r\n"), (b"\r\n", b"\n\r")]))
    return content.replace(old, new, draw(st.sampled_from([-1, 1, 2])))


def _columns(draw: Draw, content: bytes) -> bytes:
    """Swap two columns: everywhere, which is valid, only in the header, or only below it."""
    first, second = draw(st.lists(st.integers(0, 5), min_size=2, max_size=2, unique=True))
    where = draw(st.sampled_from([slice(None), slice(0, 1), slice(1, None), slice(1, 2)]))
    lines = [line.rstrip(b"\r\n").split(b"\t") for line in content.splitlines(keepends=True)]
    for cells in lines[where]:
        if len(cells) > max(first, second):
            cells[first], cells[second] = cells[second], cells[first]
    return b"".join(b"\t".join(cells) + b"\r\n" for cells in lines)


def _cell(draw: Draw, content: bytes) -> bytes:
    lines = content.split(b"\n")
    at = draw(st.integers(0, len(lines) - 1))
    cells = lines[at].split(b"\t")
    column = draw(st.integers(0, len(cells) - 1))
    cells[column] = draw(ANY_CELL).encode(errors="surrogatepass")
    lines[at] = b"\t".join(cells)
    return b"\n".join(lines)


def _giant(draw: Draw, content: bytes) -> bytes:
    at = draw(st.integers(0, len(content)))
    length = draw(st.sampled_from([4000, 9000, 300_000, 1024 * 1024 - 200, 1024 * 1024 + 1, 3 * 1024 * 1024]))
    return content[:at] + draw(st.sampled_from([b"a", b"0", b"\xc3\xa9", b"\t", b"9\t"])) * length + content[at:]


CHANGES: list[Callable[[Draw, bytes], bytes]] = [_flip, _insert, _cut, _lines, _line_ends, _columns, _cell, _giant]
# A giant cell takes long to create and to send, so it is rare.
WEIGHTED = [*[change for change in CHANGES if change is not _giant] * 12, _giant]


@cache
def bomb(kind: str) -> bytes:
    line = samples()[0][0]
    content = {
        "zeros": b"\0" * (8 * UNPACKED_LIMIT),
        "lines": HEADER + line * (2 * UNPACKED_LIMIT // len(line)),
        "blank lines": HEADER + b"\n" * (UNPACKED_LIMIT + 1),
        "one cell": HEADER + b"a" * (8 * UNPACKED_LIMIT),
        "tabs": b"\t" * (2 * UNPACKED_LIMIT),
    }[kind]
    return gzip.compress(content, 1)


def _packed(draw: Draw, content: bytes) -> tuple[str, bytes]:
    """The content in gzip, in most cases undamaged."""
    data = gzip.compress(content, 1, mtime=0)
    how = draw(st.sampled_from([*["whole"] * 8, *PACKINGS]))
    return how, PACKINGS[how](draw, data, content) if how in PACKINGS else data


PACKINGS: dict[str, Callable[[Draw, bytes, bytes], bytes]] = {
    "truncated": lambda draw, data, content: data[: draw(st.integers(0, len(data) - 1))],
    "rubbish behind": lambda draw, data, content: data + draw(RUBBISH),
    "zeros behind": lambda draw, data, content: data + bytes(draw(st.sampled_from([1, 7, 511, 20_000]))),
    "bytes flipped": lambda draw, data, content: _flip(draw, data),
    "not packed": lambda draw, data, content: content,
    "packed twice": lambda draw, data, content: gzip.compress(data),
    "two members": lambda draw, data, content: (
        gzip.compress(content[: len(content) // 2]) + gzip.compress(content[len(content) // 2 :])
    ),
    "half a member behind": lambda draw, data, content: data + data[: draw(st.integers(1, len(data) - 1))],
}


NAMES = [RESIDENT, "Deezer_Family_NO_NOK_20200201-20200229.tsv", "X_Y_Z_JP_JPY_20200101-20200131.tsv"]


def changed_name(draw: Draw, names: Sequence[str]) -> bytes:
    """One of the names, in most cases as it is."""
    name = draw(st.sampled_from(names))
    name += draw(st.sampled_from(["", ".gz"]))
    how = draw(st.sampled_from([*["as it is"] * 12, "changed", "changed", "part", "text", "bytes"]))
    if how == "text":
        return draw(LONG_TEXT).encode(errors="surrogatepass")
    if how == "bytes":
        return draw(LONG_BYTES)
    if how == "part":
        parts = name.split("_")
        parts[draw(st.integers(0, len(parts) - 1))] = draw(ANY_PART)
        return "_".join(parts).encode(errors="surrogatepass")
    return _insert(draw, _flip(draw, name.encode())) if how == "changed" else name.encode()


@st.composite
def deliveries(draw: Draw, with_bombs: bool = True) -> Delivery:
    """A valid report with up to four changes."""
    name, replace = changed_name(draw, NAMES), draw(st.booleans())
    if with_bombs and draw(st.integers(0, 299)) == 177:
        kind = draw(st.sampled_from(["zeros", "lines", "blank lines", "one cell", "tabs"]))
        return Delivery(name, bomb(kind), replace, (f"bomb of {kind}",))
    lines = draw(st.sampled_from(samples()))
    start = draw(st.integers(0, len(lines) - 1))
    content = HEADER + b"".join(lines[start : start + draw(st.integers(0, 40))])
    return delivered(draw, name, content, WEIGHTED, replace)


def delivered(
    draw: Draw, name: bytes, content: bytes, possible: Sequence[Callable[[Draw, bytes], bytes]], replace: bool
) -> Delivery:
    """The content with up to four changes, packed if the name says so."""
    changes = draw(st.lists(st.sampled_from(possible), max_size=4))
    for change in changes:
        content = change(draw, content)
    how = [change.__name__ for change in changes]
    if not name.endswith(b".gz"):
        return Delivery(name, content, replace, tuple(how))
    packing, data = _packed(draw, content)
    return Delivery(name, data, replace, (*how, packing))
