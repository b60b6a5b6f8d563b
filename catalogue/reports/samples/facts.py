"""What only messages say of a recording: its label, ISWC, composers and so on."""

from collections.abc import Sequence
from hashlib import blake2b

from catalogue.reports.samples.recordings import Recording

# The titles of some versions, as senders of messages write them.
MESSAGE_TITLES = ((" - Live", " | Live"), (" - Remix", " \\ Remix"))
LABELS = ("Harbour Records", "Nordwind Musik", "Sello Azul", "Disques Lumière | Éclat", "North\\South", "Self-released")


def bytes_of(dsp_id: str) -> bytes:
    """The hash of a recording's id, whose bytes decide what its facts are."""
    return blake2b(dsp_id.encode(), digest_size=24).digest()


def title(found: Recording) -> str:
    for version, in_messages in MESSAGE_TITLES:
        if found.title.endswith(version):
            return found.title.removesuffix(version) + in_messages
    return found.title


def duration(about: bytes) -> str:
    return f"PT{2 + about[1] % 4}M{about[2] % 60}S"


def iswc(about: bytes) -> str:
    """T, nine digits and their check digit, or blank for some works."""
    if about[3] % 5 == 0:
        return ""
    digits = f"{int.from_bytes(about[4:8]) % 10**9:09}"
    total = 1 + sum(place * int(digit) for place, digit in enumerate(digits, start=1))
    return f"T{digits}{-total % 10}"


def icpn(about: bytes) -> str:
    """Twelve digits and their check digit, as in EAN-13."""
    digits = f"{int.from_bytes(about[8:14]) % 10**12:012}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


def composers(about: bytes, artists: Sequence[str]) -> str:
    """The names of some of the artists."""
    return "|".join(artists[: 1 + about[14] % 2])
