"""What people saw of a checked file, read from the preview that is stored. See `preview`."""

from datetime import date
from decimal import Decimal
from typing import Any

from catalogue.dsrs.declared import FoundTotals
from catalogue.models import ImportJob


def found_in(preview: dict[str, Any]) -> FoundTotals | None:
    """The totals of a checked delivery. Workers of earlier releases do not store them."""
    found = preview.get("found")
    if not found:
        return None
    revenue = found["revenue"]
    return FoundTotals(Decimal(found["lines"]), Decimal(found["usages"]), None if revenue is None else Decimal(revenue))


def lacks_rate(job: ImportJob, *, currency: str, period_start: date, period_end: date) -> bool:
    """Whether a file was refused as there was no exchange rate of this currency and period."""
    key = [currency, period_start.isoformat(), period_end.isoformat()]
    return job.state == ImportJob.State.REFUSED and key in (job.preview or {}).get("missing_rates", [])


def earlier_shown(job: ImportJob) -> list[int]:
    """The ids of the earlier DSRs that people saw, or saw counted, when they chose to replace them."""
    return earlier_ids(job.preview or {})


def earlier_ids(preview: dict[str, Any]) -> list[int]:
    """The ids of all DSRs that a delivery would replace."""
    # Workers of earlier releases store all DSRs of a delivery, and no list of ids.
    found = [one["earlier"]["id"] for one in shown_dsrs(preview) if one.get("earlier")]
    return [number for number in preview.get("earlier_ids", found) if number is not None]


def missing_shown(job: ImportJob) -> list[int]:
    """The ids of the DSRs that people saw when they chose to drop missing contexts."""
    return [number for number, _ in (job.preview or {}).get("missing", [])]


def shown_dsrs(preview: dict[str, Any]) -> list[dict[str, Any]]:
    """The DSRs of a preview, of many the first. Where there is only one, its values are those of the preview itself."""
    return preview.get("dsrs") or [preview]
