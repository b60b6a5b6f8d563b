"""What is there already of a delivery that is being imported."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from catalogue.dsrs.versions.selectors import template_versions
from catalogue.exceptions import DSRExists, MessageIdReused
from catalogue.models import DSR, ReportMessage
from catalogue.reports.contexts import MessageFacts, SalesContext
from dsrhub.texts.marked import Text, ngettext_lazy
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.wording import listed


@dataclass(frozen=True)
class Earlier:
    """The ingested DSR under the key of each context, and the message of the same sender and id; None where none is.

    `same_template` says whether the version of a template that reads the delivery has read all of these DSRs, too: it
    is true where no template reads either.
    """

    by_context: Sequence[DSR | None]
    message: ReportMessage | None
    same_template: bool = True

    @property
    def dsrs(self) -> list[DSR]:
        return [dsr for dsr in self.by_context if dsr is not None]

    @property
    def ids(self) -> list[int]:
        return [dsr.pk for dsr in self.dsrs]

    def is_same(self, sha256: str) -> bool:
        """Whether just this content is there, with all of its contexts."""
        is_there = None not in self.by_context and all(dsr.sha256 == sha256 for dsr in self.dsrs)
        return is_there and self.same_template

    def refuse(self, name: str) -> None:
        """Raises MessageIdReused or DSRExists, where there is anything."""
        if self.message is not None and self.message.template_version_id is not None:
            text = _(
                "%(name)s: this content is imported already, read in another way by version %(version)s of template "
                "%(template)s. It stays, unless its replacement is asked for."
            )
            facts = {"name": name, "version": self.message.profile_version, "template": repr(self.message.profile)}
            raise MessageIdReused(text % facts, message_id=self.message.message_id, ids=self._ids_in_the_way)
        if self.message is not None:
            raise MessageIdReused(
                _(
                    "%(name)s: message %(message)s is imported already, with different content. It stays, "
                    "unless its replacement is asked for."
                )
                % {"name": name, "message": self.message},
                message_id=self.message.message_id,
                ids=self._ids_in_the_way,
            )
        if self.dsrs:
            raise DSRExists(
                ngettext_lazy(
                    "%(name)s: %(dsrs)s is an earlier delivery of this report with different content. It stays, "
                    "unless its replacement is asked for.",
                    "%(name)s: %(dsrs)s are earlier deliveries of these reports with different content. They stay, "
                    "unless their replacement is asked for.",
                    len(self.dsrs),
                )
                % {"name": name, "dsrs": named(self.dsrs)},
                id=self.dsrs[0].pk,
                path=self.dsrs[0].path,
                ids=self.ids,
            )

    @property
    def _ids_in_the_way(self) -> list[int]:
        of_message = [] if self.message is None else self.message.dsrs.values_list("pk", flat=True)
        return sorted({*self.ids, *of_message})

    def missing(self) -> list[DSR]:
        """The other DSRs of the messages to which these DSRs belong: the new delivery lacks their contexts."""
        messages = {dsr.message_id for dsr in self.dsrs if dsr.message_id is not None}
        messages |= set() if self.message is None else {self.message.pk}
        if not messages:
            return []
        return list(DSR.objects.ingested().filter(message__in=messages).exclude(pk__in=self.ids).order_by("id"))

    def refuse_missing(self, name: str, missing: Sequence[DSR]) -> None:
        """Raises MessageIdReused where missing DSRs would leave a second message of the same id."""
        if self.message is None:
            return
        left = [dsr for dsr in missing if dsr.message_id == self.message.pk]
        if left:
            raise MessageIdReused(
                _(
                    "%(name)s: message %(message)s has contexts that this delivery lacks: %(dsrs)s. Two messages of "
                    "one id cannot stand. Drop the missing contexts too."
                )
                % {"name": name, "message": self.message, "dsrs": named(left)},
                message_id=self.message.message_id,
                ids=[dsr.pk for dsr in left],
            )


def find_earlier(contexts: Sequence[SalesContext], message: MessageFacts | None) -> Earlier:
    by_key = {dsr.context: dsr for dsr in DSR.objects.ingested().near(contexts)}
    found = [by_key.get(context) for context in contexts]
    if message is None:
        return Earlier(found, None)
    ids = {dsr.message_id for dsr in found if dsr is not None}
    read_by = template_versions(ids)
    same_template = all(read_by.get(number) == message.template_version for number in ids)
    return Earlier(found, _message_of(message), same_template)


def named(dsrs: Sequence[DSR]) -> Text:
    """DSRs by id and file name, for people. Those of one message have one file name."""
    numbers: defaultdict[str, list[str]] = defaultdict(list)
    for dsr in dsrs:
        numbers[dsr.path].append(str(dsr.pk))
    return listed([_named(path, of) for path, of in numbers.items()])


def _named(path: str, numbers: Sequence[str]) -> Text:
    text = ngettext_lazy("DSR %(numbers)s (%(path)s)", "DSRs %(numbers)s (%(path)s)", len(numbers))
    return text % {"numbers": listed(numbers), "path": path}


def messages_of_id(message_id: str, *, sender_id: str, sender_name: str) -> QuerySet[ReportMessage]:
    """The messages to which their sender gave an id. The party id identifies a sender that has one."""
    by = {"sender_id": sender_id} if sender_id else {"sender_name": sender_name}
    return ReportMessage.objects.filter(message_id=message_id, **by)


def _message_of(facts: MessageFacts) -> ReportMessage | None:
    """The imported message of the same sender and id."""
    sender = facts.sender
    messages = messages_of_id(facts.message_id, sender_id=sender.party_id or "", sender_name=sender.name)
    # Servers of the release before delete DSRs, but not the message without DSRs that remains.
    return messages.filter(dsrs__isnull=False).distinct().first()
