"""The format of a response: what a client prefers, as RFC 9110 defines the header `Accept` and its weights."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.utils.http import parse_header_parameters
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

# A weight of RFC 9110: from 0 to 1, with at most three decimals.
WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
# A part of a list, up to a comma that stands outside of quotes.
LISTED = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
# How precisely a range names a media type: `*/*`, `text/*`, or the type itself.
ANYTHING, KIND, NAMED = 1, 2, 3


class Acceptance(NamedTuple):
    """How much a client wants a media type, from 0 to 1, and how precisely it names the type; 0 if it does not."""

    weight: float
    precedence: int


NOT_ACCEPTED = Acceptance(0.0, 0)


class Range(NamedTuple):
    """A media range that a client accepts, such as `text/*;q=0.5`."""

    name: str
    parameters: dict[str, str]
    weight: float

    def precedence(self, media_type: str) -> int:
        """How specifically the range describes a media type; 0 if the type is not in it.

        A range with parameters is a type of its own: the media types that dsrhub offers have none but the charset.
        """
        if self.parameters.items() <= {("charset", "utf-8")}:
            if self.name == media_type:
                return NAMED + len(self.parameters)
            if not self.parameters and self.name == media_type.partition("/")[0] + "/*":
                return KIND
            if not self.parameters and self.name == "*/*":
                return ANYTHING
        return 0

    def without_parameters(self) -> "Range":
        return self._replace(parameters={})


def preferred(accept: str, offered: Sequence[str]) -> str | None:
    """The media type that a client prefers of those offered, or None if the client accepts none of them.

    The most specific range that has a type gives its weight, and 0 excludes it. Of types with the same weight, the one
    that is named more specifically is preferred, then the first one. `offered` has media types without parameters, in
    lower case.

    If no range has one of the types, their parameters are ignored: `text/csv; header=present` is then `text/csv`.
    """
    ranges = list(listed(accept))
    return _preferred(ranges, offered) or _preferred([each.without_parameters() for each in ranges], offered)


def _preferred(ranges: Sequence[Range], offered: Sequence[str]) -> str | None:
    found = {media_type: _acceptance(media_type, ranges) for media_type in offered}
    # `max` returns the first one of several.
    best = max(offered, key=found.__getitem__)
    return best if found[best] > NOT_ACCEPTED else None


def acceptance(accept: str, media_type: str) -> Acceptance:
    """How much a client wants a media type. The most specific range that has the type decides, without parameters."""
    return _acceptance(media_type, [each.without_parameters() for each in listed(accept)])


def _acceptance(media_type: str, ranges: Sequence[Range]) -> Acceptance:
    matches = [(precedence, each.weight) for each in ranges if (precedence := each.precedence(media_type))]
    precedence, weight = max(matches, default=(0, 0.0))
    return Acceptance(weight, precedence) if weight else NOT_ACCEPTED


def listed(header: str) -> Iterable[Range]:
    """The parts of a header such as `Accept` or `Accept-Encoding`, with their weights."""
    for part in LISTED.findall(header):
        try:
            name, parameters = parse_header_parameters(part.strip().lower())
        except ValueError:  # A parameter has an unknown encoding.
            continue
        weight = parameters.pop("q", "1").strip()
        # What is not a weight is no preference.
        yield Range(name.strip(), parameters, float(weight) if WEIGHT.fullmatch(weight) else 1)


class OneFormat(DefaultContentNegotiation):
    """Answer in the only format of the view, and ignore the header `Accept` and the parameter `format`.

    A client that sends an unusual value there gets JSON rather than an error.
    """

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


class ByParameterOrHeader(DefaultContentNegotiation):
    """The format of the parameter `format`, or else the one that the header `Accept` prefers, or else the first one.

    A client that accepts none of the formats gets the first one instead of an error.
    """

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        by_type = {str(renderer.media_type): renderer for renderer in renderers}
        names = {renderer.format: media_type for media_type, renderer in by_type.items()}
        wanted = request.query_params.get("format")
        accept = request.headers.get("Accept", "")
        media_type = names.get(wanted) if wanted else preferred(accept, list(by_type))
        media_type = media_type or next(iter(by_type))
        return by_type[media_type], media_type
