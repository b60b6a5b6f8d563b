"""Characters that a person cannot see, or cannot tell from a space. Knows no Django."""

import re

# White space but the space itself, control characters from DEL on, and what Unicode calls default-ignorable, such as
# zero-width spaces, byte order marks and marks of writing direction. U+2800 is a Braille pattern without dots.
INVISIBLE_CHARACTERS = (
    "\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800"
    "\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
INVISIBLE = re.compile(f"[{INVISIBLE_CHARACTERS}]")
VISIBLE = re.compile(f"[^\0- {INVISIBLE_CHARACTERS}]")


def is_blank(text: str) -> bool:
    """Whether a person sees nothing in the text."""
    return VISIBLE.search(text) is None


def has_invisible(text: str) -> bool:
    """Whether the text looks like another one: invisible characters anywhere, or spaces before or behind it."""
    return INVISIBLE.search(text) is not None or text.startswith(" ") or text.endswith(" ")
