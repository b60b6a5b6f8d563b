"""The files of sample messages, written a block at a time."""

import gzip
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import BinaryIO

from catalogue.reports.samples.blocks import ADJUSTMENTS, Blocks
from catalogue.reports.samples.contexts import REPERTOIRES
from catalogue.reports.samples.markets import last_day
from catalogue.reports.samples.messages import SampleMessage
from catalogue.reports.samples.senders import VERSIONS, Sender


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
    blocks = Blocks(message, seed=seed, lines=lines, adjustments=adjustments)
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
