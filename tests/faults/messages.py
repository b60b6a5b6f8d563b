"""DDEX messages for fuzzing: valid ones with changes of bytes, lines, cells, compression and names."""

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path

from hypothesis import strategies as st

from tests.catalogue.reports.formats.ddex.messages import file_of, head, record, recording, stream, summary
from tests.catalogue.reports.formats.ddex.slow_reader import read_message
from tests.faults.deliveries import WEIGHTED, Delivery, Draw, changed_name, delivered
from tests.faults.reference import unpacked

SAMPLES = Path(__file__).resolve().parent.parent / "data" / "ddex"
NAME = "DSR_SocietyX_Tonbank_Premium_2020-01_multi_1of1_20200212T083000.tsv"
SINGLE_RECORDS = file_of(
    head(c3="BasicAudioProfileSRB"),
    summary("1", "100", "9.99"),
    summary("2", "7", "1234.5678", c7="SE", c11="SEK"),
    *(
        record("SR02.01", c2=str(1 + number % 2), c3=f"trk-{number}", c5="Aurora", c34="true", c35=str(number), c39="")
        for number in range(8)
    ),
    record("SR01.01", c2="1", c3="trk-1", c4="QZABC2600001", c5="Sea\\\\", c35="false", c37="3", c38="1", c43="Sale"),
    foot=("SRFO", "12", "2"),
)
MANY_BLOCKS = file_of(
    head(),
    summary("1", "1000", "70.00"),
    *(
        one
        for number in range(12)
        for one in (recording(f"B{number}", dsp_id=f"trk-{number}"), stream(f"B{number}", usages=f"{number}."))
    ),
)


@cache
def contents() -> list[bytes]:
    """Valid messages of January 2020. Of that month, rates are there."""
    samples = [path.read_bytes() for path in sorted(SAMPLES.glob("*_1of1_*.tsv"))]
    dates = [b"2026-09-01\t2026-09-30", b"2026-10\t2026-10"]
    samples = [sample.replace(dates[at], b"2020-01-01\t2020-01-31") for at, sample in enumerate(samples)]
    return [samples[0], samples[0], *samples, SINGLE_RECORDS, MANY_BLOCKS]


def _move(draw: Draw, content: bytes) -> bytes:
    """Put a line into another place."""
    lines = content.splitlines(keepends=True)
    if len(lines) < 2:
        return content
    line = lines.pop(draw(st.integers(0, len(lines) - 1)))
    lines.insert(draw(st.integers(0, len(lines))), line)
    return b"".join(lines)


RECORD_TYPES = [b"HEAD", b"FOOT", b"SRFO", b"SY01", b"SY04", b"SY12", b"SY99", b"RE01", b"RE02", b"AS01", b"AS02.04"]
RECORD_TYPES += [
    b"MW01",
    b"SU01",
    b"SU02.03",
    b"SU03",
    b"SR01",
    b"SR02",
    b"LI01",
    b"DE01",
    b"XX01.2",
    b"#SU01",
    b"su01",
]


def _record_type(draw: Draw, content: bytes) -> bytes:
    lines = content.split(b"\n")
    at = draw(st.integers(0, len(lines) - 1))
    lines[at] = b"\t".join([draw(st.sampled_from(RECORD_TYPES)), *lines[at].split(b"\t")[1:]])
    return b"\n".join(lines)


def _cells(draw: Draw, content: bytes) -> bytes:
    """Take cells from the end of a line, or add some, or let two change places."""
    lines = content.split(b"\n")
    at = draw(st.integers(0, len(lines) - 1))
    cells = lines[at].split(b"\t")
    first, second = draw(st.integers(0, len(cells) - 1)), draw(st.integers(0, len(cells) - 1))
    how = draw(st.integers(0, 2))
    if how == 0:
        cells = cells[:first]
    elif how == 1:
        cells += [cells[first]] * draw(st.integers(1, 30))
    else:
        cells[first], cells[second] = cells[second], cells[first]
    lines[at] = b"\t".join(cells)
    return b"\n".join(lines)


ESCAPES = [b"\\", b"\\\\", b"\\\\\\", b"\\|", b"|", b"\\\t", b"#unknown#", b"#", b"::"]


def _escape(draw: Draw, content: bytes) -> bytes:
    at = draw(st.integers(0, len(content)))
    return content[:at] + draw(st.sampled_from(ESCAPES)) + content[at:]


OWN_CHANGES: list[Callable[[Draw, bytes], bytes]] = [_move, _record_type, _cells, _escape]
CHANGES = [*WEIGHTED, *OWN_CHANGES * 12]


@st.composite
def messages(draw: Draw) -> Delivery:
    """A valid message with up to four changes."""
    name, replace = changed_name(draw, [NAME]), draw(st.booleans())
    return delivered(draw, name, draw(st.sampled_from(contents())), CHANGES, replace)


def contexts_of(name: str, data: bytes) -> dict[str, tuple[int, int, Fraction, Fraction | None, Fraction | None]]:
    """The number of lines of each context, their usages and revenue, and the unallocated and the declared revenue.

    An independent reader says so. It reads only messages without errors.
    """
    return {
        summary_id: (
            len(context.lines),
            sum(line.usages for line in context.lines),
            sum((line.revenue for line in context.lines if line.revenue is not None), Fraction(0)),
            context.unallocated,
            context.declared_revenue,
        )
        for summary_id, context in read_message([unpacked(name, data)]).items()
    }
