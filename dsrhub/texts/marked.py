"""Sentences for people that can be said in several languages. Knows no Django, so that reports can be read without it.

`gettext_lazy` and `ngettext_lazy` mark them for `makemessages`, as Django's functions of these names do. `dsrhub.apps`
names the translations.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol, Self

Values = Mapping[str, object]


class Translations(Protocol):
    """Says templates and numbers in the active language."""

    def gettext(self, message: str, /) -> str: ...

    def ngettext(self, singular: str, plural: str, number: int, /) -> str: ...

    def grouped(self, number: int, /) -> str: ...


class _English:
    """The translations until `translations_use` is called: English."""

    def gettext(self, message: str, /) -> str:
        return message

    def ngettext(self, singular: str, plural: str, number: int, /) -> str:
        return singular if number == 1 else plural

    def grouped(self, number: int, /) -> str:
        return f"{number:,}"


_ENGLISH = _English()
_translations: Translations = _ENGLISH


def translations_use(translations: Translations) -> None:
    global _translations  # noqa: PLW0603 - the one thing that Django names to a module that does not know it
    _translations = translations


class Grouped(int):
    """A whole number in a sentence, with the thousands separators of its language: in English, `1,234`."""

    def __str__(self) -> str:
        return _ENGLISH.grouped(int(self))


class Text(str):
    """A sentence in English, which `translated` says in the active language.

    `text % values` fills in named placeholders. A value may be a Text or a Grouped too.
    """

    singular: str
    plural: str  # "" where no number decides
    number: int
    values: Values

    @classmethod
    def made(cls, singular: str, plural: str = "", number: int = 1, values: Values | None = None) -> Self:
        template = _ENGLISH.ngettext(singular, plural, number)
        text = cls(template % values if values else template)
        text.singular, text.plural, text.number, text.values = singular, plural, number, values or {}
        return text

    def __mod__(self, values: Any) -> Self:
        return self.made(self.singular, self.plural, self.number, values)

    def translated(self) -> str:
        template = (
            _translations.ngettext(self.singular, self.plural, self.number)
            if self.plural
            else _translations.gettext(self.singular)
        )
        return template % {name: translated(value) for name, value in self.values.items()} if self.values else template


def gettext_lazy(template: str) -> Text:
    """Mark a template, and make it a Text."""
    return Text.made(template)


def ngettext_lazy(singular: str, plural: str, number: int) -> Text:
    """Mark two templates, of which a number chooses one, and make them a Text."""
    return Text.made(singular, plural, number)


def joined(parts: Iterable[object], separator: str = ", ") -> Text:
    """Texts and names one after another, each in the active language."""
    values = {f"part{number}": part for number, part in enumerate(parts)}
    # It has no words, so no language has another template.
    return Text.made(separator.join(f"%({name})s" for name in values), values=values)


def quoted(value: object) -> str:
    """A value in quotes, as `repr` shows it; a Text stays one."""
    return Text.made("'%(text)s'", values={"text": value}) if isinstance(value, Text) else repr(value)


def translated(value: object) -> str:
    """A Text, a number or another value of a sentence in the active language."""
    if isinstance(value, Text):
        return value.translated()
    return _translations.grouped(value) if isinstance(value, Grouped) else str(value)


# --- Stored texts ----------------------------------------------------------------------------------------------


# A longer text, of which a column takes only the beginning, is stored in English alone.
LONGEST_STORED = 10_000


def text_json(text: str) -> dict[str, Any] | None:
    """What a Text is made of, to be stored beside its English; None for a very long one, and for a plain text."""
    return _json(text) if isinstance(text, Text) and len(text) <= LONGEST_STORED else None


def _json(text: Text) -> dict[str, Any]:
    values = {name: _value_json(value) for name, value in text.values.items()}
    return {"singular": text.singular, "plural": text.plural, "number": text.number, "values": values}


def _value_json(value: object) -> Any:
    if isinstance(value, Text):
        return _json(value)
    return {"grouped": int(value)} if isinstance(value, Grouped) else str(value)


def text_read(english: str, stored: dict[str, Any] | None, *, longest: int) -> str:
    """A stored text in the active language. It is as long as its column takes, as `english` is.

    It stays English if what is stored beside it is missing, or belongs to another text: workers of earlier releases
    change only the English.
    """
    text = None if stored is None else _text(stored)
    return english if text is None or text[:longest] != english else text.translated()[:longest]


def _text(stored: dict[str, Any]) -> Text:
    values = {name: _value(value) for name, value in stored["values"].items()}
    return Text.made(stored["singular"], stored["plural"], stored["number"], values)


def _value(stored: Any) -> object:
    if not isinstance(stored, dict):
        return stored
    return Grouped(stored["grouped"]) if "grouped" in stored else _text(stored)


# --- Texts that are stored in English alone ---------------------------------------------------------------------


def text_recognised(english: str, templates: Sequence[Text]) -> str:
    """The Text that a stored text was, by the first of the `templates` that fits, or else the stored text itself.

    Its values are recognised in the same way. The templates have named placeholders or none, and no plural.
    """
    for template in templates:
        if found := _pattern(template.singular).fullmatch(english):
            values = {name: text_recognised(value, templates) for name, value in found.groupdict().items()}
            return template % values if values else template
    return english


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """What fits a template. The odd parts of the split are the names of its placeholders."""
    parts = enumerate(re.split(r"%\((\w+)\)s", template))
    pattern = "".join(f"(?P<{part}>.+)" if place % 2 else re.escape(part) for place, part in parts)
    return re.compile(pattern, re.DOTALL)
