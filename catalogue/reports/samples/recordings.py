"""The invented recordings of the samples."""

from hashlib import blake2b
from typing import NamedTuple


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
