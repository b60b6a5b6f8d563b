"""Random messages, read by the product and by the slow reader of the tests."""

from fractions import Fraction
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.reports import delivery
from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.ddex.format import DdexFormat
from catalogue.reports.problems import ProblemLog
from tests.catalogue.reports.formats.ddex.messages import messages
from tests.catalogue.reports.formats.ddex.slow_reader import first_isrc, read_message

CHUNKS = st.sampled_from([1, 7, 100, 100, 1000, 64 * 1024, 64 * 1024])


def deliveries_of(folder, files):
    deliveries = []
    for number, content in enumerate(files, start=1):
        path = folder / f"DSR_X_Y_Z_2020-01_multi_{number}of{len(files)}_20200212T083000.tsv"
        path.write_bytes(content)
        deliveries.append(Delivery(path, path.name))
    return deliveries


def described(context):
    """What the product says of a context, as the slow reader says it."""
    about, declared = context.context, context.declared
    return {
        **{name: getattr(about, name) for name in CONTEXT_FIELDS},
        "declared_usages": fraction(declared.usages),
        "declared_revenue": fraction(declared.revenue),
        "subscribers": fraction(declared.subscribers),
    }


CONTEXT_FIELDS = ["dsp", "offer", "society", "territory", "currency", "period_start", "period_end"]
CONTEXT_FIELDS += ["commercial_model", "use_type", "subscriber_type"]
AMOUNTS = ["declared_usages", "declared_revenue", "subscribers"]


def fraction(number):
    return None if number is None else Fraction(number)


def rows_of(reader, blocks):
    """The lines of each context, in order. Blank cells are None."""
    rows = {}
    for line in b"".join(blocks).decode().removesuffix("\n").split("\n"):
        if line:
            cells = [cell or None for cell in line.split("\t")]
            row = dict(zip(("mark", *reader.columns), cells, strict=True))
            lines = rows.setdefault(int(row.pop("mark")), {})
            lines[int(row.pop("line_number"))] = row
    assert all(sorted(lines) == [*range(2, len(lines) + 2)] for lines in rows.values())
    return {mark: [lines[number] for number in sorted(lines)] for mark, lines in rows.items()}


def expected_row(line):
    joined = "|".join(line.isrcs)
    return {
        "dsp_id": line.dsp_id,
        "title": line.title,
        "artists": line.artists,
        "artists_delivered": line.display_artist if line.display_artist != line.artists else None,
        "isrc": first_isrc(line.isrcs),
        "isrcs": joined if len(line.isrcs) > 1 else None,
        "usages": str(line.usages),
        "use_type": line.use_type,
        "is_royalty_bearing": {None: None, True: "t", False: "f"}[line.is_royalty_bearing],
        "returns": None if line.returns is None else str(line.returns),
        "transaction_id": line.transaction_id,
        "is_release": "t" if line.is_release else "f",
        "iswc": line.iswc,
        "composers": "|".join(line.composers) or None,
        "label": line.label,
        "icpn": line.icpn,
    }


@settings(max_examples=60)
@given(files=messages(), chunk_bytes=CHUNKS)
def test_random_messages_are_read_exactly(tmp_path, files, chunk_bytes):
    expected = read_message(files)

    with patch.object(delivery, "CHUNK_BYTES", chunk_bytes):
        deliveries, problems = deliveries_of(tmp_path, files), ProblemLog(100)
        contents = DdexFormat().describe(deliveries, problems)
        assert problems.errors == []
        marks = [b"%d" % number for number, _ in enumerate(contents.contexts, start=1)]
        reader = DdexFormat().read(deliveries, contents, problems, None, marks)
        rows = rows_of(reader, list(reader))
    assert problems.errors == []

    found = {context.declared.summary_id: described(context) for context in contents.contexts}
    assert found == {
        summary_id: {name: getattr(context, name) for name in (*CONTEXT_FIELDS, *AMOUNTS)}
        for summary_id, context in expected.items()
    }
    for number, (summary_id, result) in enumerate(zip(found, reader.results, strict=True), start=1):
        context, lines = expected[summary_id], rows.get(number, [])
        revenues = [fraction(line.pop("revenue")) for line in lines]
        assert lines == [expected_row(line) for line in context.lines]
        assert revenues == [line.revenue for line in context.lines]
        assert fraction(result.unallocated_revenue) == context.unallocated
        if context.declared_revenue is not None:
            allocated = sum((revenue for revenue in revenues if revenue is not None), Fraction(0))
            assert allocated + Fraction(result.unallocated_revenue) == context.declared_revenue
