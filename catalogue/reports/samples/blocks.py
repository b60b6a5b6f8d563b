"""The blocks of sample messages: each is a recording with its release, its work and its sales lines."""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from catalogue.reports.samples import facts
from catalogue.reports.samples.contexts import SampleContext
from catalogue.reports.samples.lines import BLANK_ARTISTS, BLANK_ISRCS, DECIMAL_USAGES, OTHER_ISRCS, ranks, usages_at
from catalogue.reports.samples.messages import SampleMessage
from catalogue.reports.samples.recordings import Recording, recording
from catalogue.reports.samples.senders import UNKNOWN, VERSIONS

# Most blocks have few sales lines: the share of blocks with at least n lines falls as 1 / n squared.
FEWEST_LINES = 1.6
MEAN_LINES = 2.65
# Shares of the blocks.
WITH_RELEASE, TWO_ISRCS, TWO_ARTISTS_IN_ONE = 0.6, 0.01, 0.1
# Shares of the sales lines.
ADJUSTMENTS, WITHOUT_ROYALTY, RETURNS, WHOLE_RELEASES = 0.002, 0.01, 0.03, 0.05


class Slot(NamedTuple):
    """Where a sales line belongs: its context and its use type."""

    place: int
    context: SampleContext
    use_type: str


class Blocks:
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
        about = facts.bytes_of(found.dsp_id)
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
            icpn_7=facts.icpn(about),
            artist_8=sender.cell(found.artists.partition("|")[0]),
            title_10=sender.cell(facts.title(found)),
            type_12="Single",
            label_13=sender.cell(facts.LABELS[about[0] % len(facts.LABELS)]),
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
        title = sender.cell(facts.title(found))
        cells = (block, reference, found.dsp_id, isrc, title, "", artist, "", facts.duration(about))
        if not has_works:
            return sender.record(record_type, *cells, "SoundRecording")
        return sender.record(record_type, *cells, "SoundRecording", facts.iswc(about), facts.composers(about, names))

    def _work(self, block: str, reference: str, found: Recording, about: bytes) -> str:
        sender = self._sender
        parent = {"resource_17": reference} if sender.is_later else {}
        composers = facts.composers(about, found.artists.split("|"))
        title = sender.cell(facts.title(found).partition(" | ")[0].partition(" \\ ")[0])
        cells = (block, f"W{about.hex()[:8]}", facts.iswc(about), title, "", composers)
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
