"""Rankings that questions had no time for."""

from catalogue.lines.scope import Scope
from catalogue.models import WantedArtists, WantedRanking
from catalogue.ranking.artists.selectors import artist_ranking
from catalogue.ranking.artists.sums import Credit
from catalogue.ranking.selectors import resource_ranking


def wanted_rankings_build() -> int:
    """Build the rankings that are queued, as a worker does, and return how many."""
    queued, queued_artists = WantedRanking.objects.all(), WantedArtists.objects.all()
    for wanted in queued:
        # Of these DSRs in their present state. If it has changed, nobody asks for the earlier one any more.
        with resource_ranking(percentile=wanted.percentile, scope=Scope(dsrs=tuple(wanted.dsr_numbers))):
            wanted.delete()
    for artists in queued_artists:
        with artist_ranking(credit=Credit(artists.credit), scope=Scope(dsrs=tuple(artists.dsr_numbers))):
            artists.delete()
    return len(queued) + len(queued_artists)


def wanted_rankings_wait() -> bool:
    """Whether a ranking is queued."""
    return WantedRanking.objects.exists() or WantedArtists.objects.exists()
