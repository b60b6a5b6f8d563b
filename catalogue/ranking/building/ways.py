"""Building a ranking, by the quickest of three ways.

`threshold` finds a small share from the highest lines of each DSR alone. `hashed` adds up all lines coarsely, and
exactly those of the resources that can be in the answer. `adding_up` adds up all lines exactly. The answer is the same.
"""

from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal

from catalogue.lines.scope import IngestedDSR
from catalogue.ranking.building.adding_up import rank_by_adding_up
from catalogue.ranking.building.bounds import ShareBounds, Undecided, share_bounds
from catalogue.ranking.building.hashed import rank_by_hashed_sums
from catalogue.ranking.building.rows import SHARED_TABLE, BuiltRanking, RankingTask, ranking_task
from catalogue.ranking.building.threshold import rank_by_threshold
from dsrhub.database.statements import execute

# Fewer lines than these are added up as fast as they are searched.
FEW_LINES = 20_000


def ranking_build(number: int, dsrs: Sequence[IngestedDSR], percentile: int) -> BuiltRanking:
    """Rank the resources that have `percentile` per cent of the total, highest revenue first.

    Runs in the caller's transaction, under a number that no other ranking has. `dsrs` are the DSRs in scope and those
    that describe the same resources.
    """
    task = ranking_task(number, percentile, dsrs)
    if not task.dsrs:
        return BuiltRanking(SHARED_TABLE, 0, Decimal(0), [0] * percentile)
    # The statements cost little, though the planner expects much: to compile them would cost more.
    execute("SET LOCAL jit = off")
    try:
        return _rank_share(task) or rank_by_adding_up(task)
    except Undecided:
        return rank_by_adding_up(task)


def _rank_share(task: RankingTask) -> BuiltRanking | None:
    """The ranking of a share of the total without adding up all lines exactly, or None where that is no quicker.

    Raises Undecided.
    """
    share = _bounds(task)
    if share is None:
        return None
    return rank_by_threshold(task, share) or rank_by_hashed_sums(task, share)


def _bounds(task: RankingTask) -> ShareBounds | None:
    if task.percentile == 100 or task.line_count < FEW_LINES:  # noqa: PLR2004 - all of it
        return None
    return share_bounds(task.dsrs, task.percentile)


def highest_lines_read(number: int, dsrs: Sequence[IngestedDSR], percentile: int) -> None:
    """Read what a ranking needs that the highest lines tell, in the caller's transaction."""
    task = ranking_task(number, percentile, dsrs)
    if task.dsrs and (share := _bounds(task)):
        execute("SET LOCAL jit = off")
        with suppress(Undecided):
            rank_by_threshold(task, share)
