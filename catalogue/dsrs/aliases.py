"""The names under which senders and recipients of messages are known here."""

from catalogue.models import PartyAlias
from catalogue.reports.contexts import Party


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
