from typing import Any

from catalogue.dsrs.names import LookAlikes, look_alike_dsrs, look_alike_names
from dsrhub.commands import DsrhubCommand
from dsrhub.texts.spelling import spelled_apart


class Command(DsrhubCommand):
    help = (
        "List the names of DSPs, offers and societies that look alike, and the DSRs that may count twice under them. "
        "Earlier releases accepted such names. Change nothing."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        names, dsrs = look_alike_names(), look_alike_dsrs()
        for found in names:
            self.stdout.write(_text(found))
        for group in dsrs:
            self.stdout.write(f"may count twice: {', '.join(f'DSR {dsr.pk} ({dsr.path!a})' for dsr in group)}")
        groups = _counted(len(dsrs), "group")
        self.stdout.write(f"{_counted(len(names), 'name')} with look-alikes, {groups} of DSRs that may count twice.")


def _text(found: LookAlikes) -> str:
    spelled = spelled_apart(*found.dsr_counts)
    numbers = [_counted(count, "DSR") for count in found.dsr_counts.values()]
    counts = (f"{name} ({number})" for name, number in zip(spelled, numbers, strict=True))
    return f"{found.kind}{f' of {found.dsp!r}' if found.dsp else ''}: {', '.join(counts)}"


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
