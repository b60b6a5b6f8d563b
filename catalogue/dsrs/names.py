"""The names of DSPs, offers and societies: what looks the same to people is never counted as two.

A name comes with a delivery and lives as long as an ingested DSR has it. New names are stored in NFC, without stray
spaces. A delivered name that differs from a known one in nothing else gets the known form. One that only looks like a
known name is refused. Names of earlier releases that look alike stay: deliveries under them go on, with a warning.

All formats give their contexts to `names_settle` before anything is loaded, and an import calls `names_claim` before it
writes its DSRs.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from zlib import crc32

from django.db.models import Count, Q

from catalogue.exceptions import InvalidReportName, NameLooksAlike
from catalogue.models import DSR
from catalogue.reports.contexts import SalesContext
from dsrhub.database import locks
from dsrhub.database.statements import rows_of
from dsrhub.texts.marked import Text, joined
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.spelling import is_invisible, look_alike_key, plain_name, spelled_apart

LONGEST_NAME = 100
LOCKS = 256
DELIVER_AS = _("Deliver it as %(known)s.")
# How a sentence begins that is about a name of a kind.
SUBJECTS = {"dsp": _("The DSP"), "offer": _("The offer"), "society": _("The society")}
# Invisible by themselves, and yet part of the spelling in scripts such as Persian and Hindi.
JOINERS = re.compile("[\u200c\u200d]")


class NameKey(NamedTuple):
    """What all look-alikes have in common. An offer is compared with those of its DSP, other names with all."""

    kind: str
    scope: str
    key: str

    @property
    def lock_number(self) -> int:
        """The number of its lock, the same in every process and every release."""
        return crc32("\0".join(self).encode()) % LOCKS


@dataclass(frozen=True)
class SettledNames:
    """Contexts with their settled names, the names that no ingested DSR has yet, and known names that look alike."""

    contexts: list[SalesContext]
    new: frozenset[NameKey]
    known: frozenset[NameKey]
    look_alikes: list[str]


def names_settle(contexts: Sequence[SalesContext]) -> SettledNames:
    """Settle the names of the sales contexts of one delivery.

    Raises NameLooksAlike, also for two names of the delivery itself, and InvalidReportName for a name that is blank,
    invisible or too long, and for two contexts that become equal.
    """
    names = _KnownNames(contexts)
    settled: dict[SalesContext, None] = {}
    for context in map(names.settled, contexts):
        if context in settled:
            raise InvalidReportName(_("The delivery has two reports of %(context)s.") % {"context": context})
        settled[context] = None
    return SettledNames(list(settled), frozenset(names.new), frozenset(names.seen - names.new), names.look_alikes)


def names_claim(settled: SettledNames) -> None:
    """Let no other import bring in names that look like these until this transaction ends. Raises NameLooksAlike.

    Importers of known names share a lock, so they do not wait for each other. There are many locks, taken late in an
    import: hardly any importer with other names, and none that still loads, waits either.
    """
    new = {key.lock_number for key in settled.new}
    # In one order, so that no two imports wait for each other.
    for number in sorted(new | {key.lock_number for key in settled.known}):
        locks.NAMES.take(shared=number not in new, number=number)
    for before, after in zip(settled.contexts, names_settle(settled.contexts).contexts, strict=True):
        for kind in ("dsp", "offer", "society"):
            if getattr(before, kind) != getattr(after, kind):
                raise _looks_alike(kind, getattr(before, kind), getattr(after, kind))


def name_take_over(kind: str, old: str, new: str) -> None:
    """Let the DSRs of a DSP or society get the plain name `new`: no name may then look like another one.

    Until this transaction ends, no import under a name that looks like `new` goes on. Raises NameLooksAlike.
    """
    key = NameKey(kind, "", look_alike_key(new))
    locks.NAMES.take(shared=False, number=key.lock_number)
    known = {name for _, name in rows_of(DSPS if kind == "dsp" else SOCIETIES)} - {old}
    alike = sorted(name for name in known if look_alike_key(name) == key.key)
    if alike and new not in alike:
        raise _looks_alike(kind, new, alike[0], _("Enter %(known)s."))
    if kind == "dsp":
        _offers_take_over(old, new)


def _offers_take_over(old: str, new: str) -> None:
    offers: dict[str, list[str]] = {old: [], new: []}
    for dsp, offer in DSR.objects.ingested().filter(dsp__in=offers).values_list("dsp", "offer").distinct():
        offers[dsp].append(offer)
    known = {look_alike_key(offer): offer for offer in sorted(offers[new])}
    for offer in sorted({*offers[old]}.difference(offers[new])):
        if look_alike_key(offer) in known:
            advice = _("Import its DSRs anew as %(known)s first.")
            raise _looks_alike("offer", offer, known[look_alike_key(offer)], advice)


@dataclass(frozen=True)
class LookAlikes:
    """Names that look alike, each with the number of its ingested DSRs. `dsp` is that of an offer, else None."""

    kind: str
    dsp: str | None
    dsr_counts: dict[str, int]


def look_alike_names() -> list[LookAlikes]:
    """The names of ingested DSRs that look like others: those that earlier releases accepted."""
    found: defaultdict[NameKey, dict[str, int]] = defaultdict(dict)
    dsps: dict[NameKey, str] = {}
    rows = DSR.objects.ingested().order_by("dsp", "offer", "society").values_list("dsp", "offer", "society")
    for *names, count in rows.annotate(count=Count("pk")):
        for key, name in _names(*names):
            found[key][name] = found[key].get(name, 0) + count
            dsps.setdefault(key, names[0])
    return [
        LookAlikes(key.kind, dsps[key] if key.kind == "offer" else None, counts)
        for key, counts in sorted(found.items())
        if len(counts) > 1
    ]


def look_alike_dsrs() -> list[list[DSR]]:
    """Ingested DSRs whose keys look the same, so that one report may count more than once, in groups."""
    suspicious = [name for names in look_alike_names() for name in names.dsr_counts]
    named = Q(dsp__in=suspicious) | Q(offer__in=suspicious) | Q(society__in=suspicious)
    groups: defaultdict[tuple[object, ...], list[DSR]] = defaultdict(list)
    for dsr in DSR.objects.ingested().filter(named).order_by("pk"):
        keys = tuple(key for key, _ in _names(dsr.dsp, dsr.offer, dsr.society))
        groups[keys, dsr.territory_id, dsr.currency_id, dsr.period_start, dsr.period_end].append(dsr)
    return [dsrs for dsrs in groups.values() if len(dsrs) > 1]


def _names(dsp: str, offer: str, society: str | None) -> Iterator[tuple[NameKey, str]]:
    dsp_key = look_alike_key(dsp)
    yield NameKey("dsp", "", dsp_key), dsp
    yield NameKey("offer", dsp_key, look_alike_key(offer)), offer
    if society is not None:
        yield NameKey("society", "", look_alike_key(society)), society


# The distinct values of a column, each found by the index behind the one before: there are many DSRs, and few names.
DISTINCT = """
SELECT {scope} AS scope, name FROM {scopes} CROSS JOIN LATERAL (
    WITH RECURSIVE names AS (
        (SELECT {column} AS name FROM catalogue_dsr WHERE {condition} ORDER BY {column} LIMIT 1)
        UNION ALL
        SELECT (
            SELECT {column} FROM catalogue_dsr WHERE {condition} AND {column} > names.name ORDER BY {column} LIMIT 1
        ) FROM names WHERE names.name IS NOT NULL
    ) SELECT name FROM names WHERE name IS NOT NULL
) AS found
"""
ONE_SCOPE = {"scope": "''", "scopes": "(VALUES (1)) AS one"}
DSPS = DISTINCT.format(column="dsp", condition="status = 'ingested'", **ONE_SCOPE)
OFFERS = DISTINCT.format(
    column="offer",
    condition="status = 'ingested' AND dsp = given.dsp",
    scope="given.dsp",
    scopes="unnest(%(dsps)s::varchar[]) AS given (dsp)",
)
SOCIETIES = DISTINCT.format(column="society", condition="status = 'ingested' AND society IS NOT NULL", **ONE_SCOPE)


class _KnownNames:
    """The names of the ingested DSRs that may look like those of some contexts, and the names settled so far."""

    def __init__(self, contexts: Sequence[SalesContext]) -> None:
        self._names: defaultdict[NameKey, set[str]] = defaultdict(set)
        self.new: set[NameKey] = set()
        self.seen: set[NameKey] = set()
        self.look_alikes: list[str] = []
        self._add("dsp", rows_of(DSPS))
        keys = {look_alike_key(context.dsp) for context in contexts}
        dsps = sorted(name for key in keys for name in self._names[NameKey("dsp", "", key)])
        self._add("offer", rows_of(OFFERS, dsps=dsps))
        if any(context.society is not None for context in contexts):
            self._add("society", rows_of(SOCIETIES))

    def _add(self, kind: str, rows: list[tuple[str, str]]) -> None:
        for scope, name in rows:
            self._names[NameKey(kind, look_alike_key(scope), look_alike_key(name))].add(name)

    def settled(self, context: SalesContext) -> SalesContext:
        names = _names(context.dsp, context.offer, context.society)
        settled: dict[str, Any] = {key.kind: self._settled(key, name) for key, name in names}
        return replace(context, **settled)

    def _settled(self, key: NameKey, delivered: str) -> str:
        name = _usable(key, delivered)
        known = self._names[key]
        if key not in self.seen:
            self.seen.add(key)
            if not known:
                self.new.add(key)
            elif len(known) > 1:
                self.look_alikes.append(", ".join(spelled_apart(*sorted(known))))
        if delivered in known:
            return delivered
        same = sorted(one for one in known if plain_name(one) == name)
        if name in known or not known:
            known.add(name)
            return name
        if same:
            return same[0]
        raise _looks_alike(key.kind, name, min(known))


def _usable(key: NameKey, delivered: str) -> str:
    """The delivered name in its plain form. Raises InvalidReportName."""
    if fault := name_fault(delivered, key.kind):
        raise InvalidReportName(fault, name=delivered)
    return plain_name(delivered)


def name_fault(text: str, kind: str = "dsp") -> Text | None:
    """Why a text is no name of a DSP, an offer or a society; None if it is one."""
    name, subject = plain_name(text), SUBJECTS[kind]
    if not look_alike_key(name):
        return _("%(subject)s is blank: %(name)s.") % {"subject": subject, "name": ascii(text)}
    if is_invisible(JOINERS.sub("", name)):
        return _("%(subject)s has invisible characters: %(name)s.") % {"subject": subject, "name": ascii(name)}
    if len(name) > LONGEST_NAME:
        return _("%(subject)s has more than %(most)s characters.") % {"subject": subject, "most": LONGEST_NAME}
    return None


def _looks_alike(kind: str, name: str, known: str, advice: Text = DELIVER_AS) -> NameLooksAlike:
    shown, shown_known = spelled_apart(name, known)
    text = _("%(subject)s %(name)s looks like %(known)s, which is there already, and differs from it.")
    facts = text % {"subject": SUBJECTS[kind], "name": shown, "known": shown_known}
    return NameLooksAlike(
        joined([facts, advice % {"known": shown_known}], " "),
        kind=kind,
        name=name,
        known=known,
    )
