"""How the REST endpoints read bodies of JSON."""

import json
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from dsrhub.texts.marked import gettext_lazy as _


class PropertyRepeated(ValueError):
    """An object of JSON has a property twice: either value could be meant."""


class StrictJSONParser(JSONParser):
    """Reads JSON as its standard defines it, to any depth that Python can. DRF's own parser fails on deeper values, and
    takes the last of two properties of one name.
    """

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            return json.loads(stream.read().decode(), object_pairs_hook=_object, parse_constant=_refuse_constant)
        except PropertyRepeated as error:
            text = _("The property %(name)s is there twice.") % {"name": str(error)}
            raise ParseError(text.translated(), code="property_repeated") from error
        except (ValueError, RecursionError) as error:
            raise ParseError((_("This is not JSON: %(error)s") % {"error": str(error)}).translated()) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    # No answer could name such a property. Raises UnicodeEncodeError, a ValueError.
    "".join(found).encode()
    if len(found) < len(pairs):
        names = [name for name, _value in pairs]
        raise PropertyRepeated(ascii(next(name for name in names if names.count(name) > 1))[:100])
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON.")
