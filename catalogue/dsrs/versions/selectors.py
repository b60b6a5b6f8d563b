"""Questions about earlier versions of DSRs: lists of them, what stands in their place, and the disk that they take."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Sum

from catalogue.exceptions import VersionNeedsMessage, VersionNotFound
from catalogue.models import DSR, ReportMessage, SupersededDSR, SupersededMessage
from catalogue.reports.contexts import SalesContext
from dsrhub.texts.marked import gettext_lazy as _


@dataclass(frozen=True)
class DiskUsage:
    """The number of earlier versions, about the bytes that they take, and the bytes that they may take."""

    version_count: int
    byte_count: int
    byte_limit: int


def version_list(*, after: int | None = None, limit: int) -> list[SupersededDSR]:
    """The next `limit` earlier versions behind an id, or the first ones, each with its `standing` DSR."""
    versions = SupersededDSR.objects.described().order_by("pk")
    following = versions if after is None else versions.filter(pk__gt=after)
    return _with_standing(list(following[:limit]))


def version_count() -> int:
    count: int = SupersededDSR.objects.count()
    return count


def version_get(*, version_number: int) -> SupersededDSR:
    """Raises VersionNotFound."""
    version = SupersededDSR.objects.described().filter(pk=version_number).first()
    if version is None:
        raise VersionNotFound(_("There is no earlier version %(id)s.") % {"id": version_number}, id=version_number)
    return _with_standing([version])[0]


def versions_by_dsr(dsrs: Sequence[DSR]) -> Mapping[int, list[SupersededDSR]]:
    """The earlier versions under the key of each ingested DSR, by its id, the latest one first."""
    by_context: defaultdict[SalesContext, list[SupersededDSR]] = defaultdict(list)
    ingested = {dsr.context: dsr for dsr in dsrs if dsr.status == DSR.Status.INGESTED}
    for version in SupersededDSR.objects.described().under(ingested):
        version.standing = ingested[version.context]
        by_context[version.context].append(version)
    return {dsr.pk: by_context[context] for context, dsr in ingested.items()}


def _with_standing(versions: list[SupersededDSR]) -> list[SupersededDSR]:
    """Set the DSR that stands under the key of each version, or None."""
    by_context = {dsr.context: dsr for dsr in DSR.objects.ingested().near({version.context for version in versions})}
    for version in versions:
        version.standing = by_context.get(version.context)
    return versions


def versions_of_step(version: SupersededDSR) -> list[SupersededDSR]:
    """The versions that return together with one: all that its message had when it was superseded.

    Raises VersionNeedsMessage for a DSR that was superseded before the rest of its message, which does not stand.
    """
    if version.message_id is None or ReportMessage.objects.filter(pk=version.message_id).exists():
        return [version]
    of_message = SupersededDSR.objects.filter(message_id=version.message_id).order_by("pk")
    last = max(of_message, key=lambda one: one.superseded_at)
    if last.superseded_at != version.superseded_at:
        raise VersionNeedsMessage(
            _(
                "The message of earlier version %(id)s does not stand. Revert to %(last)s first, which "
                "is a part of the same message."
            )
            % {"id": version.pk, "last": last.pk},
            id=last.pk,
        )
    return [one for one in of_message if one.superseded_at == version.superseded_at]


def same_delivery(
    contexts: Sequence[SalesContext], sha256: str, *, template_version: int | None
) -> list[SupersededDSR]:
    """The versions that a delivery of this content became, which were superseded in one step; none if it is new.

    `template_version` is the id of the version of the template that reads the delivery: another one may read it in
    another way.
    """
    by_step: defaultdict[tuple[int | None, datetime], list[SupersededDSR]] = defaultdict(list)
    for version in SupersededDSR.objects.under(contexts):
        if version.sha256 == sha256:
            by_step[version.message_id, version.superseded_at].append(version)
    wanted = set(contexts)
    steps = [step for step in by_step.values() if {one.context for one in step} == wanted]
    read_by = template_versions([step[0].message_id for step in steps])
    return next((step for step in steps if read_by.get(step[0].message_id) == template_version), [])


def template_versions(message_ids: Iterable[int | None]) -> Mapping[int | None, int]:
    """The ids of the versions of templates that read messages, standing or superseded, by the ids of these."""
    ids = {number for number in message_ids if number is not None}
    return {
        message: version
        for model in (ReportMessage, SupersededMessage)
        for message, version in model.objects.filter(pk__in=ids, template_version__isnull=False).values_list(
            "pk", "template_version"
        )
    }


def kept_until(version: SupersededDSR) -> datetime:
    """The time after which a version is dropped, unless all versions become too large before."""
    return version.superseded_at + timedelta(days=settings.DSRHUB_SUPERSEDED_DAYS)


def versions_disk_usage() -> DiskUsage:
    of_dsrs, of_messages = (
        model.objects.aggregate(Sum("byte_count", default=0))["byte_count__sum"]
        for model in (SupersededDSR, SupersededMessage)
    )
    return DiskUsage(version_count(), of_dsrs + of_messages, settings.DSRHUB_SUPERSEDED_BYTES)
