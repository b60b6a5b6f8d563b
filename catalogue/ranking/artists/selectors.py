"""The artists with the most revenue, and how much of all revenue the first ones have."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils import timezone

from catalogue.lines.scope import ALL, IngestedDSR, Scope
from catalogue.models import KeptArtists
from catalogue.ranking.artists.sums import Credit, Totals, artists_rank
from catalogue.ranking.cached.cache import Question, execute_apart, found_or_built
from dsrhub.database import locks
from dsrhub.database.pages import converted, page_rows
from dsrhub.database.statements import execute, rows_of
from dsrhub.values.numbers import WIDE, ratio


class RankedArtist(NamedTuple):
    """An artist, with what is credited to it in the DSRs in scope. Amounts are exact; revenue is in EUR.

    Usages have up to 40 decimals where they are split. The shares are those of this artist and of all up to this one,
    in per cent of the revenue of all artists, rounded half-even to 12 decimals; None where it is zero or less.
    """

    rank: int
    artist: str
    recording_count: int
    usages: Decimal
    revenue_eur: Decimal
    revenue_percent: Decimal | None
    cumulative_percent: Decimal | None


@dataclass(frozen=True)
class ArtistRanking:
    """A cached ranking of artists: what is credited to all of them, and what lines without an artist have."""

    number: int
    totals: Totals

    @property
    def row_count(self) -> int:
        return self.totals.artist_count

    @property
    def top_percent(self) -> Decimal | None:
        """The share of the first ten, in per cent of the revenue of all artists, to 12 decimals."""
        return self._share(self.totals.top_revenue)

    @property
    def hhi(self) -> Decimal | None:
        """The Herfindahl-Hirschman index: the sum of the squares of all shares in per cent, to 12 decimals.

        10,000 where one artist has everything; more only where others have negative revenue.
        """
        revenue = self.totals.revenue
        return ratio(self.totals.squares, WIDE.multiply(revenue, revenue), times=10_000) if revenue > 0 else None

    def rows(self, *, after_rank: int = 0, limit: int) -> list[RankedArtist]:
        """The next artists behind a rank; fewer where their names are long. The first artist has rank 1."""
        page = page_rows(PAGE, "artist", ranking=self.number, after=after_rank, limit=limit)
        return converted(page, self._ranked)

    def _ranked(self, row: Sequence[Any]) -> RankedArtist:
        *columns, revenue, running = row
        return RankedArtist._make((*columns, revenue, self._share(revenue), self._share(running)))

    def _share(self, revenue: Decimal) -> Decimal | None:
        return ratio(revenue, self.totals.revenue, times=100) if self.totals.revenue > 0 else None


PAGE = """
SELECT rank, artist, recording_count, usages, revenue, running FROM catalogue_rankedartist
WHERE ranking = %(ranking)s AND rank > %(after)s ORDER BY rank LIMIT %(limit)s
"""


@contextmanager
def artist_ranking(*, credit: Credit, scope: Scope = ALL) -> Iterator[ArtistRanking]:
    """All artists that the lines in scope name, ordered by their credited revenue, then by name (bytewise).

    The artists of a line are those that it reports itself, separated by "|", without spaces around their names. A name
    that stands twice in a line is one artist, and a blank one is none. A recording is one of an artist if one of its
    lines in scope names the artist.

    With full credit, each artist has the whole of a line, and the sum of an artist in a DSR is rounded half-even to 40
    decimals. If it is split, the artists of a line have equal parts, and the parts of a DSR, with what has no artist,
    add up to exactly the revenue of the DSR: each is the difference between two running sums that are rounded so.

    The caller reads the ranking page by page. It cannot be dropped before the context ends. Raises RankingNotReady.
    """
    with found_or_built(ArtistQuestion(credit), scope) as ranking:
        yield ranking


@dataclass(frozen=True)
class ArtistQuestion(Question[ArtistRanking]):
    credit: Credit

    kind = "artists"
    table = "catalogue_keptartists"
    condition = "credit = %(credit)s"
    columns = """
    id, row_count, revenue, top_revenue, squares, without_lines, without_usages, without_revenue
    """
    building = locks.ARTISTS
    readers = locks.ARTIST_READERS

    def cached(self, *columns: Any) -> ArtistRanking:
        number, *totals = columns
        return ArtistRanking(number, Totals._make(totals))

    def build(self, key: str, dsrs: Sequence[IngestedDSR]) -> None:
        artists_cache(key, self.credit, dsrs)

    def want(self, key: str, dsr_numbers: Sequence[int]) -> None:
        execute_apart(
            """
            INSERT INTO catalogue_wantedartists (key, credit, dsr_numbers, wanted_at)
            VALUES (%s, %s, %s, statement_timestamp()) ON CONFLICT (key, credit) DO NOTHING
            """,
            [key, self.credit, list(dsr_numbers)],
        )

    @classmethod
    def drop(cls, number: int) -> None:
        KeptArtists.objects.filter(id=number).delete()
        execute("DELETE FROM catalogue_rankedartist WHERE ranking = %(number)s", number=number)


def artists_cache(key: str, credit: Credit, dsrs: Sequence[IngestedDSR]) -> None:
    """Build and cache a ranking of this state, in the caller's transaction, which has locked the state."""
    ((number,),) = rows_of("SELECT nextval(pg_get_serial_sequence('catalogue_keptartists', 'id'))")
    totals = artists_rank(number, dsrs, credit)._asdict()
    KeptArtists.objects.create(
        id=number, key=key, credit=credit, row_count=totals.pop("artist_count"), used_at=timezone.now(), **totals
    )
