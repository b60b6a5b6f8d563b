"""The types of the contract, DSRs and resources: their serializers, and faster ways to write long lists of them."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from json.encoder import encode_basestring

from rest_framework import serializers

from catalogue.api.fields import DayField, WithoutEmpty
from catalogue.dsrs.selectors import ListedDSR
from catalogue.models import DSR, Currency, Territory
from catalogue.ranking.cached.resources import Ranking
from dsrhub.api.fields import Int64Field


class TerritorySerializer(serializers.ModelSerializer[Territory]):
    class Meta:
        model = Territory
        fields = ["name", "code_2"]


class CurrencySerializer(serializers.ModelSerializer[Currency]):
    class Meta:
        model = Currency
        fields = ["name", "code"]


class DSRSerializer(serializers.ModelSerializer[DSR]):
    """A Digital Sales Report."""

    period_start = DayField()
    period_end = DayField()
    territory = TerritorySerializer()
    currency = CurrencySerializer()

    class Meta:
        model = DSR
        fields = ["id", "path", "period_start", "period_end", "status", "territory", "currency"]


def dsrs_rendered(dsrs: Iterable[ListedDSR]) -> bytes:
    """Return DSRs as a JSON array, byte for byte as DSRSerializer renders them.

    The serializer takes ten times as long, and the list of all DSRs may have thousands.
    """
    return _safe("[" + ",".join([_dsr_rendered(dsr) for dsr in dsrs]) + "]").encode()


def _dsr_rendered(dsr: ListedDSR) -> str:
    return (
        f'{{"id":{dsr.id},"path":{encode_basestring(dsr.path)},'
        f'"period_start":"{dsr.period_start}T00:00:00Z","period_end":"{dsr.period_end}T00:00:00Z",'
        f'"status":"{dsr.status}",'
        f'"territory":{{"name":{encode_basestring(dsr.territory)},"code_2":{encode_basestring(dsr.territory_code)}}},'
        f'"currency":{{"name":{encode_basestring(dsr.currency)},"code":{encode_basestring(dsr.currency_code)}}}}}'
    )


# Valid in JSON but not in JavaScript.
SCRIPT_BREAKS = {"\u2028": "\\u2028", "\u2029": "\\u2029"}


def _safe(json: str) -> str:
    """Escape what rest_framework escapes: see SCRIPT_BREAKS."""
    # Nearly no text has one, and to look for it takes a tenth of the time that `replace` does.
    for character, escaped in SCRIPT_BREAKS.items():
        if character in json:
            json = json.replace(character, escaped)
    return json


class ResourceSerializer(WithoutEmpty):
    """A sound recording with its sums over the counted DSRs. A property without a value is omitted."""

    dsp_id = serializers.CharField()
    title = serializers.CharField(required=False)
    artists = serializers.CharField(required=False, help_text="Pipe-separated.")
    isrc = serializers.CharField(required=False)
    usages = Int64Field(required=False)
    revenue = serializers.FloatField(required=False, help_text="In EUR.")
    dsrs = serializers.ListField(
        child=serializers.IntegerField(), required=False, help_text="Ids of the counted DSRs that report it."
    )


# The number of resources that are read and sent at a time, at most. The first piece is small, so that the first byte
# does not wait for many resources. An answer with no more resources than the first piece is sent whole.
FIRST_PIECE, PIECE = 500, 2_000


def resources_rendered(ranking: Ranking, *, exact: bool = False) -> Iterator[bytes]:
    """Yield the resources of a ranking as a JSON array in pieces, byte for byte as ResourceSerializer renders them.

    If `exact`, usages and revenue are text instead, without zeros at the end of decimals. The serializer takes ten
    times as long, which would dominate the largest answers.
    """
    if not ranking.count:
        yield b"[]"
    rank, before, limit = 0, "[", FIRST_PIECE
    while rank < ranking.count:
        # A piece has fewer resources where their texts are long.
        rows = ranking.select(RENDERED_EXACTLY if exact else RENDERED, after_rank=rank, limit=limit)
        if not rows:
            # A crash of the database empties rankings. An answer that breaks off is not taken for a complete one.
            raise LookupError(f"The rows of ranking {ranking.number} are gone.")
        rank += len(rows)
        after = "]" if rank == ranking.count else ""
        yield (before + _safe(",".join(_rendered(rows, exact=exact))) + after).encode()
        before, limit = ",", PIECE


# The start of the object of a resource. PostgreSQL escapes the same characters as encode_basestring, in the same way.
NAMED = """
'{{"dsp_id":' || to_json(dsp_id) || coalesce(',"title":' || to_json(title), '')
    || coalesce(',"artists":' || to_json(artists), '') || coalesce(',"isrc":' || to_json(isrc), '')
    || coalesce(',"usages":' || {usages}, '') || ',"revenue":'
"""
RENDERED = NAMED.format(usages="usages") + ", revenue::float8::text, dsrs::text"
QUOTED = "'\"' || {} || '\"'"
RENDERED_EXACTLY = (
    NAMED.format(usages=QUOTED.format("usages")) + f", {QUOTED.format('trim_scale(revenue)')}, dsrs::text"
)


def _rendered(rows: Iterable[Sequence[str]], *, exact: bool) -> list[str]:
    number = str if exact else _number
    return [f'{named}{number(revenue)},"dsrs":{_ascending(dsrs)}}}' for named, revenue, dsrs in rows]


def _number(double: str) -> str:
    """Return the text of a double in PostgreSQL as Python writes it: with all digits that tell it from other doubles.

    Python writes `5.0` where PostgreSQL writes `5`, and `1000000000000000.0` for `1e+15`. From there on, the digits can
    differ, too. All others, such as `0.7` and `1.5e-07`, are the same.
    """
    return double if "." in double and "e+" not in double else repr(float(double))


@lru_cache(maxsize=30_000)
def _ascending(ids: str) -> str:
    """Return a PostgreSQL array of ids as a sorted JSON array. Cached, as many resources are in the same DSRs."""
    return "[" + ",".join(sorted(ids[1:-1].split(","), key=int)) + "]"
