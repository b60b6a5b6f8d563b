"""What a person does not see, by the categories and properties of Unicode: for comparison with the code."""

import unicodedata

# Format characters with a shape: Prepended_Concatenation_Mark, and the joiners of Egyptian hieroglyphs.
VISIBLE_FORMATS = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x13430, 0x13440)}
# Default_Ignorable_Code_Point beyond the format characters, and the Braille pattern without dots.
IGNORABLE = {
    *(0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2065, 0x3164, 0xFFA0, 0x2800),
    *range(0xFE00, 0xFE10),
    *range(0xFFF0, 0xFFF9),
    *range(0xE0000, 0xE1000),
}


def looks_invisible(character: str) -> bool:
    """Whether nobody sees the character, or takes it for a space. Spaces themselves, tabs and line ends are seen."""
    code = ord(character)
    if code <= 0x20 or code in VISIBLE_FORMATS:
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Zs", "Zl", "Zp") or code in IGNORABLE


def looks_blank(text: str) -> bool:
    return all(character in " \t\r\x1a" or looks_invisible(character) for character in text)
