"""Basic Audio messages for tests: small ones of records that a test names, and random ones with the habits of senders.

A record is a tuple of cells that are escaped already. Cells at its end may be left out.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

Record = tuple[str, ...]

SENDER, RECIPIENT = ("PADPIDA2026000001A", "Tonbank"), ("PADPIDA2026000002B", "SocietyX")

# --- Messages that a test writes -------------------------------------------------------------------------------


def record(kind: str, **cells: str) -> Record:
    """A record with the cells of these numbers, as `c5="GB"`. All others are blank."""
    values = {int(name[1:]): text for name, text in cells.items()}
    return (kind, *(values.get(number, "") for number in range(2, max(values, default=1) + 1)))


def head(message_id: str = "MSG-1", **cells: str) -> Record:
    standard = {"c2": "dsrf/1.4/1/1.5", "c3": "BasicAudioProfile", "c4": "1.4", "c5": message_id}
    standard |= {"c6": "2020-02-12T08:30:00Z", "c7": "1", "c8": "1", "c9": "2020-01-01", "c10": "2020-01-31"}
    standard |= {"c11": SENDER[0], "c12": SENDER[1], "c13": "Premium", "c14": RECIPIENT[0], "c15": RECIPIENT[1]}
    return record("HEAD", **standard | {"c16": ""} | cells)


def summary(summary_id: str = "1", usages: str = "10", revenue: str = "5.00", **cells: str) -> Record:
    """Of subscriptions in Great Britain, in GBP."""
    standard = {"c2": summary_id, "c5": "SubscriptionModel", "c6": "OnDemandStream", "c7": "GB", "c8": "Premium"}
    return record("SY01.03", **standard | {"c9": usages, "c11": "GBP", "c12": revenue, "c18": ""} | cells)


def recording(block: str = "B1", reference: str = "1", dsp_id: str = "trk-1", **cells: str) -> Record:
    standard = {"c2": block, "c3": reference, "c4": dsp_id, "c6": "Aurora", "c8": "Ana", "c11": "SoundRecording"}
    return record("AS01.03", **standard | {"c15": ""} | cells)


def stream(block: str = "B1", summary_id: str = "1", usages: str = "2", resource: str = "1", **cells: str) -> Record:
    standard = {"c2": block, "c3": summary_id, "c4": "", "c6": resource, "c7": "true", "c8": usages}
    return record("SU02.03", **standard | {"c12": ""} | cells)


def file_of(*records: Record, foot: Record | None = ("FOOT",), line_end: str = "\r\n") -> bytes:
    """The bytes of a file. A last record without cells, as usual, states nothing."""
    lines = ["\t".join(cells) for cells in (*records, *([foot] if foot else []))]
    return "".join(line + line_end for line in lines).encode()


# --- Random messages -------------------------------------------------------------------------------------------


class Version(NamedTuple):
    """The types of the records of a version of Basic Audio, by their families, and how many cells they have."""

    number: str
    types: dict[str, tuple[str, int]]


def _version(number: str, types: str) -> Version:
    pairs = [one.split(":") for one in types.split()]
    return Version(number, {kind[:4]: (kind, int(cells)) for kind, cells in pairs})


VERSIONS = [
    _version("1.0", "SY01:13 SY02:17 SY03:22 RE01:15 RE02:6 AS01:11 AS02:20 MW01:15 SU01:12 SU02:10"),
    _version("1.1", "SY01:13 SY02.01:18 SY04:19 RE01:15 RE02:6 AS01:11 AS02.01:21 MW01.01:16 SU01:12 SU02:10"),
    _version(
        "1.2",
        "SY01.01:15 SY02.02:22 SY04.01:20 RE01:15 RE02:6 AS01.01:12 AS02.02:22 MW01.01:16 SU01:12 SU02:10 "
        "SR01:41 SR02:36",
    ),
    _version(
        "1.3",
        "SY01.02:15 SY02.03:22 SY03.01:23 SY04.02:20 SY12:17 RE01.02:16 RE02:6 AS01.02:14 AS02.03:24 MW01.02:19 "
        "SU01.02:13 SU02.02:11 SR01.01:43 SR02.01:39",
    ),
    _version(
        "1.4",
        "SY01.03:18 SY02.04:22 SY03.02:23 SY04.03:20 SY12.01:17 RE01.03:17 RE02:6 AS01.03:15 AS02.04:25 MW01.03:19 "
        "SU01.03:13 SU02.03:12 SR01.01:43 SR02.01:39",
    ),
]

# How senders escape a backslash, a separator of values and a tab. One that cannot escape a tab writes a space.
MANNERS = [
    {"\\": "\\\\\\", "|": "\\\\|", "\t": "\\\t"},
    {"\\": "\\\\\\", "|": "\\|", "\t": "\\\t"},
    {"\\": "\\\\", "|": "\\|", "\t": " "},
    {"\\": "\\\\", "|": "\\\\|", "\t": " "},
]
NO_ESCAPES = {"\t": " "}
TEXTS = [
    "Aurora",
    "Sea",
    'The "Quoted" One',
    "AC\\DC",
    "Night | Day",
    "tab\there",
    "ends in \\",
    "\\",
    "\\\\x",
    "|",
    "é😀",
]
TEXTS += [" padded ", "# no comment", "a | b|c", "x\\|y"]
BLANKS = ["", " ", "#unknown#"]
# Two ways to write a territory must not make two contexts equal, so each territory is written in one way.
PLACES = [("GB", "GBP"), ("752", "SEK"), ("NO", "NOK"), ("Worldwide", "EUR"), ("ES-CN", "EUR"), ("840", "USD")]
PLACES += [("FR", "EUR"), ("de", "eur"), ("GB", "EUR")]
OFFERS = ["Premium", "Free-Tier", "Family Plan"]
MODELS = ["SubscriptionModel", "AdvertisementSupportedModel", "PayAsYouGoModel"]
USE_TYPES = ["OnDemandStream", "ContentInfluencedStream", "PermanentDownload", "ns::Own"]
REVENUES = ["700.00", "1234.565", "10", "6.93", "0", "0.00", "-3.50", "1e3", "99999999999.99", "5.", ".07"]
REVENUES += ["0.00000000000123", "123456.12345678901234567890"]
USAGES = st.sampled_from([1, 1, 2, 3, 7, 20, 100, 600, 0, -7, -1, 10**9, 3 * 10**12])
ISRCS = st.sampled_from(
    ["", "QZABC2600001", "GB-ABC-26-00002", "usabc2600003", "QZABC2600004|QZABC2600005", "12345", "12345|QZABC2600006"]
)
ISWCS = st.sampled_from(["", "", "T0345246801", "#unknown#"])
ICPNS = st.sampled_from(["", "4006381333931"])
SUMMARY_IDS = ("1", "2", "S 3", "SY1")
COMMENTS = ["#SY01.03\tSummaryRecordId", "#", "# FOOT\t1", "", "\t\t\t", " "]


# Other views of the revenue of a context, and records that sender and recipient agreed upon.
OTHER_SUMMARIES = st.sampled_from(
    [*[()] * 6, (("SY05.04", "1", "", "", "SubscriptionModel", "", "GB"),), (("DE01", "1", "7.5"),), (("XX01", "9"),)]
)
# Records of a block that have no usages.
OTHERS = st.sampled_from([*[()] * 9, (("DE02", "B", "1"),), (("XX02.01", "1", "2"),), (("ST01", "", "1", "3"),)])


class Style(NamedTuple):
    """The habits of a sender, who writes all lines of a message in one way."""

    manner: dict[str, str]
    # After the last cell that is not blank: all cells of the type, as many as a spreadsheet, none.
    cells: str
    number: str
    line_end: str
    has_last_line_end: bool
    has_bom: bool


@st.composite
def messages(draw: Any) -> list[bytes]:
    """The files of a message without errors: one, or up to three."""
    version = draw(st.sampled_from(VERSIONS))
    style = draw(STYLES)
    is_single_record = "SR01" in version.types and draw(st.integers(0, 3)) == 0
    count = draw(st.integers(1, 4))
    contexts = draw(_contexts(version, count))
    sums = [0] * count
    if is_single_record:
        bodies = [draw(_single_records(version, style, sums))]
    else:
        file_count = draw(st.sampled_from([1, 1, 1, 2, 3]))
        bodies = [draw(_blocks(version, style, sums, str(number))) for number in range(file_count)]
    summaries = [draw(_declared(version, style, context, sums[at])) for at, context in enumerate(contexts)]
    summaries = [one for cells in summaries for one in (cells, *draw(OTHER_SUMMARIES))]
    start, end = draw(st.sampled_from([("2020-01-01", "2020-01-31"), ("2020-01", "2020-01"), ("20200101", "2020-01")]))
    dsrf = "dsrf/30" if version.number == "1.0" else "dsrf/1.1/1.4.1/1.3"
    profile = (
        "BasicAudioProfileSRB"
        if is_single_record
        else draw(st.sampled_from(["BasicAudioProfile", "Basic audio Profile"]))
    )
    foot = ("SRFO", "", "") if is_single_record else ("FOOT", "", "", "", "", "")
    files = []
    for number, body in enumerate(bodies, start=1):
        first = head(c2=dsrf, c3=profile, c4=version.number, c7=f"{number}", c8=f"{len(bodies)}", c9=start, c10=end)
        files.append(draw(_file(style, [first, *summaries, *body, foot])))
    return files


HABITS = {
    "number": st.sampled_from(["{}", "{}", "{}.", "{}.0", " {} "]),
    "line_end": st.sampled_from(["\n", "\r\n"]),
    "has_last_line_end": st.booleans(),
    "has_bom": st.booleans(),
}
# An escaped tab and missing cells at the end of a line: nothing says whether the backslash is the end of a text.
WITHOUT_TABS = [manner | {"\t": " "} for manner in MANNERS]
STYLES = st.one_of(
    st.builds(Style, manner=st.sampled_from(MANNERS), cells=st.sampled_from(["all", "padded"]), **HABITS),
    st.builds(Style, manner=st.sampled_from(WITHOUT_TABS), cells=st.just("cut"), **HABITS),
    # Without escapes, only the number of cells says that a backslash before a tab is the end of a text.
    st.builds(Style, manner=st.just(NO_ESCAPES), cells=st.just("all"), **HABITS),
)


@st.composite
def _contexts(draw: Any, version: Version, count: int) -> list[dict[str, str]]:
    places = draw(st.permutations(PLACES))[:count]
    families = [family for family in version.types if family.startswith("SY")]
    return [
        {
            "family": draw(st.sampled_from(families)),
            "id": summary_id,
            "channel": draw(st.sampled_from(["", "", "Tonbank Shop"])),
            "model": draw(st.sampled_from(MODELS)),
            "use_type": draw(st.sampled_from(["", "OnDemandStream", "Own"])),
            "territory": territory,
            "currency": currency,
            "offer": draw(st.sampled_from(["", *OFFERS])),
            "subscribers": draw(st.sampled_from(["", "7000", "52000.5"])),
            "subscriber_type": draw(st.sampled_from(["", "Student"])),
        }
        for summary_id, (territory, currency) in zip(SUMMARY_IDS, places, strict=False)
    ]


@st.composite
def _declared(draw: Any, version: Version, style: Style, context: dict[str, str], found: int) -> Record:
    """A summary that declares as many usages as were found, or more, fewer or none."""
    declared = draw(
        st.sampled_from(
            [found, found, found + 1000, 3 * abs(found) + 1, max(found - 1, 1), 0, "", "#unknown#", "700.5"]
        )
    )
    usages = declared if isinstance(declared, str) else style.number.format(declared)
    revenue = draw(st.sampled_from([*REVENUES, *REVENUES, "", "#unknown#"]))
    kind, width = version.types[context["family"]]
    cells = {"c2": context["id"], "c3": context["channel"], "c5": context["model"], "c6": context["use_type"]}
    cells |= {"c7": context["territory"], "c8": context["offer"], "c10": context["subscribers"]}
    if context["family"] == "SY04":
        cells |= {"c9": context["subscriber_type"], "c14": usages, "c15": context["currency"], "c19": revenue}
    else:
        cells |= {"c9": usages, "c11": context["currency"], "c12": revenue}
        if width == 23:
            cells["c23"] = context["subscriber_type"]
    return record(kind, **cells | {f"c{width}": cells.get(f"c{width}", "")})


@st.composite
def _blocks(draw: Any, version: Version, style: Style, sums: list[int], prefix: str) -> list[Record]:
    records: list[Record] = []
    for number in range(draw(st.integers(0, 4))):
        name = draw(st.sampled_from([f"B{prefix}{number}", f"{prefix}-{number}-x"]))
        records += draw(_block(version, style, sums, name))
    return records


class _Cells:
    """Makes records of a version with all of their cells."""

    def __init__(self, version: Version, **common: str) -> None:
        self.types, self.common = version.types, common

    def __call__(self, family: str, **cells: str) -> Record:
        kind, width = self.types[family]
        known = {name: text for name, text in (self.common | cells).items() if int(name[1:]) <= width}
        return record(kind, **known | {f"c{width}": known.get(f"c{width}", "")})


@st.composite
def _block(draw: Any, version: Version, style: Style, sums: list[int], block: str) -> list[Record]:
    full = _Cells(version, c2=block)
    resources = [str(number) for number in range(1, draw(st.integers(1, 3)) + 1)]
    records: list[Record] = draw(_release(style, full))
    releases = ["R"] * len(records)
    for reference in resources:
        records += draw(_resource(style, full, reference, resources[0]))
    for number in range(draw(st.integers(0, 2))):
        used = draw(st.lists(st.sampled_from(resources), unique=True, min_size=1))
        releases.append(f"S{number}")
        records.append(full("RE02", c3=f"S{number}", c4=f"sub-{number}", c6="|".join(used)))
    for _ in range(draw(st.integers(1, 5))):
        records.append(draw(_block_sale(style, sums, full, resources, releases)))
        records += [(kind, block, *others) for kind, _, *others in draw(OTHERS)]
    return records


@st.composite
def _release(draw: Any, style: Style, full: _Cells) -> list[Record]:
    """One release, or none."""
    if draw(st.booleans()):
        return []
    text = _text(style)
    ids = {"c3": "R", "c4": f"rel-{draw(st.integers(1, 3))}", "c7": draw(ICPNS)}
    return [full("RE01", **ids, c8=draw(text), c10=draw(text), c13=draw(text))]


@st.composite
def _resource(draw: Any, style: Style, full: _Cells, reference: str, first: str) -> list[Record]:
    """A recording, perhaps with a work, which may name another one as its recording."""
    family, text = draw(st.sampled_from(["AS01", "AS02"])), _text(style)
    cells = {"c3": reference, "c4": f"trk-{draw(st.integers(1, 5))}", "c5": draw(ISRCS), "c11": "SoundRecording"}
    cells |= {"c6": draw(text), "c8": draw(text)}
    if family == "AS02":
        cells |= {"c12": draw(ISWCS), "c13": draw(_names(style))}
    records = [full(family, **cells)]
    if draw(st.integers(0, 2)) == 0:
        named = draw(st.sampled_from(["", reference, first]))
        records.append(full("MW01", c3="wrk-1", c4=draw(ISWCS), c5="A work", c7=draw(_names(style)), c17=named))
    return records


@st.composite
def _block_sale(
    draw: Any, style: Style, sums: list[int], full: _Cells, resources: list[str], releases: list[str]
) -> Record:
    resource = draw(st.sampled_from(["", *resources] if releases else resources))
    release = draw(st.sampled_from(["", *releases] if resource else releases))
    sale = draw(_sale(style, sums))
    cells = {"c3": sale["summary"], "c4": sale["transaction"], "c5": release, "c6": resource, "c7": sale["bearing"]}
    if draw(st.integers(0, 2)) == 0:
        cells |= {"c8": "false", "c9": sale["usages"], "c10": sale["returns"], "c13": sale["use_type"]}
        return full("SU01", **cells)
    return full("SU02", **cells, c8=sale["usages"], c11=sale["use_type"])


@st.composite
def _single_records(draw: Any, version: Version, style: Style, sums: list[int]) -> list[Record]:
    return [draw(_single_record(style, sums, _Cells(version))) for _ in range(draw(st.integers(0, 6)))]


@st.composite
def _single_record(draw: Any, style: Style, sums: list[int], full: _Cells) -> Record:
    text, sale = _text(style), draw(_sale(style, sums))
    cells = {"c2": sale["summary"], "c3": f"trk-{draw(st.integers(1, 5))}", "c4": draw(ISRCS), "c24": draw(ICPNS)}
    cells |= {"c5": draw(text), "c7": draw(text), "c12": draw(ISWCS), "c13": draw(_names(style)), "c30": draw(text)}
    if draw(st.booleans()):
        cells |= {"c34": sale["transaction"], "c35": sale["bearing"], "c37": sale["usages"], "c38": sale["returns"]}
        return full("SR01", **cells, c43=sale["use_type"])
    cells |= {"c33": sale["transaction"], "c34": sale["bearing"], "c35": sale["usages"], "c38": sale["use_type"]}
    return full("SR02", **cells)


@st.composite
def _sale(draw: Any, style: Style, sums: list[int]) -> dict[str, str]:
    at = draw(st.integers(0, len(sums) - 1))
    usages = draw(USAGES)
    sums[at] += usages
    return {
        "summary": SUMMARY_IDS[at],
        "transaction": draw(st.sampled_from(["", "T1", "T2"])),
        "bearing": draw(st.sampled_from(["true", "true", "false", "TRUE", "False", "", "#unknown#"])),
        "usages": style.number.format(usages),
        "returns": draw(st.sampled_from(["", "0", "1", "3.0"])),
        "use_type": draw(st.sampled_from(["", *USE_TYPES])),
    }


def _text(style: Style) -> st.SearchStrategy[str]:
    return st.sampled_from([*(_escaped(style, text) for text in TEXTS), *BLANKS])


def _names(style: Style) -> st.SearchStrategy[str]:
    names = [_escaped(style, name) for name in ("A. Writer", "B. Writer", "C \\ Writer", "D | E", "", "#unknown#")]
    return st.lists(st.sampled_from(names), max_size=3).map("|".join)


def _escaped(style: Style, text: str) -> str:
    return "".join(style.manner.get(character, character) for character in text)


@st.composite
def _file(draw: Any, style: Style, records: Sequence[Record]) -> bytes:
    """The bytes of a file, with comments and blank lines between the records."""
    lines = []
    for cells in records:
        lines += draw(st.sampled_from([*[[]] * 6, *([comment] for comment in COMMENTS), COMMENTS]))
        lines.append("\t".join(_laid_out(style, cells)))
    text = style.line_end.join([*lines, ""] if style.has_last_line_end else lines)
    return (("\ufeff" if style.has_bom else "") + text).encode()


def _laid_out(style: Style, cells: Record) -> Iterable[str]:
    if style.cells == "padded":
        return (*cells, *[""] * (45 - len(cells)))
    if style.cells == "cut":
        # A spreadsheet drops blank cells at the end.
        needed = max(number for number, cell in enumerate(cells, start=1) if cell)
        return cells[:needed]
    return cells
