"""Text searches that ignore case, accents and composition, by the SQL function of a migration."""

from typing import Any

from django.db.models import CharField, JSONField, Lookup, TextField


@CharField.register_lookup
@TextField.register_lookup
@JSONField.register_lookup
class ContainsFolded(Lookup):
    """Whether a text contains another one, both folded: see `docs/decisions/search.md`."""

    lookup_name = "contains_folded"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        text, text_parameters = self.process_lhs(compiler, connection)
        part, part_parameters = self.process_rhs(compiler, connection)
        return (
            f"strpos(dsrhub_folded(({text})::text), dsrhub_folded({part})) > 0",
            (*text_parameters, *part_parameters),
        )


def folded_search(field: str) -> str:
    """An item of an admin's `search_fields`, by folded texts unless its prefix asks for another search."""
    return field if field[0] in "^=@" else f"{field}__{ContainsFolded.lookup_name}"
