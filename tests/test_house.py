"""SQL on certain objects of the database stays in the modules that are responsible for them."""

import re

import pytest
from django.conf import settings

APPLICATIONS = ("catalogue", "dsrhub", "graphql_schema", "subscriptions")
LOOKUPS = {"catalogue/lines/gathering.py", "catalogue/lines/lookups.py"}
# A text of SQL, and the modules, or the packages with a final slash, that may contain it.
RULES = {
    "the table of lines": (r"catalogue_usageline", {"catalogue/lines/"}),
    # In ranking/cached/cache.py, one statement finds a ranking and locks it for a reader.
    "advisory locks": (r"pg_(try_)?advisory", {"dsrhub/database/locks.py", "catalogue/ranking/cached/cache.py"}),
    "lookups by the index of dsp_id": (
        r"hashtextextended\((\w+\.)?dsp_id, 0\) = hash",
        {"catalogue/lines/gathering.py", "catalogue/lines/lookups.py"},
    ),
    "the partitions of lines": (r"\bpartition = ANY\(", {"catalogue/lines/gathering.py", "catalogue/lines/lookups.py"}),
}


def product_modules():
    """The text of each Python module of the product, by path. Migrations are left out."""
    paths = (path for name in APPLICATIONS for path in (settings.BASE_DIR / name).rglob("*.py"))
    return {
        path.relative_to(settings.BASE_DIR).as_posix(): path.read_text()
        for path in paths
        if "migrations" not in path.parts
    }


@pytest.mark.parametrize(("pattern", "places"), RULES.values(), ids=RULES)
def test_sql_on_an_object_is_only_in_the_modules_that_are_responsible_for_it(pattern, places):
    found = {path for path, text in product_modules().items() if re.search(pattern, text)}

    # If a place has no match, the rule no longer tests anything there.
    assert {place for place in places if any(path.startswith(place) for path in found)} == places
    assert [path for path in sorted(found) if not path.startswith(tuple(places))] == []
