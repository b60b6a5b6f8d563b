"""Connections of Relay whose cursors are keys: the deepest page costs what the first costs, and none shifts.

A cursor is the place of an object in the order of its list. It is opaque, and good for the list that it came from.
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

from dsrhub.exceptions import DsrhubError, InvalidArgument
from graphql_schema.arguments import LARGEST_ID, UNSTORABLE, checked
from graphql_schema.batches import together

DEFAULT_PAGE, LARGEST_PAGE = 20, 100
LARGEST_COUNT = 2**31 - 1

# A sum may have more digits than what is added up.
AMOUNT = re.compile(r"-?[0-9]{1,60}(\.[0-9]{1,100})?")

Key = tuple[Any, ...]


class InvalidCursor(DsrhubError):
    """What is no cursor, or one of another list."""

    code = "invalid_cursor"


@dataclass(frozen=True)
class Keyset:
    """A list that is read in pages. `kind` names its order, and `types` are those of the parts of a key.

    `rows(after, limit)` gives the next rows behind a key, `key(row)` the key of a row, and `count()` their number.
    """

    kind: str
    types: tuple[type, ...]
    rows: Callable[[Key | None, int], Sequence[Any]]
    key: Callable[[Any], Key]
    count: Callable[[], int]

    def cursor(self, row: Any) -> str:
        text = json.dumps([self.kind, *self.key(row)], default=_text, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode()

    def place(self, cursor: str) -> Key:
        """The key in a cursor. Raises InvalidCursor."""
        try:
            kind, *parts = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
            if kind == self.kind:
                return tuple(_part(one, part) for one, part in zip(self.types, parts, strict=True))
        except (ValueError, TypeError, RecursionError, binascii.Error):
            pass
        raise InvalidCursor("Not a cursor of this list.", argument="after")

    def page(self, first: int, after: str | None) -> "Page":
        """The first rows behind a cursor. One row more, where there is one, tells that another page follows."""
        place = None if after is None else self.place(after)
        rows = self.rows(place, first + 1)
        return Page(self, together(rows[:first]), has_previous=after is not None, has_next=len(rows) > first)


def keyset_of(rows: QuerySet[Any], *, descending: bool = False, **key: type) -> Keyset:
    """The rows of a table in the order of some columns, which an index has."""
    order = [f"-{column}" for column in key] if descending else list(key)
    # Rows are compared as a whole, so that the index leads straight to the place.
    columns = Func(*(F(column) for column in key), function="ROW", output_field=Field())
    is_behind = LessThan if descending else GreaterThan

    def behind(place: Key | None, limit: int) -> Sequence[Any]:
        values = Func(*(Value(part) for part in place or ()), function="ROW")
        of_page = rows if place is None else rows.filter(is_behind(columns, values))
        return list(of_page.order_by(*order)[:limit])

    kind = f"{rows.model.__name__} {' '.join(order)}"
    return Keyset(kind, tuple(key.values()), behind, lambda row: _key(row, key), rows.count)


def keyset_in_memory(kind: str, rows: Sequence[Any], **key: type) -> Keyset:
    """Rows that are there, and few, in the order of some attributes."""

    def behind(place: Key | None, limit: int) -> Sequence[Any]:
        ordered = sorted(rows, key=lambda row: _key(row, key))
        return [row for row in ordered if place is None or _key(row, key) > place][:limit]

    return Keyset(kind, tuple(key.values()), behind, lambda row: _key(row, key), lambda: len(rows))


def _key(row: Any, attributes: Iterable[str]) -> Key:
    return tuple(getattr(row, attribute) for attribute in attributes)


def _text(part: date | Decimal) -> str:
    return f"{part:f}" if isinstance(part, Decimal) else part.isoformat()


def _part(wanted: type, part: Any) -> Any:
    """A part of a key, which must be of its type: who makes up a cursor must not get further than a client."""
    if wanted is date:
        return date.fromisoformat(part)
    if wanted is Decimal and AMOUNT.fullmatch(part):
        return Decimal(part)
    is_storable = not UNSTORABLE.search(part) if isinstance(part, str) else -LARGEST_ID <= part <= LARGEST_ID
    if type(part) is wanted and is_storable:
        return part
    raise ValueError


@dataclass(frozen=True)
class Page:
    keyset: Keyset
    rows: Sequence[Any]
    has_previous: bool
    has_next: bool

    @property
    def edges(self) -> list[dict[str, Any]]:
        return [{"node": row, "cursor": self.keyset.cursor(row)} for row in self.rows]

    @property
    def page_info(self) -> dict[str, Any]:
        return {
            "has_next_page": self.has_next,
            "has_previous_page": self.has_previous,
            "start_cursor": self.keyset.cursor(self.rows[0]) if self.rows else None,
            "end_cursor": self.keyset.cursor(self.rows[-1]) if self.rows else None,
        }

    @property
    def total_count(self) -> int:
        return self.keyset.count()


class Connection(relay.Connection):
    class Meta:
        abstract = True

    total_count = graphene.Int(
        required=True, description="How many there are on all pages. It is counted only where it is asked for."
    )


@cache
def connection_of(node: Any) -> type[Connection]:
    """The type of a connection to objects of a type."""
    meta = {"node": node, "strict_types": True, "description": f"A page of a list of `{node}`."}
    return type(f"{node}Connection", (Connection,), {"Meta": type("Meta", (), meta)})


class KeysetField(graphene.Field):
    """A list in pages. Its resolver gives a Keyset."""

    def __init__(self, node: Any, **options: Any) -> None:
        super().__init__(
            lambda: graphene.NonNull(connection_of(node)),
            first=graphene.Int(default_value=DEFAULT_PAGE, description=f"How many at the most: 1 to {LARGEST_PAGE}."),
            after=graphene.String(description="The cursor behind which the page begins; without it, the first page."),
            **options,
        )

    def wrap_resolve(self, parent_resolver: Callable[..., Keyset]) -> Callable[..., Page]:
        resolver = super().wrap_resolve(parent_resolver)

        def resolve(
            root: Any, info: GraphQLResolveInfo, first: int | None, after: str | None = None, **arguments: Any
        ) -> Page:
            first = DEFAULT_PAGE if first is None else first
            if not 1 <= first <= LARGEST_PAGE:
                raise InvalidArgument(f"Not a number from 1 to {LARGEST_PAGE}: {first}.", argument="first")
            known = {name: checked(self.argument_name(name), value) for name, value in arguments.items()}
            keyset: Keyset = resolver(root, info, **known)
            return keyset.page(first, after)

        return resolve

    def argument_name(self, name: str) -> str:
        return str(self.args[name].name or to_camel_case(name))
