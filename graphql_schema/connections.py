"""Relay connections with keyset pagination: every page costs the same, and inserted rows do not shift later pages.

A cursor holds the key of an object in the order of its list. It is opaque, and valid only for the list it came from.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import graphene
from django.db.models import F, Field, Func, QuerySet, Value
from django.db.models.lookups import GreaterThan, LessThan
from graphene import relay
from graphene.utils.str_converters import to_camel_case
from graphql import GraphQLResolveInfo

from dsrhub.database.pages import next_place
from dsrhub.exceptions import DsrhubError, InvalidArgument
from dsrhub.texts.marked import gettext_lazy as _
from graphql_schema.arguments import LARGEST_ID, UNSTORABLE, check_argument
from graphql_schema.batches import batched

DEFAULT_PAGE, LARGEST_PAGE = 20, 100

# A sum may have more digits than the amounts it adds up.
AMOUNT = re.compile(r"-?[0-9]{1,60}(\.[0-9]{1,100})?")

Key = tuple[Any, ...]


class InvalidCursor(DsrhubError):
    """A text that is not a cursor, or is a cursor of another list."""

    code = "invalid_cursor"


@dataclass(frozen=True)
class Keyset:
    """A list that is read in pages. `kind` names its order; `types` are the types of the parts of a key.

    `rows(after, limit)` returns the next rows after a key, `key(row)` the key of a row, and `count()` the number of
    rows in the whole list.
    """

    kind: str
    types: tuple[type, ...]
    rows: Callable[[Key | None, int], Sequence[Any]]
    key: Callable[[Any], Key]
    count: Callable[[], int]

    def cursor(self, key: Key) -> str:
        text = json.dumps([self.kind, *key], default=_key_part_text, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode()

    def parse_cursor(self, cursor: str) -> Key:
        """Return the key in a cursor. Raises InvalidCursor."""
        try:
            kind, *parts = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
            if kind == self.kind:
                return tuple(_parse_key_part(of_type, part) for of_type, part in zip(self.types, parts, strict=True))
        except (ValueError, TypeError, RecursionError, binascii.Error):
            pass
        raise InvalidCursor(_("Not a cursor of this list."), argument="after")

    def page(self, first: int, after: str | None) -> "Page":
        """Return the first rows after a cursor. One more row is read, to see whether another page follows.

        A page ends early where its texts are long, or where enough was searched for it.
        """
        key = None if after is None else self.parse_cursor(after)
        rows = self.rows(key, first + 1)
        following = next_place(rows, first, self.key)
        return Page(self, batched(rows[:first]), has_previous=after is not None, following=following)


def queryset_keyset(queryset: QuerySet[Any], *, descending: bool = False, **key: type) -> Keyset:
    """The rows of a queryset in the order of some columns, which must have an index."""
    order = [f"-{column}" for column in key] if descending else list(key)
    # A comparison of whole rows is a single range of the index.
    columns = Func(*(F(column) for column in key), function="ROW", output_field=Field())
    is_after = LessThan if descending else GreaterThan

    def rows(after: Key | None, limit: int) -> Sequence[Any]:
        values = Func(*(Value(part) for part in after or ()), function="ROW")
        following = queryset if after is None else queryset.filter(is_after(columns, values))
        return list(following.order_by(*order)[:limit])

    kind = f"{queryset.model.__name__} {' '.join(order)}"
    return Keyset(kind, tuple(key.values()), rows, lambda row: _key(row, key), queryset.count)


def memory_keyset(kind: str, all_rows: Sequence[Any], **key: type) -> Keyset:
    """A short list of rows in memory, in the order of some attributes."""

    def rows(after: Key | None, limit: int) -> Sequence[Any]:
        ordered = sorted(all_rows, key=lambda row: _key(row, key))
        return [row for row in ordered if after is None or _key(row, key) > after][:limit]

    return Keyset(kind, tuple(key.values()), rows, lambda row: _key(row, key), lambda: len(all_rows))


def _key(row: Any, attributes: Iterable[str]) -> Key:
    """The key of a row. A text that is missing is the first of all texts, as a blank one."""
    values = (getattr(row, attribute) for attribute in attributes)
    return tuple("" if value is None else value for value in values)


def _key_part_text(part: date | Decimal) -> str:
    return f"{part:f}" if isinstance(part, Decimal) else part.isoformat()


def _parse_key_part(of_type: type, part: Any) -> Any:
    """Return a part of a key. Raises ValueError unless it has its type: a client may send a forged cursor."""
    if of_type is date:
        return date.fromisoformat(part)
    if of_type is Decimal and AMOUNT.fullmatch(part):
        return Decimal(part)
    is_storable = not UNSTORABLE.search(part) if isinstance(part, str) else -LARGEST_ID - 1 <= part <= LARGEST_ID
    if type(part) is of_type and is_storable:
        return part
    raise ValueError


@dataclass(frozen=True)
class Page:
    """The rows of a page, and the key behind which the next page starts, if one follows."""

    keyset: Keyset
    rows: Sequence[Any]
    has_previous: bool
    following: Key | None

    @property
    def edges(self) -> list[dict[str, Any]]:
        return [{"node": row, "cursor": self._cursor(row)} for row in self.rows]

    @property
    def page_info(self) -> dict[str, Any]:
        last = self._cursor(self.rows[-1]) if self.rows else None
        return {
            "has_next_page": self.following is not None,
            "has_previous_page": self.has_previous,
            "start_cursor": self._cursor(self.rows[0]) if self.rows else None,
            "end_cursor": last if self.following is None else self.keyset.cursor(self.following),
        }

    def _cursor(self, row: Any) -> str:
        return self.keyset.cursor(self.keyset.key(row))

    @property
    def total_count(self) -> int:
        return self.keyset.count()


class Connection(relay.Connection):
    class Meta:
        abstract = True

    total_count = graphene.Int(
        required=True, description="The number of objects on all pages. It is counted only if this field is selected."
    )


@cache
def connection_type(node: Any) -> type[Connection]:
    """The type of a connection to objects of a type."""
    connection: type[Connection] = Connection.create_type(
        f"{node}Connection", node=node, strict_types=True, description=f"A page of a list of `{node}` objects."
    )
    return connection


class KeysetField(graphene.Field):
    """A paginated list. Its resolver returns a Keyset. Pass a `connection` that has more fields than others."""

    def __init__(self, node: Any, *, connection: type[Connection] | None = None, **options: Any) -> None:
        super().__init__(
            lambda: graphene.NonNull(connection or connection_type(node)),
            first=graphene.Int(default_value=DEFAULT_PAGE, description=f"The size of the page: 1 to {LARGEST_PAGE}."),
            after=graphene.String(description="The cursor after which the page starts. Without it, the first page."),
            **options,
        )

    def wrap_resolve(self, parent_resolver: Callable[..., Keyset]) -> Callable[..., Page]:
        resolver = super().wrap_resolve(parent_resolver)

        def resolve(
            root: Any, info: GraphQLResolveInfo, first: int | None, after: str | None = None, **arguments: Any
        ) -> Page:
            first = DEFAULT_PAGE if first is None else first
            if not 1 <= first <= LARGEST_PAGE:
                raise InvalidArgument(
                    _("Not a number from 1 to %(most)s: %(first)s.") % {"most": LARGEST_PAGE, "first": first},
                    argument="first",
                )
            checked = {name: check_argument(self.argument_name(name), value) for name, value in arguments.items()}
            keyset: Keyset = resolver(root, info, **checked)
            return keyset.page(first, after)

        return resolve

    def argument_name(self, name: str) -> str:
        return str(self.args[name].name or to_camel_case(name))
