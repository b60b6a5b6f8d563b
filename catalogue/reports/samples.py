"""Samples: DSRs of invented recordings, to try out dsrhub, for tests, and of any size for benchmarks.

The same arguments give the same files on every machine: only `random()` of Python's generator is used, whose sequence
never changes, and only float operations that IEEE 754 rounds exactly: `sqrt` is one of them, `**` is none. The content
of a file is generated line by line.
"""

import gzip
import io
import sys
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from itertools import count
from math import gcd, sqrt
from pathlib import Path
from random import Random
from typing import NamedTuple

from catalogue.reports.formats.tsv.reader import COLUMNS

# --- Who reports, and from where -------------------------------------------------------------------------------


class Service(NamedTuple):
    dsp: str
    offer: str
    names_society: bool
    eur_per_usage: float


class Market(NamedTuple):
    territory: str
    currency: str
    society: str
    units_per_eur: float
    usages_of_a_hit: int


SERVICES = (
    Service("Spotify", "FamilyPlan", False, 0.0031),
    Service("YouTube", "MusicPremium", True, 0.0052),
    Service("Spotify", "Duo", False, 0.0034),
    Service("Deezer", "Premium", False, 0.0056),
    Service("Spotify", "AdSupported", False, 0.0011),
    Service("YouTube", "AdSupported", True, 0.0006),
    Service("Spotify", "Student", False, 0.0024),
    Service("Deezer", "Family", False, 0.0043),
    Service("AppleMusic", "Individual", False, 0.0058),
    Service("AmazonMusic", "Unlimited", True, 0.0039),
    Service("Tidal", "HiFi", False, 0.0060),
)
# The ECB published rates of all these currencies throughout YEARS. `units_per_eur` is a rough exchange rate.
MARKETS = (
    Market("ES", "EUR", "SGAE", 1, 900_000),
    Market("NO", "NOK", "TONO", 11, 150_000),
    Market("GB", "GBP", "PRS", 0.86, 1_600_000),
    Market("US", "USD", "ASCAP", 1.1, 6_000_000),
    Market("JP", "JPY", "JASRAC", 140, 1_100_000),
    Market("CH", "CHF", "SUISA", 1, 180_000),
    Market("DE", "EUR", "GEMA", 1, 1_800_000),
    Market("FR", "EUR", "SACEM", 1, 1_300_000),
    Market("SE", "SEK", "STIM", 11, 260_000),
    Market("DK", "DKK", "KODA", 7.45, 140_000),
    Market("PL", "PLN", "ZAIKS", 4.5, 500_000),
    Market("BR", "BRL", "UBC", 5.8, 2_600_000),
    Market("IT", "EUR", "SIAE", 1, 1_000_000),
    Market("NL", "EUR", "BUMA", 1, 450_000),
    Market("CZ", "CZK", "OSA", 25, 130_000),
    Market("HU", "HUF", "ARTISJUS", 380, 110_000),
    Market("MX", "MXN", "SACM", 21, 2_200_000),
    Market("CA", "CAD", "SOCAN", 1.47, 800_000),
    Market("PT", "EUR", "SPA", 1, 120_000),
    Market("AU", "AUD", "APRA", 1.63, 600_000),
    Market("KR", "KRW", "KOMCA", 1400, 700_000),
    Market("TR", "TRY", "MESAM", 25, 900_000),
    Market("ZA", "ZAR", "SAMRO", 19, 170_000),
    Market("IN", "INR", "IPRS", 88, 2_000_000),
)
YEARS = range(2020, 2026)
MONTHS = 12 * len(YEARS)
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


def last_day(month: date) -> date:
    return month.replace(day=monthrange(month.year, month.month)[1])


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


# --- Recordings ------------------------------------------------------------------------------------------------


class Repertoire(NamedTuple):
    """The parts of titles, artists and ISRCs in one language."""

    countries: list[str]
    words: list[str]
    joints: list[str]
    artists: list[str]


def _repertoire(countries: str, words: str, joints: list[str], first_names: str, last_names: str) -> Repertoire:
    artists = [f"{first} {last}" for first in first_names.split() for last in last_names.split()]
    return Repertoire(countries.split(), words.split(), joints, artists)


ENGLISH = _repertoire(
    "US GB CA AU QM",
    "Angel Bridge Butterfly City Cloud Crystal Desert Diamond Dream Echo Fever Fire Freedom Garden Ghost Gold Heart "
    "Heaven Highway Honey Horizon Hurricane Island Light Love Lullaby Memory Midnight Mirror Moon Mountain Neon Night "
    "Ocean Paper Paradise Radio Rain River Road Rose Satellite Secret Shadow Silver Smoke Star Storm Stranger Sugar "
    "Summer Sunday Thunder Tiger Tomorrow Train Velvet Whisper Window Winter Wire Wolf Wonder Youth",
    [" ", " ", " of ", " & ", " in the "],
    "Alice Amber Arthur Billie Carl Chloe Dean Della Elliot Frank Grace Harry Hazel Iris Jack Jade June Kit Leo Lily "
    "Mabel Max Nina Oscar Pearl Quinn Rosa Ruby Sam Stella Theo Violet",
    "Archer Baker Bell Blake Brooks Carter Cole Cross Dawson Ellis Fox Gray Hart Hayes Hunt James King Lane Marsh "
    "Miles Monroe Nash Page Parker Reed Shaw Stone Vale Walker Wells West Young",
)
SPANISH = _repertoire(
    "ES MX AR CO",
    "Adiós Amor Ángel Año Café Calle Camino Canción Cielo Ciudad Corazón Estrella Fuego Jardín Lluvia Luna Mañana Mar "
    "Montaña Niña Noche Otoño Recuerdo Sombra Sueño Tango Verano Vida Viento",
    [" ", " de ", " y ", " sin "],
    "Álvaro Ana Begoña Carmen Inés Íñigo Joaquín José Lucía Manuel María Rocío Sofía Tomás",
    "Núñez Muñoz García Peña Ibáñez Moreno Vega Castaño Ríos León Romero Solís",
)
FRENCH = _repertoire(
    "FR BE CH",
    "Amour Automne Chanson Ciel Cœur Désir Éclat Été Étoile Forêt Fumée Île Jardin Lumière Mémoire Mer Neige Nuit "
    "Pluie Poème Rêve Soleil Vélo Vent",
    [" ", " et ", " sans "],
    "Amélie Benoît Chloé Élodie François Gaël Hélène Jérôme Léa Noé Zoé",
    "Beauséjour Besson Lefèvre Dubois Moreau Gauthier Hébert Lacroix Noël Prévost",
)
NORDIC = _repertoire(
    "NO SE DK",
    "Blå Drøm Fjord Høst Hjerte Lys Måne Natt Nordlys Regn Sjø Snø Sommer Stjerne Storm Tåke Vår Ønske Øy",
    [" ", " og ", " uten "],
    "Astrid Bjørn Eirik Håkon Ingrid Jørgen Kåre Liv Pål Sigrid Søren Åse",
    "Aasen Bø Dahl Fjørtoft Hagen Lie Moen Nygård Østby Solås Strøm Åsen",
)
JAPANESE = _repertoire(
    "JP",
    "愛 雨 海 歌 風 奇跡 恋 心 桜 空 月 東京 夏 涙 日本 花 光 星 街 道 夜 雪 夢 約束",
    ["の", "の", "と"],
    "佐藤 鈴木 高橋 田中 伊藤 渡辺 山本 中村 小林 加藤",
    "愛 葵 健 翔太 大輔 直樹 花 美咲 結衣 蓮",
)
# The hash of a recording selects one of these: a repertoire that stands here more often has more recordings.
REPERTOIRES = [ENGLISH] * 13 + [SPANISH] * 3 + [FRENCH] * 2 + [NORDIC, JAPANESE]
VERSIONS = [*[""] * 26, " - Live", " - Radio Edit", " - Remastered 2011", " (Acoustic)", " - Remix", " - Instrumental"]
ARTIST_COUNTS = [1] * 9 + [2] * 4 + [3, 3, 4]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# Tables that translate any bytes into letters and digits, and into capitals.
DSP_ID_BYTES = (LETTERS * 5)[:256].encode()
CAPITAL_BYTES = (LETTERS[:26] * 10)[:256].encode()


class Recording(NamedTuple):
    dsp_id: str
    title: str
    artists: str
    isrc: str
    other_isrc: str


def recording(catalogue: str, rank: int) -> Recording:
    """The recording at a rank in a catalogue (0 is the most popular). It is always the same."""
    # 64 even bytes, a few of which decide each thing.
    digest = blake2b(f"{catalogue} {rank}".encode()).digest()
    repertoire, word, joint, other_word, version, credit, country, year = digest[22:30]
    countries, words, joints, names = REPERTOIRES[repertoire % len(REPERTOIRES)]
    # Never one word twice, nor one artist.
    other_word = word + 1 + other_word % (len(words) - 1)
    title = words[word % len(words)] + joints[joint % len(joints)] + words[other_word % len(words)]
    artist, artist_count = int.from_bytes(digest[30:32]), ARTIST_COUNTS[credit % len(ARTIST_COUNTS)]
    artists = [names[number % len(names)] for number in range(artist, artist + 379 * artist_count, 379)]
    registrants = digest[32:38].translate(CAPITAL_BYTES).decode()
    prefix = countries[country % len(countries)]
    suffix = f"{(1976 + year % 50) % 100:02}{int.from_bytes(digest[38:40]):05}"
    return Recording(
        digest[:22].translate(DSP_ID_BYTES).decode(),
        title + VERSIONS[version % len(VERSIONS)],
        "|".join(artists),
        prefix + registrants[:3] + suffix,
        prefix + registrants[3:] + suffix,
    )


# --- Lines -----------------------------------------------------------------------------------------------------

# Shares of the lines with blank cells and other defects.
BLANK_TITLES, BLANK_ARTISTS, BLANK_ISRCS, BLANK_USAGES, BLANK_REVENUES = 0.045, 0.045, 0.04, 0.012, 0.02
OTHER_ISRCS = 0.03
DECIMAL_USAGES = 0.002
# The residue of adding and subtracting doubles where the result should be zero.
RESIDUES, RESIDUE = 0.001, sys.float_info.epsilon
# About this many recordings are hits; after them, usages fall.
HITS = 25


class Shape(NamedTuple):
    """Which recordings a DSR has, and how much they are used.

    A rank of the catalogue is drawn as `random ** draw`. The usages of a rank are proportional to 1 / `fall(rank)`.
    """

    name: str
    draw: int
    fall: Callable[[float], float]


def eleven_sixteenths(number: float) -> float:
    """`number` to the power of 1/2 + 1/8 + 1/16 = 0.6875. Square roots have the same bits on every machine."""
    half = sqrt(number)
    eighth = sqrt(sqrt(half))
    return half * eighth * sqrt(eighth)


# Revenue is concentrated in hits, as usages fall as 1 / rank.
CONCENTRATED = Shape("concentrated", 2, float)
# Revenue is spread: it takes far more recordings to reach a share of it. For benchmarks.
EVEN = Shape("even", 3, eleven_sixteenths)


def ranks(random: Callable[[], float], *, lines: int, recordings: int, shape: Shape = CONCENTRATED) -> Iterator[int]:
    """As many ranks as `lines`, each a different one of the first `recordings` (at least `lines`) of a catalogue.

    The ranks are divided into as many ranges as there are lines, from short to long, and each line takes one rank of
    its own range: so hits are in every DSR, and rarely used recordings are in few.
    """
    spare, draw, whole = recordings - lines, shape.draw, lines**shape.draw
    # Steps of about the golden section meet every stretch once, and spread the hits over the file.
    step = next(step for step in count(1 + int(lines * 0.618034)) if gcd(step, lines) == 1)
    stretch = int(random() * lines)
    for _ in range(lines):
        stretch = (stretch + step) % lines
        start = stretch + spare * stretch**draw // whole
        stop = stretch + 1 + spare * (stretch + 1) ** draw // whole
        yield start + int(random() * (stop - start))


def usages_at(random: Callable[[], float], rank: int, *, usages_of_a_hit: int, shape: Shape = CONCENTRATED) -> int:
    return 1 + int(usages_of_a_hit * shape.fall(HITS) / shape.fall(HITS + rank) / sqrt(1 - random()))


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
