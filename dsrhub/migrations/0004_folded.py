from django.db import migrations

# Marks that letters of the Latin, Greek and Cyrillic scripts carry, and what nobody sees: joiners, selectors of variants
# and marks of direction. The marks of other scripts make other letters or vowels: those of kana, Hebrew, Arabic, Hindi.
IGNORED = (
    r"\u00ad\u0300-\u036f\u0483-\u0487\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff"
    r"\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\U000e0100-\U000e01ef"
)
# Symbols that stand for letters or digits, such as ①, ™ and ㈱. They do not become a part of the word beside them.
SYMBOLS = (
    r"\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u208e\u2100\u2101\u2103\u2105\u2106\u2109\u2116\u2120-\u2122\u213b\u2150-\u215f"
    r"\u2189\u2460-\u24ff\u3200-\u33ff\ufdfc\U0001f100-\U0001f2ff"
)
# Letters that Unicode does not decompose.
LETTERS = {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ŧ": "t", "ŋ": "n", "ə": "e", "ɛ": "e"}
LETTERS |= {"ɔ": "o", "ɓ": "b", "ɗ": "d", "ƙ": "k", "ɨ": "i", "ς": "σ"}
LIGATURES = {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
# The letters above, their capitals, and what has them after its decomposition.
WITH_THESE_LETTERS = (
    r"\u00c6\u00d0\u00d8\u00de\u00df\u00e6\u00f0\u00f8\u00fe\u0110\u0111\u0126\u0127\u0131\u0141\u0142\u014a\u014b"
    r"\u0152\u0153\u0166\u0167\u0181\u0186\u018a\u018f\u0190\u0197-\u0199\u01e2\u01e3\u01fc-\u01ff\u0253\u0254\u0257"
    r"\u0259\u025b\u0268\u03a3\u03c2\u03f2\u03f9\u1d2d\u1d4a\u1d4b\u1d51\u1d53\u1d9e\u1da4\u1e9e\u2094\u2107\u210f\ua7f8"
    r"\ua7f9\U00010783-\U000107a2\U0001d400-\U0001d7ff"
)
# ASCII, and the letters of Latin-1 that Unicode decomposes into ASCII and a mark.
PLAIN = r"\u0001-\u007f\u00c0-\u00c5\u00c7-\u00cf\u00d1-\u00d6\u00d9-\u00dd\u00e0-\u00e5\u00e7-\u00ef\u00f1-\u00f6\u00f9-\u00fd"
# A database whose locale is C knows only the capitals of ASCII.
CAPITALS = "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЂЄЅІЈЉЊЋЏҐØŁĐÐĦŦŊƏƐƆƁƊƘƗÆŒÞẞ"
SMALL = "αβγδεζηθικλμνξοπρστυφχψωабвгдежзийклмнопрстуфхцчшщъыьэюяђєѕіјљњћџґøłđðħŧŋəɛɔɓɗƙɨæœþß"


def stripped(text):
    return f"""regexp_replace(normalize({text}, NFKD) COLLATE "C", '[{IGNORED}]+', '', 'g')"""


STRIPPED = stripped(f"""regexp_replace(value COLLATE "C", '([{SYMBOLS}])', ' \\1 ', 'g')""")
IN_SMALL_LETTERS = f"""
CASE lower('Ж' COLLATE "default") WHEN 'ж' THEN lower(lower({STRIPPED} COLLATE "C") COLLATE "default") COLLATE "C"
    ELSE translate(lower({STRIPPED}), '{CAPITALS}', '{SMALL}') END
"""
MAPPED = f"translate({IN_SMALL_LETTERS}, '{''.join(LETTERS)}', '{''.join(LETTERS.values())}')"
for ligature, letters in LIGATURES.items():
    MAPPED = f"replace({MAPPED}, '{ligature}', '{letters}')"

# The last case is right for every text. The others give the same in a fraction of the time: most texts are of the first
# three. The body is parsed here, so no search_path changes it, and it is expanded where it is called: an index that calls
# it for each row would spend more time on calls than on most texts.
FUNCTION = f"""
CREATE FUNCTION dsrhub_folded(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN octet_length(value) = char_length(value) THEN lower(value COLLATE "C")
    WHEN value COLLATE "C" !~ '[^{PLAIN}]' THEN lower({stripped("value")})
    WHEN value COLLATE "C" !~ '[{WITH_THESE_LETTERS}]' THEN normalize({IN_SMALL_LETTERS}, NFC)
    ELSE normalize({MAPPED}, NFC)
END;
COMMENT ON FUNCTION dsrhub_folded IS 'A text without the differences of case, accents and composition: see docs/decisions/search.md.';
"""


class Migration(migrations.Migration):
    dependencies = [("dsrhub", "0003_api_tokens")]

    operations = [migrations.RunSQL(FUNCTION, "DROP FUNCTION dsrhub_folded")]
