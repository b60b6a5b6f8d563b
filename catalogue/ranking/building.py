"""Building a ranking, by the quicker of two ways.

`threshold` finds a small share from the highest lines of each DSR alone; where bounds cannot decide, `adding_up` adds
up all lines. Both are exact.
"""

from collections.abc import Sequence
from decimal import Decimal

from catalogue.lines.scope import IngestedDSR
from catalogue.ranking.adding_up import rank_by_adding_up
from catalogue.ranking.bounds import FEW_LINES
from catalogue.ranking.rows import SHARED_TABLE, BuiltRanking, describing_parameters
from catalogue.ranking.threshold import rank_by_threshold
from dsrhub.database.statements import execute


def ranking_build(number: int, dsrs: Sequence[IngestedDSR], percentile: int) -> BuiltRanking:
    """Rank the resources that have `percentile` per cent of the total, highest revenue first.

    Runs in the caller's transaction, under a number that no other ranking has. `dsrs` are the DSRs in scope and those
    that describe the same resources.
    """
    in_scope = [dsr for dsr in dsrs if dsr.in_scope]
    if not in_scope:
        return BuiltRanking(SHARED_TABLE, 0, Decimal(0), [0] * percentile)
    # The statements cost little, though the planner expects much: to compile them would cost more.
    execute("SET LOCAL jit = off")
    parameters = {"ranking": number, "percentile": percentile, **describing_parameters(dsrs)}
    built = rank_by_threshold(in_scope, parameters) if _has_bounds(in_scope, percentile) else None
    return built or rank_by_adding_up(in_scope, parameters)


def ranking_build_from_highest_lines(number: int, dsrs: Sequence[IngestedDSR], percentile: int) -> BuiltRanking | None:
    """The same ranking, or None where only adding up all lines finds it."""
    in_scope = [dsr for dsr in dsrs if dsr.in_scope]
    if not _has_bounds(in_scope, percentile):
        return None
    execute("SET LOCAL jit = off")
    return rank_by_threshold(in_scope, {"ranking": number, "percentile": percentile, **describing_parameters(dsrs)})


def _has_bounds(dsrs: Sequence[IngestedDSR], percentile: int) -> bool:
    """Whether the highest lines bound a share of the total, and are few."""
    return percentile < 100 and sum(dsr.line_count for dsr in dsrs) >= FEW_LINES  # noqa: PLR2004 - all of it
