"""Letting earlier versions return: in place of the DSRs that stand, in one step, without reading a file."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from django.contrib.auth.models import User
from django.db import transaction

from catalogue.dsrs.events import dsrs_tell
from catalogue.dsrs.names import names_claim, names_settle
from catalogue.dsrs.services import dsr_facts, dsrs_remove
from catalogue.dsrs.versions.selectors import version_get, versions_of_step
from catalogue.dsrs.versions.superseding import versions_restore
from catalogue.imports.loading.earlier import messages_of_id
from catalogue.imports.loading.keys import keys_lock
from catalogue.models import DSR, SupersededDSR, SupersededMessage
from catalogue.rates.services import dsrs_rerate
from dsrhub.database import locks
from dsrhub.logs.audit import audit_entry, audit_write
from dsrhub.models import Action
from dsrhub.pages.confirmation import require_as_shown, shown_digest
from dsrhub.webhooks.models import EventType


@dataclass(frozen=True)
class Return:
    """The versions that return together, and the DSRs that they replace: those under their keys, and all of the
    message that stands under the id of theirs."""

    versions: Sequence[SupersededDSR]
    standing: Sequence[DSR]

    @property
    def digest(self) -> str:
        """What a page sends back to `version_revert`."""
        return shown_digest([*self.versions, *self.standing])

    def replaced_by(self, version: SupersededDSR) -> DSR | None:
        """The DSR under the key of a version."""
        return next((dsr for dsr in self.standing if dsr.context == version.context), None)


def version_return(*, version_number: int) -> Return:
    """What `version_revert` would do. Raises VersionNotFound and VersionNeedsMessage."""
    versions = versions_of_step(version_get(version_number=version_number))
    return Return(versions, _standing(versions))


def version_revert(*, version_number: int, user: User | None = None, seen: str | None = None) -> list[DSR]:
    """Let an earlier version return, with all DSRs of its message that were superseded in the same step.

    The DSRs that stand under their keys become earlier versions in turn. Each that returns gets its present exchange
    rate; the next `catalogue_refresh` registers its resources. A user who saw what would happen sends the digest of the
    `Return` as `seen`: if it is different now, nothing changes.

    Raises VersionNotFound, VersionNeedsMessage, NameLooksAlike, ConfirmationOutdated, ExchangeRateMissing and
    ExchangeRateIncomplete.
    """
    with transaction.atomic():
        contexts = [version.context for version in version_return(version_number=version_number).versions]
        keys_lock(contexts, is_single=all(context.commercial_model is None for context in contexts))
        returning = version_return(version_number=version_number)
        if seen is not None:
            require_as_shown([*returning.versions, *returning.standing], seen)
        return versions_revert(returning, user)


def versions_revert(returning: Return, user: User | None) -> list[DSR]:
    """The same for versions whose keys the caller has locked."""
    contexts = [version.context for version in returning.versions]
    # Other names may have come meanwhile that look like theirs.
    names_claim(replace(names_settle(contexts), contexts=contexts))
    # Before the rows of DSRs are locked: a change of rates takes both locks in this order.
    locks.RATES.take(shared=True)
    pairs = [(version, returning.replaced_by(version)) for version in returning.versions]
    successors = {dsr.pk: version.pk for version, dsr in pairs if dsr is not None}
    dsrs_remove([dsr.pk for dsr in returning.standing], successors=successors, user=user)
    versions_restore(returning.versions)
    restored = DSR.objects.filter(pk__in=[version.pk for version in returning.versions])
    dsrs_rerate(restored, user)
    by_id = {dsr.pk: dsr for dsr in restored}
    audit_write(
        audit_entry(Action.DSR_REVERTED, by_id[version.pk], user=user, details=_details(by_id[version.pk], standing))
        for version, standing in pairs
    )
    dsrs = [by_id[version.pk] for version in returning.versions]
    dsrs_tell(EventType.DSR_REVERTED, dsrs, replaced=[dsr.pk for dsr in returning.standing])
    return dsrs


def _details(dsr: DSR, standing: DSR | None) -> dict[str, object]:
    old = None if standing is None else {"id": standing.pk, **dsr_facts(standing)}
    return {"old": old, "new": dsr_facts(dsr)}


def _standing(versions: Sequence[SupersededDSR]) -> list[DSR]:
    """The DSRs that these versions would replace."""
    contexts = {version.context for version in versions}
    by_key = [dsr for dsr in DSR.objects.ingested().near(contexts) if dsr.context in contexts]
    message_ids = {version.message_id for version in versions if version.message_id is not None}
    of_message = [dsr for message in SupersededMessage.objects.filter(pk__in=message_ids) for dsr in _same_id(message)]
    return sorted({dsr.pk: dsr for dsr in [*by_key, *of_message]}.values(), key=lambda dsr: dsr.pk)


def _same_id(message: SupersededMessage) -> Collection[DSR]:
    """The DSRs of the message that stands under the id of a superseded one: two of one id cannot stand."""
    standing = messages_of_id(message.message_id, sender_id=message.sender_id, sender_name=message.sender_name)
    return DSR.objects.filter(message__in=standing)
