"""Writes the events of DSRs for webhooks, in the transaction of the change. `docs/webhooks.md` describes them."""

from collections.abc import Collection, Sequence

from catalogue.exceptions import DeliveryRefused
from catalogue.models import DSR
from catalogue.reports.delivery import LONGEST_NAME
from catalogue.reports.problems import ProblemLog, shown
from dsrhub.webhooks.models import EventType
from dsrhub.webhooks.outbox import event_write
from dsrhub.webhooks.payloads import Delivered, Failed, Replacing

# How many codes of problems an event has.
MOST_CODES = 20


def dsrs_tell(event_type: EventType, dsrs: Sequence[DSR], *, replaced: Collection[int] = ()) -> None:
    """Tell what became of the DSRs of one delivery, in one event; without any, nothing.

    `replaced` are the ids of those that stood before.
    """
    if not dsrs:
        return
    first = dsrs[0]
    data = Delivered(dsrs=[dsr.pk for dsr in dsrs], name=first.path, dsp=first.dsp, message=first.message_id)
    told = Replacing(**data, replaced=sorted(replaced)) if replaced else data
    event_write(event_type, subject=_of_dsp(first.dsp), data=told)


def failure_tell(*, name: str, refusal: DeliveryRefused, problems: ProblemLog, dsr: DSR | None = None) -> None:
    """Tell that a delivery was refused. Without a failed DSR, nobody may know what it was about.

    It has the codes of the problems, and not their values: these are cells of the file, which not everybody may see.
    """
    codes = dict.fromkeys(problem.code.value for problem in problems.errors)
    data = Failed(
        dsrs=[] if dsr is None else [dsr.pk],
        name=shown(name, LONGEST_NAME),
        dsp=None if dsr is None else dsr.dsp,
        code=refusal.code,
        error_count=refusal.error_count,
        warning_count=refusal.warning_count,
        problems=list(codes)[:MOST_CODES],
    )
    event_write(EventType.DSR_FAILED, subject=f"file:{data['name']}" if dsr is None else _of_dsp(dsr.dsp), data=data)


def _of_dsp(dsp: str) -> str:
    return f"dsp:{dsp}"
