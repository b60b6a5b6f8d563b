"""The names under which senders and recipients of messages are known here."""

from collections.abc import Iterable

from django.db.models import Count

from catalogue.models import DSR, PartyAlias, ReportMessage
from catalogue.reports.contexts import Party
from dsrhub.database.statements import execute


class Aliases:
    """All aliases, read once. That of a party's id comes before that of its name."""

    def __init__(self) -> None:
        self._by_id: dict[tuple[str, str], str] = {}
        self._by_name: dict[tuple[str, str], str] = {}
        for alias in PartyAlias.objects.all():
            if alias.party_id:
                self._by_id[alias.role, alias.party_id] = alias.known_as
            if alias.party_name:
                self._by_name[alias.role, alias.party_name] = alias.known_as

    def known_as(self, role: PartyAlias.Role, party: Party) -> str:
        """The name of a party here: that of its alias, or its own."""
        by_id = self._by_id.get((role, party.party_id or ""))
        return by_id or self._by_name.get((role, party.name)) or party.name


def aliases_lock() -> None:
    """Let others who change aliases wait until this transaction ends. Imports still read them."""
    execute("LOCK TABLE catalogue_partyalias IN SHARE ROW EXCLUSIVE MODE")


def alias_problems(alias: PartyAlias) -> dict[str, str]:
    """What keeps an alias from being saved, by the names of its fields."""
    others = PartyAlias.objects.filter(role=alias.role).exclude(pk=alias.pk)
    problems = {}
    if not alias.party_id and not alias.party_name:
        problems["party_id"] = "Enter the party id, or the name in messages, or both."
    if alias.party_id and (same := others.filter(party_id=alias.party_id).first()):
        problems["party_id"] = f"This party id has an alias already: it is known as “{same.known_as}”."
    if alias.party_name and (same := others.filter(party_name=alias.party_name).first()):
        problems["party_name"] = f"This name has an alias already: it is known as “{same.known_as}”."
    elif alias.party_name and others.filter(known_as=alias.party_name).exclude(known_as=alias.known_as).exists():
        problems["party_name"] = "Other aliases lead to this name. Let them lead to the new name first."
    if alias.known_as == alias.party_name and not alias.party_id:
        problems["known_as"] = "This is the name in messages. Enter another one."
    elif next_one := others.filter(party_name=alias.known_as).exclude(known_as=alias.known_as).first():
        problems["known_as"] = f"This name has an alias itself. Enter “{next_one.known_as}”."
    return problems


def other_names(alias: PartyAlias, *more: str) -> dict[str, int]:
    """The names other than that of the alias under which DSRs of its party may be, and the number of DSRs under each.

    They are the name of the alias, those that messages with its party id have, and `more`.
    """
    of_party = "sender" if alias.role == PartyAlias.Role.DSP else "recipient"
    in_messages: Iterable[str] = (
        ReportMessage.objects.order_by()
        .filter(**{f"{of_party}_id": alias.party_id})
        .values_list(f"{of_party}_name", flat=True)
        .distinct()
        if alias.party_id
        else []
    )
    names = {alias.party_name, *in_messages, *more} - {alias.known_as, ""}
    dsrs = DSR.objects.filter(**{f"{alias.role}__in": names}).order_by(alias.role)
    return dict(dsrs.values_list(alias.role).annotate(Count("pk")))
