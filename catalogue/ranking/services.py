"""Rankings that questions had no time for."""

from catalogue.lines.scope import Scope
from catalogue.models import WantedRanking
from catalogue.ranking.selectors import resource_ranking


def wanted_rankings_build() -> int:
    """Build the rankings that are queued, as a worker does, and return how many."""
    queued = WantedRanking.objects.all()
    for wanted in queued:
        # Of these DSRs in their present state. If it has changed, nobody asks for the earlier one any more.
        with resource_ranking(percentile=wanted.percentile, scope=Scope(dsrs=tuple(wanted.dsr_numbers))):
            wanted.delete()
    return len(queued)
