"""Rankings that workers prepare: those that people will ask for, as they did in the last days."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from django.conf import settings
from django.db.models import F, Max, Q, Sum
from django.utils import timezone

from catalogue.lines.scope import ALL, IngestedDSR, Scope, scope_state
from catalogue.models import DSR, AskedScope, KeptRanking, LeftoverLines, Resource, SupersededDSR
from catalogue.ranking.cached.asked import REMEMBERED_FOR, scopes_forget
from catalogue.ranking.cached.cache import build_now, drop_surplus
from catalogue.ranking.cached.resources import PreparedQuestion, TopQuestion
from catalogue.ranking.selectors import LARGEST_PERCENTILE
from catalogue.ranking.services import wanted_rankings_wait
from dsrhub.database import locks

logger = logging.getLogger(__name__)

# The state of the DSRs will most likely change again so soon after an import.
QUIET_FOR = timedelta(minutes=1)
# What was used within this time is not pushed out by a prepared ranking.
USED_FOR = REMEMBERED_FOR


def rankings_prepare(*, may_continue: Callable[[], bool] = lambda: True, quiet_for: timedelta = QUIET_FOR) -> int:
    """Build the rankings of 100 per cent of what people asked about in the last days, and return how many.

    The scopes that were asked about last come first. Before each ranking, the function stops if `may_continue` returns
    False, if the newest DSR is younger than `quiet_for`, or if the catalogue of resources is out of date. One worker at
    a time prepares rankings.
    """
    scopes_forget()
    if not AskedScope.objects.exists() or not locks.PREPARING_RANKINGS.try_take(0):
        return 0
    count = 0
    try:
        while may_continue() and _is_quiet(quiet_for) and (asked := _next_asked()):
            count += _prepare(asked)
    finally:
        locks.PREPARING_RANKINGS.give_back(0)
    return count


def _is_quiet(quiet_for: timedelta) -> bool:
    """Whether nothing is more urgent, and resources are described by an up-to-date catalogue."""
    newest = DSR.objects.ingested().aggregate(at=Max("imported_at"))["at"]
    urgent = (
        DSR.objects.uncatalogued(),
        LeftoverLines.objects.filter(is_catalogued=True),
        SupersededDSR.objects.filter(is_catalogued=True),
    )
    if newest is None or newest > timezone.now() - quiet_for:
        return False
    return not wanted_rankings_wait() and not any(rows.exists() for rows in urgent)


def _next_asked() -> AskedScope | None:
    """The scope that was asked about last, of those that were not considered in the present state of all DSRs."""
    state, _ = scope_state(ALL)
    asked = AskedScope.objects.exclude(state=state).order_by("-asked_at", "pk").first()
    if asked is not None:
        _note(asked, state=state)
    return asked


def _prepare(asked: AskedScope) -> bool:
    """Cache the ranking of a scope, if there is room. Return whether it was built."""
    started = time.monotonic()
    key, dsrs = scope_state(Scope(asked.territory, asked.period_start, asked.period_end, asked.dsp))
    if key != asked.key:
        _drop_passed(asked)
    is_cached = KeptRanking.objects.filter(key=key, **{f"ends__{LARGEST_PERCENTILE - 1}__isnull": False}).exists()
    if not is_cached and not _has_room([dsr for dsr in dsrs if dsr.in_scope]):
        return False
    _note(asked, key=key)
    # None of them is the first to go.
    KeptRanking.objects.filter(key__in=_prepared_keys()).update(used_at=timezone.now())
    if is_cached:
        return False
    question = PreparedQuestion(LARGEST_PERCENTILE)
    if (ranking := build_now(question, key, dsrs)) is None:
        return False  # The next round begins with another state.
    question.close(ranking)
    logger.info("prepared the ranking of %s: %s rows in %.1f s", asked, ranking.row_count, time.monotonic() - started)
    return True


def _drop_passed(asked: AskedScope) -> None:
    """Drop the rankings of the earlier state of a scope, unless it is the state of another scope, too."""
    _note(asked, key="")
    if asked.key and not AskedScope.objects.filter(key=asked.key).exists():
        drop_surplus(TopQuestion, passed=asked.key)


def _has_room(in_scope: Sequence[IngestedDSR]) -> bool:
    """Whether a ranking pushes out neither another prepared one, nor one that was used just now.

    It has at most as many rows as its DSRs have lines, and as their DSPs have resources.
    """
    most = settings.DSRHUB_KEPT_RANKING_ROWS
    staying = Q(key__in=_prepared_keys()) | Q(used_at__gt=timezone.now() - USED_FOR)
    taken = KeptRanking.objects.filter(staying, row_count__lt=most).aggregate(rows=Sum(F("row_count") + 1))["rows"]
    room = most - (taken or 0)
    # A ranking counts as one row more, and one of all rows is too large to be cached.
    return bool(in_scope) and (
        sum(dsr.line_count for dsr in in_scope) < room
        or Resource.objects.filter(dsp__in={dsr.dsp for dsr in in_scope}).count() < room
    )


def _note(asked: AskedScope, **values: str) -> None:
    """Write values of the row, if it is still there. A question may write the others meanwhile."""
    AskedScope.objects.filter(pk=asked.pk).update(**values)


def _prepared_keys() -> list[str]:
    return [*AskedScope.objects.exclude(key="").values_list("key", flat=True)]
