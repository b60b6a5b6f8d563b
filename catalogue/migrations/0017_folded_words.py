from unicodedata import ucd_3_2_0

from django.db import migrations


def character_class(code_points):
    """The code points as ranges of a regular expression of PostgreSQL."""
    ranges = []
    for code_point in code_points:
        if ranges and ranges[-1][1] == code_point - 1:
            ranges[-1][1] = code_point
        else:
            ranges.append([code_point, code_point])
    return "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in ranges)


# Control characters, punctuation, symbols and spaces, but for the space itself: to leave it takes a third of the time.
# Python has this version of Unicode for good, so the function is the same whichever Python makes it. Later versions have
# more symbols, in the blocks that follow.
SEPARATORS = character_class(
    code_point
    for code_point in range(1, 2**16)
    if (ucd_3_2_0.category(chr(code_point)) == "Cc" or ucd_3_2_0.category(chr(code_point))[0] in "PSZ")
    and chr(code_point) != " "
)
SEPARATORS += r"\u2010-\u205e\u20a0-\u20cf\u2190-\u245f\u2500-\u2775\u2794-\u2bff\u2e00-\u2e7f\U0001f000-\U0001fbff"

# A tsvector has no longer words, in bytes. A folded word is at most six times as long, so short texts have none.
LONGEST_WORD, SHORT_TEXT = 2046, 340
# The first characters of title and of artists are indexed, so that a tsvector of at most 1 MiB holds their words.
MOST_CHARACTERS = 20_000

FUNCTIONS = f"""
CREATE FUNCTION catalogue_words(value text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_remove(string_to_array(
    regexp_replace(dsrhub_folded(value) COLLATE "C", '[{SEPARATORS}]+', ' ', 'g'), ' '
), '');

CREATE FUNCTION catalogue_words_of_long_text(value text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT array_to_tsvector(coalesce(array_agg(word), '{{}}'))
    FROM unnest(catalogue_words(value)) AS word WHERE octet_length(word) <= {LONGEST_WORD}
);

CREATE FUNCTION catalogue_word_vector(title text, artists text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN coalesce(octet_length(title), 0) + coalesce(octet_length(artists), 0) < {SHORT_TEXT}
    THEN array_to_tsvector(catalogue_words(coalesce(title, '') || ' ' || coalesce(artists, '')))
    ELSE catalogue_words_of_long_text(
        coalesce(left(title, {MOST_CHARACTERS}), '') || ' ' || coalesce(left(artists, {MOST_CHARACTERS}), '')
    )
END;

CREATE FUNCTION catalogue_word_query(words text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT CASE WHEN bool_and(octet_length(word) <= {LONGEST_WORD})
        THEN string_agg('''' || word || ''':*', ' & ')::tsquery END
    FROM unnest(catalogue_words(words)) AS word
);
"""  # noqa: S608 - no value is in it
DROP_FUNCTIONS = """
DROP FUNCTION catalogue_word_query, catalogue_word_vector, catalogue_words_of_long_text, catalogue_words
"""

# A worker makes the index of a table with rows.
INDEX_OF_EMPTY_TABLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM catalogue_resource) THEN
        CREATE INDEX catalogue_resource_folded_words ON catalogue_resource
            USING gin (catalogue_word_vector(title, artists));
        DROP INDEX catalogue_resource_words;
    END IF;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0016_dsr_society_index"), ("dsrhub", "0004_folded")]

    operations = [
        migrations.RunSQL(FUNCTIONS, DROP_FUNCTIONS),
        migrations.RunSQL(INDEX_OF_EMPTY_TABLE, migrations.RunSQL.noop),
    ]
