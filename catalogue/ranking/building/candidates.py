"""Ranking candidates: the resources that can be in the answer, as `threshold` and `hashed` find them."""

from decimal import Decimal

from catalogue.ranking.building.adding_up import sums_create, table_for
from catalogue.ranking.building.bounds import ShareBounds, Undecided
from catalogue.ranking.building.describing import ranked_insert
from catalogue.ranking.building.rows import BuiltRanking, RankingTask, own_table, percentile_ends, ranking_drop
from dsrhub.database.statements import execute, rows_of


def rank_candidates(task: RankingTask, share: ShareBounds, candidates: str, least: Decimal) -> BuiltRanking:
    """The ranking from the exact sums of candidates. Raises Undecided where they do not tell it.

    The table `candidates` has the DSP and the hash of the dsp_id of each resource with `least` EUR, and of others. It
    is dropped.
    """
    sums, table = f"{own_table(task.number)}_sums", table_for(task)
    execute(f"ANALYZE {candidates}")
    sums_create(sums, task.dsrs, candidates=candidates)
    members = f"(SELECT * FROM {sums} WHERE revenue >= {least})"  # noqa: S608 - a number is in it, here and below
    ((revenue,),) = rows_of(f"SELECT coalesce(catalogue_sum(revenue), 0) FROM {members} AS member")  # noqa: S608
    # If the members have the share together, no other resource has a rank before them.
    row_count = ranked_insert(task, table, members, reached=share.reached) if revenue >= share.reached else 0
    execute(f"DROP TABLE {candidates}, {sums}")
    if not row_count:
        raise Undecided
    return ranking_ended(task, share, table, row_count)


def ranking_ended(task: RankingTask, share: ShareBounds, table: str, row_count: int) -> BuiltRanking:
    """The ranking with these rows. Raises Undecided where the share does not surely end in them, and removes them."""
    ends = percentile_ends(table, row_count, share.lowest, share.highest, **task.parameters)
    if ends[-1] is None:
        ranking_drop(task.number, table)
        raise Undecided
    return BuiltRanking(table, row_count, share.total, ends)
