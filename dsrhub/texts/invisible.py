"""Characters that a person cannot see, or cannot tell from a space. Knows no Django."""

import re

# Spaces but the space itself, such as NBSP.
SPACES = "\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
# What Unicode calls default-ignorable, such as zero-width spaces, byte order marks and marks of writing direction, and
# the marks of annotations. U+2800 is a Braille pattern without dots.
IGNORABLE = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# With control characters from DEL on, and the separators of lines and paragraphs.
INVISIBLE_CHARACTERS = f"\x7f-\x9f\u2028\u2029{SPACES}{IGNORABLE}"
INVISIBLE = re.compile(f"[{INVISIBLE_CHARACTERS}]")
VISIBLE = re.compile(f"[^\0- {INVISIBLE_CHARACTERS}]")


def is_blank(text: str) -> bool:
    """Whether a person sees nothing in the text."""
    return VISIBLE.search(text) is None


def has_invisible(text: str) -> bool:
    """Whether the text looks like another one: invisible characters anywhere, or spaces before or behind it."""
    return INVISIBLE.search(text) is not None or text.startswith(" ") or text.endswith(" ")
