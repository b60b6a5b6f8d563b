"""Searches for words and ISRCs as people write them, and the index of words after an upgrade."""

import re
import unicodedata
from importlib import import_module
from io import StringIO
from itertools import chain

import psycopg2
import pytest
from django.core.management import call_command
from hypothesis import example, given, settings
from hypothesis import strategies as st

from catalogue.lines.scope import ALL
from catalogue.resources import words
from catalogue.resources.found import ResourceSearch
from catalogue.resources.selectors import TextKind, resource_count, resource_list, resource_page
from catalogue.resources.words import words_index_build
from dsrhub.database.statements import execute, rows_of
from tests.catalogue import recipes
from tests.catalogue.helpers import other_transaction
from tests.processes import database_url, new_database

pytestmark = pytest.mark.django_db


def nfc(text):
    return unicodedata.normalize("NFC", text)


def nfd(text):
    return unicodedata.normalize("NFD", text)


def found(text):
    search = ResourceSearch(words=text)
    rows = resource_list(search=search, after=None, limit=100)
    assert resource_count(search=search) == len(rows)
    return [resource.title for resource in rows]


# --- What is found -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "searches"),
    [
        ("Björk", ["bjork", "BJÖRK", nfd("björk"), "bjo"]),
        ("Cœur de pirate", ["coeur", "cœur", "CŒUR", "pirate COEUR"]),
        ("Chloé", ["chloe", "Chloë", nfd("CHLOÉ")]),
        (nfd("Chloé"), ["chloe", "chloé"]),
        ("Æther Øre", ["aether", "ore", "ÆTHER"]),
        ("Łódź đak Þór ħ", ["lodz", "ŁÓDŹ", "dak", "thor", "h"]),
        ("Straße", ["strasse", "STRASSE", "STRAẞE", "straß"]),
        ("İstanbul ışık", ["istanbul", "ISTANBUL", "isik", "IŞIK", "ışık"]),
        ("Việt Nam", ["viet", "VIỆT", nfd("Việt")]),
        ("Ξένος Ὀδυσσεύς", ["ξενος", "ΞΕΝΟΣ", "οδυσσευς", "ΟΔΥΣΣΕΎΣ"]),
        ("Ёлка Й", ["елка", "ЁЛКА", "ёл", "и"]),
        ("がっこう", ["が", nfd("が"), nfd("がっ")]),
        (nfd("がっこう"), ["が", "がっこう"]),
        ("한국 사람", ["한", nfd("한국"), "사람"]),
        (nfd("한국"), ["한국", "한"]),
        ("हिन्दी की", ["हिन्दी", "हि", "की"]),
        ("أغنية", ["أغنية", nfd("أغنية")]),
        ("שָׁלוֹם", ["שָׁלוֹם", nfd("שָׁלוֹם")]),
        ("ＬＯＶＥ／ﾊﾞﾝﾄﾞ", ["love", "バンド", "ｌｏｖｅ", "バ"]),
        ("AC/DC", ["ac/dc", "ac dc", "dc"]),
        ("Noël/Christmas", ["noel", "christmas", "Noël/Christmas", "noel/christmas"]),
        ("①Love ½step Song™", ["love", "step", "song", "song™", "①"]),
        ("Don’t “Stop”", ["don't", "don’t", "stop", "“stop”"]),
        ("so\u00adft\u200b", ["soft", "so\u00adft"]),
        ("<b>Rock</b> &amp; Roll", ["rock", "roll", "b"]),
        ("ʻOkina", ["ʻokina"]),
        ("x" * 2046, ["x" * 2046, "x" * 500]),
    ],
)
def test_case_accents_and_composition_do_not_matter(title, searches):
    recipes.resource.make(title=title, artists=None)
    recipes.resource.make(title="Something else", artists="Zzz")
    for text in searches:
        assert found(text) == [title], text


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("がっこう", "か"),
        ("はな", "ば"),
        ("한국", "하"),
        ("कि", "की"),
        ("Rock", "ock"),
        ("Rock", "rocks"),
        ("Bjork", "bjork bjoern"),
        ("word", "´"),
        ("word", "&"),
        ("word", "\u0301"),
        ("y" * 2047, "y" * 2047),
    ],
)
def test_what_differs_by_more_is_not_found(title, text):
    recipes.resource.make(title=title, artists=None)

    assert found(text) == []


def test_words_are_those_of_title_and_artists_together():
    recipes.resource.make(title="Jóga", artists="Björk|Ólafur Arnalds")
    recipes.resource.make(title=None, artists="OLAFUR")

    assert found("olaf joga") == ["Jóga"]
    assert found("ólafur") == ["Jóga", None]


def test_long_words_and_long_texts_do_not_stop_registering():
    # A word of more than 2,046 bytes, texts of more than a megabyte, and one without any word.
    for title in ("ß" * 2048, "long " + "word " * 300_000, " ".join(map(str, range(200_000))), " - " * 500_000):
        recipes.resource.make(title=title, artists="Ana " + "é" * 2000)

    def count(text):
        return resource_count(search=ResourceSearch(words=text))

    assert [count(text) for text in ("ana", "long", "e" * 2000)] == [4, 1, 4]


# --- Against a plain reference -----------------------------------------------------------------------------------

# Unicode data of PostgreSQL 15 and newer, and of Python 3.11 and newer, agree on these.
letters = st.characters(
    codec="utf-8",
    categories=["L", "M", "N", "P", "S", "Zs"],
    max_codepoint=0x2FFFF,
).filter(lambda letter: unicodedata.ucd_3_2_0.category(letter) != "Cn")
texts = st.text(letters | st.sampled_from("aeoAÉéßŒøŁ đð かがハ한 \u0301\u0308\u3099 /.-'&<ⅣΣσς"), max_size=12)


@given(text=texts, other=texts)
@settings(max_examples=80)
@example(text="①", other="Love")
@example(text="Ω\u0301", other="σ")
def test_a_text_finds_itself_in_every_form(text, other):
    """Each word finds a text with it, in any composition, and the title finds itself when it is folded again."""
    forms = [text, nfc(text), nfd(text), text.swapcase() if text.isascii() else text]
    for form in forms:
        ((is_found, has_words),) = rows_of(
            "SELECT catalogue_word_vector(%(title)s, %(other)s) @@ catalogue_word_query(%(form)s), "
            "cardinality(catalogue_words(%(form)s)) > 0",
            title=text,
            other=other,
            form=form,
        )
        assert bool(is_found) == has_words
    ((once, twice, composed),) = rows_of(
        "SELECT dsrhub_folded(%(text)s), dsrhub_folded(dsrhub_folded(%(text)s)), dsrhub_folded(%(nfd)s)",
        text=text,
        nfd=nfd(text),
    )
    assert once.split() == twice.split() == composed.split()


MARKS = re.compile("[\u0300-\u036f]")
MAPPED = {
    "ø": "o",
    "ł": "l",
    "đ": "d",
    "ð": "d",
    "ħ": "h",
    "ı": "i",
    "ŧ": "t",
    "ß": "ss",
    "æ": "ae",
    "œ": "oe",
    "þ": "th",
}


def test_all_letters_of_europe_are_folded_as_a_plain_reference_folds_them():
    """From ASCII to Cyrillic, Vietnamese and polytonic Greek, but for rare letters with a mapping of their own."""

    def folded(letter):
        base = MARKS.sub("", unicodedata.normalize("NFKD", letter)).lower().replace("ς", "σ")
        return "".join(MAPPED.get(one, one) for one in base)

    rare = set("ŋŊəƏɛƐɔƆɓƁɗƊƙƘɨƗ")
    blocks = [range(0x20, 0x250), range(0x391, 0x3CF), range(0x400, 0x460), range(0x1E00, 0x2000)]
    letters_of_blocks = (letter for letter in map(chr, chain(*blocks)) if unicodedata.category(letter) in {"Ll", "Lu"})
    all_letters = [letter for letter in letters_of_blocks if letter not in rare]
    assert len(all_letters) > 900
    ((found_forms,),) = rows_of(
        "SELECT array_agg(dsrhub_folded(letter) ORDER BY number) "
        "FROM unnest(%(letters)s::text[]) WITH ORDINALITY AS all_letters (letter, number)",
        letters=all_letters,
    )
    wrong = [
        (letter, form, folded(letter))
        for letter, form in zip(all_letters, found_forms, strict=True)
        if form != folded(letter)
    ]
    assert wrong == []


def test_every_shortcut_gives_what_the_whole_way_gives():
    """A letter that needs the whole way, beside the text, changes nothing of how the text is folded."""
    for text in ("ABC", "Noël", "Poème çà", "Żółw", "愛の歌", "ЖУК", "Ｆｕｌｌ", nfd("Noël")):
        ((alone, beside),) = rows_of(
            "SELECT dsrhub_folded(%(text)s), dsrhub_folded('æ ' || %(text)s || ' Ж')", text=text
        )
        assert beside == f"ae {alone} ж"


def test_no_character_has_a_longer_word_than_the_limit_of_short_texts_expects():
    # Ideographs and Hangul stay as they are.
    blocks = [range(1, 0x3400), range(0xF900, 0x20000), range(0x2F800, 0x2FA20)]
    rows = rows_of(
        "SELECT letter FROM unnest(%(letters)s::text[]) AS letter WHERE 6 * octet_length(letter) < "
        "(SELECT max(octet_length(word)) FROM unnest(catalogue_words(letter)) AS word)",
        letters=list(map(chr, chain(*blocks))),
    )
    assert rows == []


def test_punctuation_separates_words_and_letters_do_not():
    ((others,),) = rows_of(
        "SELECT array_agg(sign) FROM unnest(%(signs)s::text[]) AS sign "
        "WHERE catalogue_words('a' || sign || 'b') <> '{a,b}'",
        signs=list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~¡¿«»“”‘’–—…·・、。「」／♥★🎵€© \u00a0\u3000\t\u0085\u2028"),
    )
    assert others is None
    ((torn,),) = rows_of(
        "SELECT array_agg(letter) FROM unnest(%(letters)s::text[]) AS letter "
        "WHERE cardinality(catalogue_words('a' || letter || 'b')) <> 1",
        letters=list("é0ßяωあア漢한אبक\u093fก\u0e34ー々Ⅳ"),
    )
    assert torn is None


# --- ISRCs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "ESABC2000001",
        "es-abc-20-00001",
        *(f"ES{dash}ABC{dash}20{dash}00001" for dash in "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d\u00ad"),
        *(f"es{space}abc{space}20{space}00001" for space in "\u00a0\u2009\u202f\u3000\u200b\ufeff\t"),
        "ISRC ES–ABC–20–00001",
        "isrc:\u00a0es‑abc‑20‑00001",
        "ＥＳ－ＡＢＣ－２０－００００１",
        " ESABC2000001\n",
    ],
)
def test_an_isrc_is_found_with_any_dash_and_space(text):
    recipes.resource.make(title="It", isrc="ESABC2000001")
    recipes.resource.make(title="Other", isrc="ESABC2000002")

    search = ResourceSearch(isrc=text)
    assert [one.title for one in resource_list(search=search, after=None, limit=9)] == ["It"]
    page = resource_page(text=text, kind=None, scope=ALL, after=None, limit=9)
    assert (page.kind, [one.title for one in page.resources]) == (TextKind.ISRC, ["It"])


def test_a_wrong_isrc_is_found_as_it_was_delivered():
    for isrc in ("ES–ABC–20–00001", "es_abc", "IS-RC", "ESABC200000100000001"):
        recipes.resource.make(title=isrc, isrc=isrc)
        found_ones = resource_list(search=ResourceSearch(isrc=isrc), after=None, limit=9)
        assert [one.title for one in found_ones] == [isrc]


# --- Upgrades ----------------------------------------------------------------------------------------------------

EARLIER_INDEX = """
DROP INDEX catalogue_resource_folded_words;
CREATE INDEX catalogue_resource_words ON catalogue_resource USING gin
    (to_tsvector('simple', coalesce(title, '') || ' ' || coalesce(artists, '')));
"""
INDEXES = "SELECT indexname FROM pg_indexes WHERE tablename = 'catalogue_resource' AND indexname ~ 'words' ORDER BY 1"


def migrate_again():
    execute(import_module("catalogue.migrations.0017_folded_words").INDEX_OF_EMPTY_TABLE)


def test_a_migration_leaves_the_index_of_a_table_with_rows_to_a_worker():
    execute(EARLIER_INDEX)
    recipes.resource.make(title="Björk AC/DC", artists="D'Arc")
    migrate_again()
    assert rows_of(INDEXES) == [("catalogue_resource_words",)]

    # Until then, a search finds what it found before.
    assert [found(text) for text in ("björk", "bjö", "ac/dc", "d'arc")] == [["Björk AC/DC"]] * 4
    assert found("bjork") == []
    recipes.resource.make(title="Bjørk")  # as a worker of the earlier version registers it
    call_command("refresh_catalogue", stdout=StringIO())

    assert rows_of(INDEXES) == [("catalogue_resource_folded_words",)]
    assert [found(text) for text in ("björk", "bjö", "ac/dc", "d'arc")] == [
        *[["Björk AC/DC", "Bjørk"]] * 2,
        *[["Björk AC/DC"]] * 2,
    ]
    assert found("bjork") == ["Björk AC/DC", "Bjørk"]
    words_index_build()  # has nothing to do
    assert rows_of(INDEXES) == [("catalogue_resource_folded_words",)]


def test_a_migration_makes_the_index_of_an_empty_table_at_once():
    execute(EARLIER_INDEX)
    migrate_again()

    assert rows_of(INDEXES) == [("catalogue_resource_folded_words",)]


@pytest.mark.django_db(transaction=True)
def test_while_people_search_the_earlier_index_is_left_to_a_later_run(monkeypatch):
    monkeypatch.setattr(words, "DROP_TRIES", 1)
    monkeypatch.setattr(words, "DROP_LOCK_TIMEOUT", "1ms")
    execute(EARLIER_INDEX)
    with other_transaction() as other:
        other.execute("SELECT count(*) FROM catalogue_resource")
        words_index_build()
        assert len(rows_of(INDEXES)) == 2
        assert found("nothing") == []
    call_command("worker", "--once", stdout=StringIO())

    assert rows_of(INDEXES) == [("catalogue_resource_folded_words",)]


# --- Other servers -----------------------------------------------------------------------------------------------


@pytest.fixture
def database_of_locale_c():
    """A database that knows no capitals and no letters but those of ASCII."""
    with new_database("locale_c", "template0 ENCODING 'UTF8' LOCALE 'C'") as name:
        database = psycopg2.connect(database_url(name))
        yield database
        database.close()


@pytest.mark.django_db(transaction=True)
def test_words_are_the_same_in_every_locale(database_of_locale_c):
    title = "ЖУК Ґанок “Ünïçødé” D’Arc ΟΔΟΣ ŒUVRE が 한국 हिन्दी ＬＯＶＥ／ﾊﾞ STRAẞE Ətraf"
    with database_of_locale_c.cursor() as cursor:
        cursor.execute(import_module("dsrhub.migrations.0004_folded").FUNCTION)
        cursor.execute(import_module("catalogue.migrations.0017_folded_words").FUNCTIONS)
        cursor.execute("SELECT lower('Ж'), catalogue_words(%s)", [title])
        ((capital, found_words),) = cursor.fetchall()
    assert capital == "Ж"
    expected = ["жук", "ґанок", "unicode", "d", "arc", "οδοσ", "oeuvre", "が", "한국", "हिन्दी"]
    expected += ["love", "バ", "strasse", "etraf"]
    assert found_words == expected
    assert rows_of("SELECT catalogue_words(%(title)s)", title=title) == [(expected,)]
