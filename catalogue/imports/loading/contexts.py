"""The sales contexts of a delivery in the names that are used here: aliases of parties, spellings, territories and
currencies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from catalogue.dsrs.aliases import Aliases
from catalogue.dsrs.names import SettledNames, names_settle
from catalogue.exceptions import InvalidReportName
from catalogue.imports.recognition import delivery_format
from catalogue.models import DSR, Currency, PartyAlias, TemplateVersion, Territory
from catalogue.reports.contexts import Contents, DescribedContext, MessageFacts, Party, SalesContext
from catalogue.reports.delivery import DamagedDelivery, Delivery
from catalogue.reports.problems import CommonError, CommonWarning, Problem, ProblemLog, shown
from dsrhub.exceptions import DsrhubError
from dsrhub.texts.marked import gettext_lazy as _


@dataclass(frozen=True)
class SettledContents:
    """What a delivery is about, in the names that are used here, and in those that it has itself."""

    contents: Contents
    names: SettledNames
    delivered: Sequence[SalesContext]

    @property
    def message(self) -> MessageFacts | None:
        return self.contents.message

    @property
    def described(self) -> Sequence[DescribedContext]:
        return self.contents.contexts

    @property
    def contexts(self) -> Sequence[SalesContext]:
        return self.names.contexts


def contents_settle(contents: Contents, name: str, problems: ProblemLog) -> SettledContents:
    """Settle the names of a delivery. What is wrong with a message is added to `problems`.

    Raises NameLooksAlike, and InvalidReportName for a delivery whose name says what it is about, and is wrong.
    """
    delivered = [described.context for described in contents.contexts]
    if contents.message is None:
        _require_known(contents.contexts, name)
    else:
        contents = _with_aliases(contents, problems)
    names = names_settle([described.context for described in contents.contexts])
    settled = [
        replace(described, context=context)
        for described, context in zip(contents.contexts, names.contexts, strict=True)
    ]
    return SettledContents(replace(contents, contexts=settled), names, delivered)


def settled_contexts(deliveries: Sequence[Delivery], template: TemplateVersion | None = None) -> Sequence[SalesContext]:
    """The sales contexts of a delivery; none where it cannot be said what they are: an import tells why."""
    problems = ProblemLog(0)
    try:
        contents = delivery_format(deliveries[0], template).describe(deliveries, problems)
        if contents is None:
            return []
        return contents_settle(contents, deliveries[0].name, problems).contexts
    except (DsrhubError, DamagedDelivery):
        return []


def _with_aliases(contents: Contents, problems: ProblemLog) -> Contents:
    """The contents of a message with the names under which its parties are known."""
    assert contents.message is not None  # noqa: S101 - the caller has looked
    aliases = Aliases()
    society = aliases.known_as(PartyAlias.Role.SOCIETY, contents.message.recipient) or None
    contexts = [
        replace(
            described,
            context=replace(
                described.context,
                dsp=aliases.known_as(PartyAlias.Role.DSP, described.dsp) if described.dsp else described.context.dsp,
                society=society,
            ),
        )
        for described in contents.contexts
    ]
    _report_unknown(contexts, problems)
    _report_repeated(contexts, problems)
    _warn_of_new_senders(contexts, contents.contexts, problems)
    return replace(contents, contexts=contexts)


def _require_known(contexts: Sequence[DescribedContext], name: str) -> None:
    territories, currencies = _known(contexts)
    for described in contexts:
        context = described.context
        if context.territory not in territories:
            raise InvalidReportName(
                _("%(name)s names an unknown territory %(territory)s.")
                % {"name": repr(name), "territory": repr(context.territory)},
                name=name,
            )
        if context.currency not in currencies:
            raise InvalidReportName(
                _("%(name)s names an unknown currency %(currency)s.")
                % {"name": repr(name), "currency": repr(context.currency)},
                name=name,
            )


def _known(contexts: Sequence[DescribedContext]) -> tuple[set[str], set[str]]:
    """Those of the territories and the currencies that exist."""
    territories = {described.context.territory for described in contexts}
    currencies = {described.context.currency for described in contexts}
    return set(Territory.objects.in_bulk(territories)), set(Currency.objects.in_bulk(currencies))


def _report_unknown(contexts: Sequence[DescribedContext], problems: ProblemLog) -> None:
    territories, currencies = _known(contexts)
    for number, described in enumerate(contexts, start=1):
        context = described.context
        if context.territory not in territories:
            problems.add(Problem(CommonError.TERRITORY_UNKNOWN, value=shown(context.territory), context_number=number))
        if context.currency not in currencies:
            problems.add(Problem(CommonError.CURRENCY_UNKNOWN, value=shown(context.currency), context_number=number))


def _report_repeated(contexts: Sequence[DescribedContext], problems: ProblemLog) -> None:
    """Two parties of one name may make two contexts equal."""
    first: dict[object, int] = {}
    for number, described in enumerate(contexts, start=1):
        other = first.setdefault(described.context, number)
        if other != number:
            value = f"contexts {other} and {number}: {described.context}"
            problems.add(Problem(CommonError.CONTEXT_REPEATED, value=shown(value), context_number=number))


def _warn_of_new_senders(
    contexts: Sequence[DescribedContext], delivered: Sequence[DescribedContext], problems: ProblemLog
) -> None:
    """A sender without an alias whose name no DSR has may be known here under another name."""
    names = {
        described.context.dsp: described.dsp
        for described, as_delivered in zip(contexts, delivered, strict=True)
        if described.dsp is not None and described.context.dsp == as_delivered.context.dsp
    }
    known = set(DSR.objects.ingested().filter(dsp__in=names).values_list("dsp", flat=True).distinct())
    for name, party in names.items():
        if name not in known:
            problems.add(Problem(CommonWarning.SENDER_UNKNOWN, value=shown(party_text(party))))


def party_text(party: Party) -> str:
    """A party for people."""
    return f"{party.name} ({party.party_id})" if party.party_id else party.name
