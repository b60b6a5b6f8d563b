"""Renaming a DSP or a society in all DSRs at once: after an alias, say, or where a DSP got another name."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from catalogue.dsrs.names import LONGEST_NAME, name_fault, name_take_over
from catalogue.dsrs.versions.superseding import versions_rename
from catalogue.exceptions import InvalidPartyName, RenameCollides
from catalogue.models import DSR, LeftoverLines, PartyAlias, SupersededDSR
from catalogue.querysets import DSRQuerySet
from catalogue.reports.contexts import SalesContext
from catalogue.resources.register import dsp_lock
from dsrhub.database import locks
from dsrhub.database.statements import execute
from dsrhub.logs.audit import audit
from dsrhub.models import Action
from dsrhub.pages.confirmation import require_as_shown, shown_digest
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.spelling import plain_name
from dsrhub.texts.wording import listed


@dataclass(frozen=True)
class Renaming:
    """The DSRs that get another name, and the pairs of such a DSR and another one that would then have its key."""

    dsrs: Sequence[DSR]
    collisions: Sequence[tuple[DSR, DSR]]

    @property
    def digest(self) -> str:
        """What a page sends back to `party_rename`."""
        return shown_digest(self.dsrs)


def party_renaming(*, role: PartyAlias.Role, name: str, known_as: str) -> Renaming:
    """What `party_rename` would do. It refuses a renaming that has collisions."""
    dsrs = list(_of_party(role, name).order_by("pk"))
    return Renaming(dsrs, _collisions(role, known_as, dsrs))


def party_rename(
    *, role: PartyAlias.Role, name: str, known_as: str, user: User | None = None, seen: str | None = None
) -> int:
    """Give the DSRs of a DSP or society another name, in one step, and return how many there are.

    Where both names are of DSPs, their recordings with one dsp_id become one. Recordings of both are registered anew by
    the next `catalogue_refresh`; until then answers take them from the lines. A user who saw certain DSRs sends the
    digest of their `Renaming` as `seen`: if they have changed since, nothing is renamed. As in an import, the new name
    is stored in its plain form.

    Raises InvalidPartyName, NameLooksAlike, ConfirmationOutdated, and RenameCollides where DSRs of both names have the
    same key.
    """
    known_as = plain_name(known_as)
    _require_name(known_as)
    if name == known_as:
        return 0
    with transaction.atomic():
        # Until the commit, no message is imported, and no recording of these DSPs is registered.
        locks.MESSAGES.take()
        if role == PartyAlias.Role.DSP:
            for dsp in sorted((name, known_as)):
                dsp_lock(dsp)
        # Imports too take the lock of the name before they lock any DSR.
        name_take_over(role.value, name, known_as)
        dsrs = list(_of_party(role, name).select_for_update().order_by("pk"))
        if seen is not None:
            require_as_shown(dsrs, seen)
        _refuse_collisions(known_as, _collisions(role, known_as, dsrs))
        try:
            with transaction.atomic():
                count = _of_party(role, name).update(**{role.value: known_as})
        except IntegrityError as error:  # A report under such a key was imported just now.
            raise RenameCollides(
                _("A DSR of %(known_as)s was imported meanwhile. Try again.") % {"known_as": known_as}, pairs=[]
            ) from error
        versions_rename(role.value, name, known_as)
        if role == PartyAlias.Role.DSP and count:
            _register_anew([name, known_as])
        if count:
            details = {"role": role.value, "old": name, "new": known_as, "dsrs": count}
            audit(Action.PARTY_RENAMED, DSR, name=known_as, user=user, details=details)
    return count


def _require_name(name: str) -> None:
    if name_fault(name):
        raise InvalidPartyName(
            _("%(name)s is no name of a DSP or society: it has 1 to %(most)s characters that people see.")
            % {"name": repr(name), "most": LONGEST_NAME},
            known_as=name,
        )


def _of_party(role: PartyAlias.Role, name: str) -> DSRQuerySet:
    dsrs: DSRQuerySet = DSR.objects.filter(**{role.value: name})
    return dsrs


def _collisions(role: PartyAlias.Role, known_as: str, dsrs: Sequence[DSR]) -> list[tuple[DSR, DSR]]:
    others = {dsr.context: dsr for dsr in _of_party(role, known_as).ingested()}
    ingested = [dsr for dsr in dsrs if dsr.status == DSR.Status.INGESTED]
    return [(dsr, other) for dsr in ingested if (other := others.get(_renamed(dsr.context, role, known_as)))]


def _refuse_collisions(known_as: str, collisions: Sequence[tuple[DSR, DSR]]) -> None:
    pairs = [(dsr.pk, other.pk) for dsr, other in collisions]
    if pairs:
        named = listed([_("%(one)s and %(other)s") % {"one": one, "other": other} for one, other in pairs])
        raise RenameCollides(
            _("Under the name %(known_as)s, these DSRs would have the same key: %(named)s. Delete one of each pair.")
            % {"known_as": known_as, "named": named},
            pairs=pairs,
        )


def _renamed(context: SalesContext, role: PartyAlias.Role, known_as: str) -> SalesContext:
    return replace(context, dsp=known_as) if role == PartyAlias.Role.DSP else replace(context, society=known_as)


def _register_anew(dsps: Sequence[str]) -> None:
    """Remove the recordings of DSPs from the catalogue, so that they are registered by their present names."""
    DSR.objects.ingested().filter(dsp__in=dsps).update(is_catalogued=False)
    LeftoverLines.objects.filter(dsp__in=dsps).update(is_catalogued=False)
    SupersededDSR.objects.filter(dsp__in=dsps).update(is_catalogued=False)
    execute("DELETE FROM catalogue_resource WHERE dsp = ANY(%(dsps)s)", dsps=list(dsps))
