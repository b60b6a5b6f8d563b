"""The media types of responses, and which one a client gets (RFC 9110, section 12.5.1)."""

from typing import NamedTuple

from django.http.request import MediaType

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
HTML = "text/html"
# The specificity of a range that names the type.
NAMED = 2


class Acceptance(NamedTuple):
    """How much a client wants a media type: its quality from 0 to 1, and how precisely the client names the type.

    The specificity is 0 for `*/*`, 1 for `text/*` and NAMED for the type itself.
    """

    quality: float
    specificity: int


NOT_ACCEPTED = Acceptance(0, 0)


def acceptance(accept: str, media_type: str) -> Acceptance:
    """The most specific range of a header `Accept` decides. Only `q` counts among the parameters of a range."""
    wanted = MediaType(media_type)
    ranges = [MediaType(text) for text in accept.split(",")]
    matching = [
        Acceptance(one.quality, min(one.specificity, NAMED))
        for one in ranges
        if (one.main_type, one.sub_type) in {("*", "*"), (wanted.main_type, "*"), (wanted.main_type, wanted.sub_type)}
    ]
    return max(matching, key=lambda one: (one.specificity, one.quality), default=NOT_ACCEPTED)


def response_type(accept: str) -> str:
    """GRAPHQL if the client names it and likes it as much as JSON, or does not accept JSON. JSON for all others.

    A client that accepts neither gets JSON instead of an error.
    """
    graphql, json = acceptance(accept, GRAPHQL), acceptance(accept, JSON)
    is_named = graphql.specificity == NAMED and graphql.quality > 0
    return GRAPHQL if graphql.quality > json.quality or (is_named and graphql.quality == json.quality) else JSON


def prefers_page(accept: str) -> bool:
    """Whether a client is a browser: it names HTML, and likes no response of GraphQL better."""
    html = acceptance(accept, HTML)
    others = max(acceptance(accept, media_type).quality for media_type in (GRAPHQL, JSON))
    return html.specificity > 0 and html.quality > 0 and html.quality >= others
