"""Renaming a DSP or a society in all DSRs at once: after an alias, say, or where a DSP got another name."""

from collections.abc import Sequence
from dataclasses import replace

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from catalogue.exceptions import RenameCollides
from catalogue.models import DSR, LeftoverLines, PartyAlias
from catalogue.querysets import DSRQuerySet
from catalogue.reports.contexts import SalesContext
from catalogue.resources.register import dsp_lock
from dsrhub.audit import audit
from dsrhub.database import locks
from dsrhub.database.statements import execute
from dsrhub.models import Action

# How many pairs of DSRs a message for people names.
MOST_NAMED = 20


def party_rename(*, role: PartyAlias.Role, name: str, known_as: str, user: User | None = None) -> int:
    """Give the DSRs of a DSP or society another name, in one step, and return how many there are.

    Where both names are of DSPs, their recordings with one dsp_id become one. Recordings of both are registered anew by
    the next `catalogue_refresh`; until then answers take them from the lines.

    Raises RenameCollides where DSRs of both names have the same key: nothing is changed.
    """
    if name == known_as:
        return 0
    with transaction.atomic():
        # Messages under the old or the new name wait, and so does whoever registers recordings of these DSPs.
        locks.MESSAGES.take()
        if role == PartyAlias.Role.DSP:
            for dsp in sorted((name, known_as)):
                dsp_lock(dsp)
        dsrs = _of_party(role, name)
        _refuse_collisions(role, known_as, list(dsrs.filter(status=DSR.Status.INGESTED)))
        try:
            with transaction.atomic():
                count = dsrs.update(**{role.value: known_as})
        except IntegrityError as error:  # A report under such a key was imported just now.
            raise RenameCollides(f"A DSR of {known_as} was imported meanwhile. Try again.", pairs=[]) from error
        if role == PartyAlias.Role.DSP and count:
            _register_anew([name, known_as])
        if count:
            details = {"role": role.value, "old": name, "new": known_as, "dsrs": count}
            audit(Action.PARTY_RENAMED, DSR, name=known_as, user=user, details=details)
    return count


def _of_party(role: PartyAlias.Role, name: str) -> DSRQuerySet:
    dsrs: DSRQuerySet = DSR.objects.filter(**{role.value: name})
    return dsrs


def _refuse_collisions(role: PartyAlias.Role, known_as: str, dsrs: Sequence[DSR]) -> None:
    others = {dsr.context: dsr.pk for dsr in _of_party(role, known_as).ingested()}
    pairs = [(dsr.pk, other) for dsr in dsrs if (other := others.get(_renamed(dsr.context, role, known_as)))]
    if pairs:
        named = ", ".join(f"{one} and {other}" for one, other in pairs[:MOST_NAMED])
        more = f" and {len(pairs) - MOST_NAMED} more" if len(pairs) > MOST_NAMED else ""
        raise RenameCollides(
            f"Under the name {known_as}, these DSRs would have the same key: {named}{more}. Delete one of each pair.",
            pairs=pairs,
        )


def _renamed(context: SalesContext, role: PartyAlias.Role, known_as: str) -> SalesContext:
    return replace(context, dsp=known_as) if role == PartyAlias.Role.DSP else replace(context, society=known_as)


def _register_anew(dsps: Sequence[str]) -> None:
    """Remove the recordings of DSPs from the catalogue, so that they are registered by their present names."""
    DSR.objects.ingested().filter(dsp__in=dsps).update(is_catalogued=False)
    LeftoverLines.objects.filter(dsp__in=dsps).update(is_catalogued=False)
    execute("DELETE FROM catalogue_resource WHERE dsp = ANY(%(dsps)s)", dsps=list(dsps))
