"""The scopes that people asked about: a worker prepares their rankings."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from catalogue.lines.scope import Scope
from catalogue.models import AskedScope

# A scope is written this often, at most.
REMEMBERED_FOR = timedelta(hours=1)
# The table has no more rows, whatever is asked.
MOST_SCOPES = 1_000

# A part of the statement that looks for a ranking, so that it costs no statement of its own. It writes nothing, and
# locks nothing, where the row is young. Otherwise the scope is considered again: its ranking may have been dropped.
REMEMBER = """,
asked AS (
    INSERT INTO catalogue_askedscope (territory, period_start, period_end, dsp, asked_at, key, state)
    SELECT %(territory)s::text, %(period_start)s::date, %(period_end)s::date, %(dsp)s::text, statement_timestamp(),
        '', ''
    WHERE NOT EXISTS (
            SELECT FROM catalogue_askedscope
            WHERE {same} AND asked_at > statement_timestamp() - %(remembered_for)s
        )
        AND EXISTS (SELECT FROM ingested WHERE in_scope)
        AND (SELECT count(*) FROM catalogue_askedscope WHERE NOT ({same})) < %(most_scopes)s
    ON CONFLICT (territory, period_start, period_end, dsp) DO UPDATE SET asked_at = excluded.asked_at, state = ''
)
"""
BOUNDS = {"remembered_for": REMEMBERED_FOR, "most_scopes": MOST_SCOPES}


def remembering(scope: Scope) -> str:
    """SQL that remembers a scope, to be put behind that of its state. It takes the parameters of the scope and BOUNDS.

    Empty where the scope is not one that is prepared: one of certain DSRs, for example.
    """
    if scope.dsrs is not None or not settings.DSRHUB_PREPARED_DAYS:
        return ""
    same = [
        f"{name} IS NULL" if value is None else f"{name} = %({name})s"
        for name, value in vars(scope).items()
        if name != "dsrs"
    ]
    return REMEMBER.format(same=" AND ".join(same))


def scopes_forget() -> None:
    """Forget the scopes that nobody asked about for days, and make room in a full table."""
    days = timedelta(days=settings.DSRHUB_PREPARED_DAYS)
    AskedScope.objects.filter(asked_at__lte=timezone.now() - days).delete()
    if AskedScope.objects.count() >= MOST_SCOPES:
        latest = AskedScope.objects.order_by("-asked_at").values("pk")[: MOST_SCOPES // 2]
        AskedScope.objects.exclude(pk__in=[*latest.values_list("pk", flat=True)]).delete()
