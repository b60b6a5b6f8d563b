"""Characters that a person cannot see, compared with the data of Unicode."""

import sys

import pytest

from dsrhub.texts.invisible import has_invisible, is_blank
from tests.invisible import looks_invisible


def test_every_character_is_invisible_as_unicode_says():
    characters = [chr(code) for code in range(0x21, sys.maxunicode + 1)]

    assert [one for one in characters if has_invisible(one) != looks_invisible(one)] == []
    assert [one for one in characters if is_blank(one) != looks_invisible(one)] == []


@pytest.mark.parametrize(
    ("text", "blank", "invisible"),
    [
        ("", True, False),
        (" ", True, True),
        ("\xa0", True, True),
        ("a", False, False),
        ("a b", False, False),
        (" a", False, True),
        ("a ", False, True),
        ("a\u200bb", False, True),
        ("\ufeffa", False, True),
        ("カ", False, False),
        ("❤\ufe0f", False, True),
    ],
)
def test_texts(text, blank, invisible):
    assert (is_blank(text), has_invisible(text)) == (blank, invisible)
