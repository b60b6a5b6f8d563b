"""Small DDEX messages for tests. Tests call these helpers directly, so each test shows its data."""

from collections.abc import Sequence
from pathlib import Path

# A context: its territory, currency, declared usages and net revenue.
SPAIN, ITALY, NORWAY = ("ES", "EUR", 10, "5"), ("IT", "EUR", 4, "2"), ("NO", "NOK", 100, "50")


def file_name(number: int = 1, count: int = 1) -> str:
    return f"DSR_SocietyX_Tonbank_Premium_2020-01_multi_{number}of{count}_20200212T083000.tsv"


def message_file(
    contexts: Sequence[tuple[str, str, int, str]] = (SPAIN, ITALY),
    sales: Sequence[tuple[int, str, int]] = (),
    *,
    number: int = 1,
    count: int = 1,
    message_id: str = "MSG-1",
    sender: tuple[str, str] = ("PADPIDA2026000001A", "Tonbank"),
) -> bytes:
    """A file of a message of January 2020. A sale has the number of its context, from 1, a dsp_id and usages."""
    head = [
        *("HEAD", "dsrf/1.4/1/1.5", "BasicAudioProfile", "1.4", message_id, "2020-02-12T08:30:00Z"),
        *(str(number), str(count), "2020-01-01", "2020-01-31", *sender, "Premium", "", "SocietyX", ""),
    ]
    records = [head]
    for summary, (territory, currency, usages, revenue) in enumerate(contexts, start=1):
        channel = ("Tonbank", "PADPIDA2026000001A", "SubscriptionModel", "OnDemandStream")
        records.append(["SY01.03", str(summary), *channel, territory, "Premium", str(usages), "0", currency, revenue])
    for block, (context, dsp_id, usages) in enumerate(sales, start=1):
        name = f"B{number}-{block}"
        records.append(["AS01.03", name, "1", dsp_id, "", f"Title {dsp_id}", "", "Ana", "", "PT3M", "SoundRecording"])
        records.append(["SU02.03", name, str(context), f"T{name}", "", "1", "true", str(usages), "", "", "", ""])
    records.append(["FOOT", str(len(records) + 1), "", str(len(contexts)), str(len(sales)), ""])
    return "".join("\t".join(record) + "\n" for record in records).encode()


# Two files of one message. By hand: 4 of 10 usages in Spain (2.00 of 5.00), 4 of 4 in Italy (2.00).
FIRST = {"sales": [(1, "a", 3), (2, "a", 4)], "number": 1, "count": 2}
SECOND = {"sales": [(1, "b", 1)], "number": 2, "count": 2}


def write_message_file(folder: Path, name: str | None = None, **values: object) -> Path:
    """Write a file of a message, by default under the name that says its number."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or file_name(values.get("number", 1), values.get("count", 1)))
    path.write_bytes(message_file(**values))
    return path
