"""Sample messages in the flat-file format of DDEX, with the recordings of the other samples.

Each DSP sends them with habits of its own: the version of the profile, escapes, line ends, comments, and cells that are
left out or added. As for all samples, the same arguments give the same files on every machine. A block is generated and
written at a time.
"""

import gzip
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date, timedelta
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import BinaryIO, NamedTuple

from catalogue.reports.samples import (
    BLANK_ARTISTS,
    BLANK_ISRCS,
    DECIMAL_USAGES,
    MARKETS,
    MONTHS,
    OTHER_ISRCS,
    SERVICES,
    YEARS,
    Market,
    Recording,
    last_day,
    ranks,
    recording,
    usages_at,
)

# --- Who sends, and how ----------------------------------------------------------------------------------------


class Records(NamedTuple):
    """The record types of a version of the profile, each with the number of its cells."""

    basic_summary: tuple[str, int]
    ad_funded_summary: tuple[str, int]
    release: tuple[str, int]
    part: tuple[str, int]
    recording: tuple[str, int]
    recording_with_work: tuple[str, int]
    work: tuple[str, int]
    download: tuple[str, int]
    stream: tuple[str, int]


VERSIONS = {
    "1.1": Records(
        *(("SY01", 13), ("SY02.01", 18), ("RE01", 15), ("RE02", 6), ("AS01", 11), ("AS02.01", 21), ("MW01.01", 16)),
        *(("SU01", 12), ("SU02", 10)),
    ),
    "1.2": Records(
        *(("SY01.01", 15), ("SY02.02", 22), ("RE01", 15), ("RE02", 6), ("AS01.01", 12), ("AS02.02", 22)),
        *(("MW01.01", 16), ("SU01", 12), ("SU02", 10)),
    ),
    "1.3": Records(
        *(("SY01.02", 15), ("SY02.03", 22), ("RE01.02", 16), ("RE02", 6), ("AS01.02", 14), ("AS02.03", 24)),
        *(("MW01.02", 19), ("SU01.02", 13), ("SU02.02", 11)),
    ),
    "1.4": Records(
        *(("SY01.03", 18), ("SY02.04", 22), ("RE01.03", 17), ("RE02", 6), ("AS01.03", 15), ("AS02.04", 25)),
        *(("MW01.03", 19), ("SU01.03", 13), ("SU02.03", 12)),
    ),
}
# In these versions, a sales line may have a use type, usages may be decimal, and unknown artists are left blank.
LATER_VERSIONS = ("1.3", "1.4")
UNKNOWN = "#unknown#"


@dataclass(frozen=True)
class Sender:
    """A DSP and its habits."""

    dsp: str
    party_id: str
    version: str
    architecture: str
    line_end: str
    escaped_pipe: str
    escaped_backslash: str
    # Blank cells at the end of a record are dropped, or added up to a number of cells.
    drops_blank_cells: bool = False
    padded_to: int = 0
    # A comment before the first record of each type in a block.
    has_headings: bool = False
    # Whether works have records of their own.
    has_works: bool = True
    # Whether a sales line names a part of the release, which in turn names the recording.
    names_parts: bool = False
    # Whether block ids are counted up.
    counts_blocks: bool = True
    has_shop: bool = False
    revenue_decimals: int = 2

    @property
    def is_later(self) -> bool:
        return self.version in LATER_VERSIONS

    def cell(self, text: str) -> str:
        """A text as this sender escapes it."""
        if "|" in text or "\\" in text:
            return text.translate({ord("|"): self.escaped_pipe, ord("\\"): self.escaped_backslash})
        return text

    def record(self, kind: tuple[str, int], *cells: object, **later_cells: object) -> str:
        """A record with its line end. The names of `later_cells` end in their numbers, as in `label_13`."""
        name, length = kind
        row = [name, *map(str, cells)]
        for cell, value in later_cells.items():
            number = int(cell.rpartition("_")[2])
            row += [""] * (number - len(row))
            row[number - 1] = str(value)
        row += [""] * (max(length, self.padded_to) - len(row))
        text = "\t".join(row)
        return (text.rstrip("\t") if self.drops_blank_cells else text) + self.line_end


ONE_BACKSLASH, TWO_BACKSLASHES, THREE_BACKSLASHES = "\\", "\\\\", "\\\\\\"
SENDERS = (
    Sender(
        "Spotify",
        "PADPIDA0000000001S",
        version="1.2",
        architecture="1.1/1.2",
        line_end="\n",
        escaped_pipe=TWO_BACKSLASHES + "|",
        escaped_backslash=THREE_BACKSLASHES,
        has_headings=True,
        revenue_decimals=6,
    ),
    Sender(
        "Deezer",
        "PADPIDA0000000002D",
        version="1.4",
        architecture="1.3/1.4.1",
        line_end="\r\n",
        escaped_pipe=ONE_BACKSLASH + "|",
        escaped_backslash=THREE_BACKSLASHES,
        padded_to=26,
        revenue_decimals=4,
    ),
    Sender(
        "AmazonMusic",
        "PADPIDA0000000003A",
        version="1.1",
        architecture="1.0/1.1",
        line_end="\r\n",
        escaped_pipe=ONE_BACKSLASH + "|",
        escaped_backslash=TWO_BACKSLASHES,
        drops_blank_cells=True,
        has_works=False,
        has_shop=True,
    ),
    Sender(
        "YouTube",
        "PADPIDA0000000004Y",
        version="1.3",
        architecture="1.1/1.4.1",
        line_end="\n",
        escaped_pipe=TWO_BACKSLASHES + "|",
        escaped_backslash=THREE_BACKSLASHES,
        names_parts=True,
        revenue_decimals=12,
    ),
    Sender(
        "AppleMusic",
        "PADPIDA0000000005A",
        version="1.3",
        architecture="1.2/1.3",
        line_end="\n",
        escaped_pipe=ONE_BACKSLASH + "|",
        escaped_backslash=TWO_BACKSLASHES,
        drops_blank_cells=True,
        has_headings=True,
        has_shop=True,
    ),
    Sender(
        "Tidal",
        "PADPIDA0000000006T",
        version="1.4",
        architecture="1.4/1.4",
        line_end="\r\n",
        escaped_pipe=TWO_BACKSLASHES + "|",
        escaped_backslash=TWO_BACKSLASHES,
        padded_to=25,
        has_works=False,
        counts_blocks=False,
        revenue_decimals=8,
    ),
)
# The other samples in data/ are of the first two months: no context there is reported twice.
FIRST_MONTH = 2
MOST_MESSAGES = len(SENDERS) * (MONTHS - FIRST_MONTH)

# --- Sales contexts --------------------------------------------------------------------------------------------

STREAMS = ("OnDemandStream", "ConditionalDownload")
AD_FUNDED_STREAMS = ("NonInteractiveStream", "OnDemandStream")
DOWNLOADS = ("PermanentDownload",)
EUR_PER_DOWNLOAD = 0.69
# One context in this many has no sales.
WITHOUT_SALES = 7
# The share of the declared usages that the lines of a context have: all, or those of a repertoire.
REPERTOIRES = (1, 0.62, 0.35, 1, 0.08)


@dataclass(frozen=True)
class Sales:
    """An offer under a commercial model. Sales lines state one of the use types if the summary does not."""

    offer: str
    model: str
    use_types: Sequence[str]
    eur_per_usage: float

    @property
    def is_ad_funded(self) -> bool:
        return self.model == "AdvertisementSupportedModel"

    @property
    def is_shop(self) -> bool:
        return self.model == "PayAsYouGoModel"


@dataclass(frozen=True)
class SampleContext:
    summary_id: int
    sales: Sales
    market: Market
    has_sales: bool


def _sales_of(sender: Sender) -> list[Sales]:
    found = []
    for service in SERVICES:
        if service.dsp == sender.dsp:
            is_ad_funded = service.offer == "AdSupported"
            model = "AdvertisementSupportedModel" if is_ad_funded else "SubscriptionModel"
            found.append(
                Sales(service.offer, model, AD_FUNDED_STREAMS if is_ad_funded else STREAMS, service.eur_per_usage)
            )
    if sender.has_shop:
        found.append(Sales("Shop", "PayAsYouGoModel", DOWNLOADS, EUR_PER_DOWNLOAD))
    if sender.is_later:
        return found
    # Earlier versions have a context for each use type.
    places = max(len(sales.use_types) for sales in found)
    return [
        replace(sales, use_types=sales.use_types[place : place + 1])
        for place in range(places)
        for sales in found
        if place < len(sales.use_types)
    ]


def _contexts(sender: Sender, dsrs: int) -> list[SampleContext]:
    sales_of_sender = _sales_of(sender)
    contexts = []
    for number in range(dsrs):
        turn, place = divmod(number, len(sales_of_sender))
        partner, market = divmod(turn, len(MARKETS))
        sales = sales_of_sender[place]
        if partner:
            # Offers of a phone company or another partner.
            sales = replace(sales, offer=f"{sales.offer}-Partner{partner}")
        contexts.append(SampleContext(number + 1, sales, MARKETS[market], number % WITHOUT_SALES != WITHOUT_SALES - 1))
    return contexts


# --- Messages --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SampleMessage:
    """A message of a sender for a month. Its contexts are those of the first markets and offers."""

    number: int
    sender: Sender
    month: date
    contexts: Sequence[SampleContext]

    @property
    def message_id(self) -> str:
        return f"{self.sender.dsp}-{self.month:%Y%m}-{self.number:06}"

    @property
    def recipient(self) -> str:
        return self.contexts[0].market.society

    @property
    def created(self) -> str:
        return f"{last_day(self.month) + timedelta(days=12):%Y-%m-%dT08:30:00}"

    @property
    def service(self) -> str:
        offers = list(dict.fromkeys(context.sales.offer for context in self.contexts))
        return "-".join(offers) if len(offers) < len(SENDERS) else "all"

    def file_name(self, file: int, files: int) -> str:
        territories = {context.market.territory for context in self.contexts}
        territory = territories.pop() if len(territories) == 1 else "multi"
        created = self.created.replace("-", "").replace(":", "")
        return (
            f"DSR_{self.recipient}_{self.sender.dsp}_{self.service}_{self.month:%Y-%m}_{territory}"
            f"_{file}of{files}_{created}.tsv.gz"
        )


def message_list(messages: int, *, dsrs: int) -> list[SampleMessage]:
    """The first `messages` samples, of `dsrs` sales contexts each. No two have the same sender and month.

    Raises ValueError for fewer than one, and for more than MOST_MESSAGES.
    """
    if not 1 <= messages <= MOST_MESSAGES:
        raise ValueError(f"There are senders and months for 1 to {MOST_MESSAGES} messages, not for {messages}.")
    if dsrs < 1:
        raise ValueError("A message has at least 1 DSR.")
    found = []
    for number in range(messages):
        month, place = divmod(number, len(SENDERS))
        year, month_of_year = divmod(FIRST_MONTH + month, 12)
        sender = SENDERS[place]
        contexts = _contexts(sender, dsrs)
        found.append(SampleMessage(number + 1, sender, date(YEARS[year], month_of_year + 1, 1), contexts))
    return found


# --- Blocks ----------------------------------------------------------------------------------------------------

# Most blocks have few sales lines: the share of blocks with at least n lines falls as 1 / n squared.
FEWEST_LINES = 1.6
MEAN_LINES = 2.65
# Shares of the blocks.
WITH_RELEASE, TWO_ISRCS, TWO_ARTISTS_IN_ONE = 0.6, 0.01, 0.1
# Shares of the sales lines.
ADJUSTMENTS, WITHOUT_ROYALTY, RETURNS, WHOLE_RELEASES = 0.002, 0.01, 0.03, 0.05
# The titles of some versions, as senders of messages write them.
MESSAGE_TITLES = ((" - Live", " | Live"), (" - Remix", " \\ Remix"))
LABELS = ("Harbour Records", "Nordwind Musik", "Sello Azul", "Disques Lumière | Éclat", "North\\South", "Self-released")


class Slot(NamedTuple):
    """Where a sales line belongs: its context and its use type."""

    place: int
    context: SampleContext
    use_type: str


class _Blocks:
    """The blocks of a message. When they are all generated, `usages` has those of the lines of each context."""

    def __init__(self, message: SampleMessage, *, seed: int, lines: int, adjustments: float) -> None:
        self.usages = [0] * len(message.contexts)
        self._sender = message.sender
        self._records = VERSIONS[message.sender.version]
        self._catalogue = f"{seed} {message.sender.dsp}"
        self._random = Random(f"{seed} {message.message_id}").random  # noqa: S311 - nothing is kept secret by it
        self._slots = [
            Slot(place, context, use_type)
            for place, context in enumerate(message.contexts)
            if context.has_sales
            for use_type in context.sales.use_types
        ]
        self._lines = lines
        self._adjustments = adjustments
        most = min(MEAN_LINES, (len(self._slots) + 1) / 2)
        self.block_count = max(-(-lines // len(self._slots)), int(lines / most))
        self._line_number = 0

    def __iter__(self) -> Iterator[str]:
        left = self._lines
        # Of twice as many recordings as are used, so that messages of one DSP do not have all of them in common.
        places = ranks(self._random, lines=self.block_count, recordings=2 * self.block_count)
        for number, rank in enumerate(places, start=1):
            others = self.block_count - number
            line_count = int(FEWEST_LINES / (1 - self._random()) ** 0.5)
            line_count = max(line_count, left - others * len(self._slots), 1)
            line_count = min(line_count, left - others, len(self._slots))
            left -= line_count
            yield self._block(number, rank, line_count)

    def _block(self, number: int, rank: int, line_count: int) -> str:
        random, sender = self._random, self._sender
        found = recording(self._catalogue, rank)
        about = _about(found.dsp_id)
        block = str(number) if sender.counts_blocks else f"{about.hex()[:12]}-{number}"
        has_release = random() < WITH_RELEASE
        reference = f"A{number}"
        records = [self._recording(block, reference, found, about, has_works=not sender.has_works)]
        if has_release:
            records.insert(0, self._release(block, found, about))
        if sender.has_works:
            records.append(self._work(block, reference, found, about))
        names_part = has_release and sender.names_parts
        if names_part:
            records.append(sender.record(self._records.part, block, "R2", f"{found.dsp_id}-1", "", reference))
        start = int(random() * len(self._slots))
        for step in range(line_count):
            slot = self._slots[(start + step) % len(self._slots)]
            records.append(self._sale(block, "R2" if names_part else reference, rank, slot, has_release=has_release))
        return "".join(self._with_headings(records) if number == 1 and sender.has_headings else records)

    def _with_headings(self, records: list[str]) -> Iterator[str]:
        seen = set()
        for record in records:
            record_type = record.partition("\t")[0]
            if record_type not in seen:
                seen.add(record_type)
                yield f"#{record_type}\tblock\t...{self._sender.line_end}"
            yield record

    def _release(self, block: str, found: Recording, about: bytes) -> str:
        sender = self._sender
        return sender.record(
            *(self._records.release, block, "R1", f"rel-{found.dsp_id[:12]}", "", ""),
            icpn_7=_icpn(about),
            artist_8=sender.cell(found.artists.partition("|")[0]),
            title_10=sender.cell(_title(found)),
            type_12="Single",
            label_13=sender.cell(LABELS[about[0] % len(LABELS)]),
        )

    def _recording(self, block: str, reference: str, found: Recording, about: bytes, *, has_works: bool) -> str:
        random, sender, names = self._random, self._sender, found.artists.split("|")
        isrc = (found.isrc if random() >= OTHER_ISRCS else found.other_isrc) if random() >= BLANK_ISRCS else ""
        if isrc and random() < TWO_ISRCS and sender.version != "1.1":
            isrc = f"{found.isrc}|{found.other_isrc}"
        joint = "|" if random() < TWO_ARTISTS_IN_ONE else " feat. "
        unknown = "" if sender.is_later else UNKNOWN
        artist = sender.cell(joint.join(names)) if random() >= BLANK_ARTISTS else unknown
        record_type = self._records.recording_with_work if has_works else self._records.recording
        cells = (block, reference, found.dsp_id, isrc, sender.cell(_title(found)), "", artist, "", _duration(about))
        if not has_works:
            return sender.record(record_type, *cells, "SoundRecording")
        return sender.record(record_type, *cells, "SoundRecording", _iswc(about), _composers(about, names))

    def _work(self, block: str, reference: str, found: Recording, about: bytes) -> str:
        sender = self._sender
        parent = {"resource_17": reference} if sender.is_later else {}
        composers = _composers(about, found.artists.split("|"))
        title = sender.cell(_title(found).partition(" | ")[0].partition(" \\ ")[0])
        cells = (block, f"W{about.hex()[:8]}", _iswc(about), title, "", composers)
        return sender.record(self._records.work, *cells, **parent)

    def _sale(self, block: str, reference: str, rank: int, slot: Slot, *, has_release: bool) -> str:
        random, sender = self._random, self._sender
        sales, market = slot.context.sales, slot.context.market
        usages = usages_at(random, rank, usages_of_a_hit=market.usages_of_a_hit)
        if sales.is_shop:
            usages = 1 + usages // 500
        if random() < self._adjustments:
            usages = -1 - usages // 50
        self.usages[slot.place] += usages
        self._line_number += 1
        is_later_decimal = sender.is_later and random() < DECIMAL_USAGES
        number = f"{usages}.0" if is_later_decimal else f"{usages}"
        bearing = "false" if random() < WITHOUT_ROYALTY else "true"
        use_type = slot.use_type if sender.is_later else ""
        is_release = sales.is_shop and has_release and random() < WHOLE_RELEASES
        release = "R1" if is_release else reference if reference == "R2" else ""
        cells = (block, slot.context.summary_id, f"T{self._line_number:09}", release, "" if release else reference)
        if sales.is_shop:
            returns = 1 if usages > 1 and random() < RETURNS else 0
            cells_of_sale = (bearing, "false", number, returns)
            return sender.record(self._records.download, *cells, *cells_of_sale, "0.99", **_at(use_type, "type_13"))
        return sender.record(self._records.stream, *cells, bearing, number, **_at(use_type, "type_11"))


def _at(value: str, cell: str) -> dict[str, str]:
    return {cell: value} if value else {}


def _about(dsp_id: str) -> bytes:
    """Bytes that decide what only messages say of a recording."""
    return blake2b(dsp_id.encode(), digest_size=24).digest()


def _title(found: Recording) -> str:
    for version, in_messages in MESSAGE_TITLES:
        if found.title.endswith(version):
            return found.title.removesuffix(version) + in_messages
    return found.title


def _duration(about: bytes) -> str:
    return f"PT{2 + about[1] % 4}M{about[2] % 60}S"


def _iswc(about: bytes) -> str:
    """T, nine digits and their check digit, or blank for some works."""
    if about[3] % 5 == 0:
        return ""
    digits = f"{int.from_bytes(about[4:8]) % 10**9:09}"
    total = 1 + sum(place * int(digit) for place, digit in enumerate(digits, start=1))
    return f"T{digits}{-total % 10}"


def _icpn(about: bytes) -> str:
    """Twelve digits and their check digit, as in EAN-13."""
    digits = f"{int.from_bytes(about[8:14]) % 10**12:012}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


def _composers(about: bytes, artists: Sequence[str]) -> str:
    """The names of some of the artists."""
    return "|".join(artists[: 1 + about[14] % 2])


# --- Files -----------------------------------------------------------------------------------------------------


def messages_write(
    folder: Path, messages: Sequence[SampleMessage], *, seed: int, lines: int, files: int = 1
) -> Iterator[list[Path]]:
    """Write messages of `lines` sales lines each, in a number of files, one message at each step."""
    for message in messages:
        yield message_write(folder, message, seed=seed, lines=lines, files=files)


def message_write(
    folder: Path, message: SampleMessage, *, seed: int, lines: int, files: int = 1, adjustments: float = ADJUSTMENTS
) -> list[Path]:
    """Write a message. Raises ValueError if there are not enough lines for the files.

    `adjustments` is the share of lines with negative usages. The others are the same, whatever it is.
    """
    blocks = _Blocks(message, seed=seed, lines=lines, adjustments=adjustments)
    if not 1 <= files <= blocks.block_count:
        raise ValueError(f"A message of {blocks.block_count} blocks has 1 to {blocks.block_count} files, not {files}.")
    with ExitStack() as stack:
        # The summaries, which stand before the blocks, declare the usages of all of them.
        parts = [_Part(stack.enter_context(tempfile.TemporaryFile())) for _ in range(files)]
        for place, block in enumerate(blocks):
            parts[place * files // blocks.block_count].add(block)
        summaries = list(_summaries(message, blocks.usages, seed))
        paths = []
        for number, part in enumerate(parts, start=1):
            path = folder / message.file_name(number, files)
            with gzip.GzipFile(path, "wb", compresslevel=1, mtime=0) as file:
                file.write("".join([_head(message, number, files), *summaries]).encode())
                part.copy(file)
                file.write(_foot(message.sender, parts[:number], len(summaries)).encode())
            paths.append(path)
    return paths


class _Part:
    """The blocks of one file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.block_count = self.line_count = 0

    def add(self, block: str) -> None:
        self._file.write(block.encode())
        self.block_count += 1
        self.line_count += block.count("\n")

    def copy(self, target: gzip.GzipFile) -> None:
        self._file.seek(0)
        shutil.copyfileobj(self._file, target)


def _head(message: SampleMessage, number: int, files: int) -> str:
    sender = message.sender
    profile = ("BasicAudioProfile", sender.version, message.message_id, f"{message.created}Z", number, files)
    period = (message.month.isoformat(), last_day(message.month).isoformat())
    service = message.service if message.service != "all" else ""
    parties = (sender.party_id, sender.dsp, service, "", message.recipient)
    return sender.record(("HEAD", 16), f"dsrf/{sender.architecture}", *profile, *period, *parties)


def _summaries(message: SampleMessage, usages_of_lines: Sequence[int], seed: int) -> Iterator[str]:
    sender, records = message.sender, VERSIONS[message.sender.version]
    random = Random(f"{seed} {message.message_id} summaries").random  # noqa: S311 - as above
    for context, usages in zip(message.contexts, usages_of_lines, strict=True):
        sales, market = context.sales, context.market
        declared = max(int(usages / REPERTOIRES[context.summary_id % len(REPERTOIRES)]), 0)
        revenue = declared * sales.eur_per_usage * market.units_per_eur * (0.8 + 0.4 * random())
        kind = records.ad_funded_summary if sales.is_ad_funded else records.basic_summary
        use_type = "" if sender.is_later else sales.use_types[0]
        subscribers = "" if sales.is_shop else declared // 200
        what = (context.summary_id, sender.dsp, sender.party_id, sales.model, use_type, market.territory, sales.offer)
        amounts = (declared, subscribers, market.currency, f"{revenue:.{sender.revenue_decimals}f}")
        yield sender.record(kind, *what, *amounts)


def _foot(sender: Sender, parts: Sequence[_Part], summary_count: int) -> str:
    """The last record of the file of the last of these parts. It counts itself and the header, too."""
    around = summary_count + 2
    lines, blocks = [part.line_count + around for part in parts], [part.block_count for part in parts]
    return sender.record(("FOOT", 6), lines[-1], sum(lines), summary_count, blocks[-1], sum(blocks))
