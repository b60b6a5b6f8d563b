"""The media types of responses, and which one a client gets."""

from dsrhub.http.negotiation import ANYTHING, NAMED, acceptance

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
HTML = "text/html"


def response_type(accept: str) -> str:
    """GRAPHQL if the client names it and likes it as much as JSON, or does not accept JSON. JSON for all others.

    A client that accepts neither gets JSON instead of an error.
    """
    graphql, json = acceptance(accept, GRAPHQL), acceptance(accept, JSON)
    is_named = graphql.precedence >= NAMED
    return GRAPHQL if graphql.weight > json.weight or (is_named and graphql.weight == json.weight) else JSON


def prefers_page(accept: str) -> bool:
    """Whether a client is a browser: it names HTML, and likes no response of GraphQL better."""
    html = acceptance(accept, HTML)
    others = max(acceptance(accept, media_type).weight for media_type in (GRAPHQL, JSON))
    return html.precedence > ANYTHING and html.weight >= others
