"""Sample reports: a TSV file for each DSR."""

import gzip
import io
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random

from catalogue.reports.formats.tsv.reader import COLUMNS
from catalogue.reports.samples.lines import (
    BLANK_ARTISTS,
    BLANK_ISRCS,
    BLANK_REVENUES,
    BLANK_TITLES,
    BLANK_USAGES,
    CONCENTRATED,
    DECIMAL_USAGES,
    OTHER_ISRCS,
    Shape,
    ranks,
    usages_at,
)
from catalogue.reports.samples.markets import MARKETS, MONTHS, SERVICES, YEARS, Market, Service, last_day
from catalogue.reports.samples.recordings import recording

# The first DSRs stay in this many markets before others follow, so that even a few DSRs share territories.
MARKETS_AT_ONCE = 6
DSRS_A_MONTH = 4
MOST_DSRS = len(SERVICES) * len(MARKETS) * MONTHS


@dataclass(frozen=True)
class Sample:
    """The service, market and month of one sample."""

    service: Service
    market: Market
    month: date

    @property
    def name(self) -> str:
        service, market, start = self.service, self.market, self.month
        society = f"_{market.society}" if service.names_society else ""
        return (
            f"{service.dsp}_{service.offer}{society}_{market.territory}_{market.currency}"
            f"_{start:%Y%m%d}-{last_day(start):%Y%m%d}.tsv.gz"
        )


def sample_list(dsrs: int) -> list[Sample]:
    """The first `dsrs` samples. No two have the same service, market and month.

    Raises ValueError for fewer than one, and for more than MOST_DSRS.
    """
    if not 1 <= dsrs <= MOST_DSRS:
        raise ValueError(f"There are services, markets and months for 1 to {MOST_DSRS} DSRs, not for {dsrs}.")
    return [_sample(number) for number in range(dsrs)]


def _sample(number: int) -> Sample:
    turn, pair = divmod(number, len(SERVICES) * len(MARKETS))
    group, place = divmod(pair, len(SERVICES) * MARKETS_AT_ONCE)
    # The two counts have no common divisor: every service meets every market of the group once.
    service = SERVICES[place % len(SERVICES)]
    market = MARKETS[group * MARKETS_AT_ONCE + place % MARKETS_AT_ONCE]
    # Each turn gives every pair of them a month later than the last one did.
    year, month = divmod((turn + pair // DSRS_A_MONTH) % MONTHS, 12)
    return Sample(service, market, date(YEARS[year], month + 1, 1))


# The residue of adding and subtracting doubles where the result should be zero.
RESIDUES, RESIDUE = 0.001, sys.float_info.epsilon


def sample_lines(
    sample: Sample, *, seed: int, lines: int, recordings: int, shape: Shape = CONCENTRATED
) -> Iterator[str]:
    """The lines of a DSR, each of a different recording: see `ranks`."""
    catalogue = f"{seed} {sample.service.dsp}"
    random = Random(f"{seed} {sample.name}").random  # noqa: S311 - nothing is kept secret by it
    usages_of_a_hit = sample.market.usages_of_a_hit
    revenue_per_usage = sample.service.eur_per_usage * sample.market.units_per_eur
    for rank in ranks(random, lines=lines, recordings=recordings, shape=shape):
        dsp_id, title, artists, isrc, other_isrc = recording(catalogue, rank)
        usages = usages_at(random, rank, usages_of_a_hit=usages_of_a_hit, shape=shape)
        revenue = usages * revenue_per_usage * (0.8 + 0.4 * random())
        cells = (
            dsp_id,
            title if random() >= BLANK_TITLES else "",
            artists if random() >= BLANK_ARTISTS else "",
            (isrc if random() >= OTHER_ISRCS else other_isrc) if random() >= BLANK_ISRCS else "",
            (f"{usages}" if random() >= DECIMAL_USAGES else f"{usages}.0") if random() >= BLANK_USAGES else "",
            f"{revenue if random() >= RESIDUES else RESIDUE}" if random() >= BLANK_REVENUES else "",
        )
        yield "\t".join(cells) + "\r\n"


def sample_write(
    folder: Path, sample: Sample, *, seed: int, lines: int, recordings: int, shape: Shape = CONCENTRATED
) -> Path:
    """Write a DSR. The gzip header has no time, so the same content gives the same file."""
    path = folder / sample.name
    with (
        gzip.GzipFile(path, "wb", compresslevel=1, mtime=0) as file,
        io.TextIOWrapper(file, "utf-8", newline="") as text,
    ):
        text.write("\t".join(COLUMNS) + "\r\n")
        text.writelines(sample_lines(sample, seed=seed, lines=lines, recordings=recordings, shape=shape))
    return path


def samples_write(
    folder: Path, samples: list[Sample], *, seed: int, lines: int, shape: Shape = CONCENTRATED
) -> Iterator[Path]:
    """Write DSRs of `lines` lines each, one at each step. The more DSRs a DSP has, the larger is its catalogue."""
    dsrs_of_dsp = Counter(sample.service.dsp for sample in samples)
    for sample in samples:
        recordings = lines * (2 + dsrs_of_dsp[sample.service.dsp] // 6)
        yield sample_write(folder, sample, seed=seed, lines=lines, recordings=recordings, shape=shape)
