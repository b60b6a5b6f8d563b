"""The start page of the admin. Each application adds its part to it when its admin is imported."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string


@dataclass(frozen=True, kw_only=True)
class StartPart:
    """What an application shows on the start page: a template, its context, and the stylesheets that it needs.

    A part that is not valid got bad input by the address, and says so.
    """

    template: str
    context: Mapping[str, Any]
    stylesheets: Sequence[str] = ()
    is_valid: bool = True


BuildPart = Callable[[HttpRequest], StartPart | None]
_builders: list[tuple[int, BuildPart]] = []


def start_part(order: int) -> Callable[[BuildPart], BuildPart]:
    """Add a function to those that build the start page. It returns None where the user may see nothing of its part.

    Parts of a lower order come first.
    """

    def added(build: BuildPart) -> BuildPart:
        _builders.append((order, build))
        return build

    return added


def start_page(request: HttpRequest) -> dict[str, Any]:
    """The context of the page: the parts that the user may see as HTML, and whether all input is valid."""
    built = [build(request) for _, build in sorted(_builders, key=itemgetter(0))]
    parts = [part for part in built if part is not None]
    return {
        "parts": [render_to_string(part.template, dict(part.context), request) for part in parts],
        "stylesheets": [name for part in parts for name in part.stylesheets],
        "is_valid": all(part.is_valid for part in parts),
    }
