"""An import job as its page shows it: progress, findings, totals and what the user can do next."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from django.contrib.admin.utils import label_for_field
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _

from catalogue.admin.cells import problem_counts
from catalogue.admin.declared import DeclaredForm
from catalogue.imports.preview import earlier_ids, found_in, shown_dsrs
from catalogue.imports.selectors import JobProgress, job_progress
from catalogue.models import DSR, ImportJob
from catalogue.reports.formats.registry import explanation
from dsrhub.cells import grouped, money

State = ImportJob.State
# How many DSRs that a replacement lacks are listed.
SHOWN_MISSING = 20


def job_card(job: ImportJob, in_work: set[int], same_key: Sequence[ImportJob]) -> dict[str, Any]:
    """Return what the page shows of a file. `same_key` are the other files of the upload that have one of its keys."""
    preview = job.preview or {}
    totals = preview.get("totals")
    errors, warnings = preview.get("error_count", 0), preview.get("warning_count", 0)
    more_problems = errors + warnings - len(preview.get("problems", []))
    return {
        "job": job,
        "size": filesizeformat(job.total_size),
        "part_names": [file.name for file in job.files[1:]],
        "missing": [text for _number, text in preview.get("missing", [])[:SHOWN_MISSING]],
        "more_missing": grouped(len(preview.get("missing", [])) - SHOWN_MISSING),
        "progress": job_progress_json(job, in_work),
        "preview": preview,
        **_dsr_table(preview),
        "totals": totals and _totals(totals),
        "problem_counts": problem_counts(errors, warnings),
        "problem_groups": _problem_groups(preview.get("problems", [])),
        "more_problems": grouped(more_problems) if more_problems > 0 else "",
        "download": _download_label(preview.get("kept_count", 0), errors + warnings) if job.stored_name else "",
        # A line may have more cells than there are columns.
        "first_lines": [list(zip_longest(preview["columns"], line)) for line in preview.get("lines", [])],
        "dsr": DSR.objects.filter(pk=job.dsr_number).first() if job.dsr_number is not None else None,
        "declared": _declared_form(job, preview) if job.state == State.CHECKED else None,
        "same_key": ", ".join(other.name for other in same_key),
        "replaced_files": ", ".join(other.name for other in same_key if other.pk < job.pk),
        "is_waiting": job.state in ImportJob.WORK,
        "is_open": job.state in ImportJob.OPEN and job.stored_name != "",
        "can_check_again": job.state in (State.CHECKED, State.REFUSED) and job.stored_name != "",
    }


def _problem_groups(problems: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The problems of each code together, with what the code means and what to do about it."""
    by_code: dict[str, list[dict[str, Any]]] = {}
    for problem in problems:
        by_code.setdefault(problem["code"], []).append(problem)
    return [{"code": code, "explanation": explanation(code), "problems": those} for code, those in by_code.items()]


def _declared_form(job: ImportJob, preview: dict[str, Any]) -> DeclaredForm:
    form = DeclaredForm.of_job(job)
    found = found_in(preview)
    if found is not None and found.revenue is None:
        del form.fields["revenue"]  # There is no sum of several currencies.
    return form


def _dsr_table(preview: dict[str, Any]) -> dict[str, Any]:
    """Return the table of the DSRs of a message, or of another delivery of several. Others have none."""
    message = preview.get("message", [])
    found = shown_dsrs(preview) if message else preview.get("dsrs", [])
    # The page shows the recipient and the period of a message once.
    names = [name for one in found for name, value in one["report"] or [] if value]
    keys = [name for name in dict.fromkeys(names) if not (message and name in ("society", "period"))]
    return {
        "message": message,
        "dsr_keys": keys,
        "dsrs": [_dsr_row(one, keys) for one in found],
        "dsr_count": grouped(preview.get("dsr_count", len(found))),
        "has_more_dsrs": preview.get("dsr_count", 0) > len(found),
        "control_totals": [_control_row(one) for one in preview.get("control_totals", [])],
        "replaced_count": grouped(len(earlier_ids(preview))),
    }


def _dsr_row(found: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    """One DSR of a message, or of another delivery of several."""
    totals, declared, report = found["totals"] or {}, found.get("declared") or {}, found["report"] or []
    key = dict(report)
    return {
        "context": ", ".join(value for _name, value in report if value),
        "key": [key.get(name) or "" for name in keys],
        "lines": _grouped(totals.get("line_count")),
        "declared_usages": _grouped(declared.get("usages")),
        "usages": _grouped(totals.get("total_usages")),
        "has_more_usages": _exceeds(totals.get("total_usages"), declared.get("usages")),
        "declared_revenue": _grouped(declared.get("revenue")),
        "revenue": _grouped(totals.get("total_revenue")),
        "unallocated": _grouped(declared.get("unallocated")),
        "rate": found["rate"],
        "earlier": found["earlier"],
    }


def _control_row(found: dict[str, Any]) -> dict[str, Any]:
    """The sums of all DSRs of one currency."""
    return {
        "currency": found["currency"],
        "dsrs": grouped(found["dsr_count"]),
        "without_lines": grouped(found["without_lines_count"]),
        "lines": grouped(found["line_count"]),
        "declared_usages": grouped(found["declared_usages"]),
        "usages": grouped(found["total_usages"]),
        "declared_revenue": grouped(found["declared_revenue"]),
        "revenue": grouped(found["total_revenue"]),
        "unallocated": grouped(found["unallocated_revenue"]),
    }


def _grouped(number: int | str | None) -> str:
    return "" if number is None else grouped(number)


def _exceeds(found: str | None, declared: str | None) -> bool:
    return found is not None and declared is not None and Decimal(found) > Decimal(declared)


def _download_label(kept: int, count: int) -> str:
    """Return the text of the link to the stored problems, or "" if none is stored."""
    if kept < count:
        counts = {"kept": grouped(kept), "count": grouped(count)}
        return _("Download the stored problems (%(kept)s of %(count)s) as CSV") % counts if kept else ""
    return _("Download all problems (%s) as CSV") % grouped(count)


def _totals(totals: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (_("lines"), grouped(totals["line_count"])),
        (_("usages"), grouped(totals["total_usages"])),
        (_("revenue"), money(Decimal(totals["total_revenue"]), totals["currency"])),
        *((str(label_for_field(name, DSR)), grouped(totals["blank"][name])) for name in DSR.BLANK_COUNTS),
    ]


def job_progress_json(job: ImportJob, in_work: set[int]) -> dict[str, Any]:
    """Return the progress of a job as a text and as a share. The page reloads when `state` changes."""
    progress = job_progress(job, is_worked_on=job.pk in in_work, now=timezone.now())
    return {
        "state": job.state,
        "label": job.get_state_display(),
        "share": progress.share,
        "text": _progress_text(job, progress),
    }


def _progress_text(job: ImportJob, progress: JobProgress) -> str:
    if job.state not in ImportJob.WORK:
        return ""
    if not progress.is_worked_on:
        return _("Waiting for a worker.")
    doing = _("Checking") if job.state == State.TO_CHECK else _("Loading")
    if progress.bytes_per_second is None or progress.seconds_left is None:
        return f"{doing} …"
    if progress.share >= 1:
        return _("%s: the whole file is read; building indexes and adding up …") % doing
    parts = [
        f"{doing}: {progress.share:.0%}",
        _("%(done)s of %(size)s") % {"done": filesizeformat(job.bytes_done), "size": filesizeformat(job.total_size)},
        _("%s per second") % filesizeformat(progress.bytes_per_second),
        _("%s left") % _duration(progress.seconds_left),
    ]
    if progress.line_count is not None:
        parts.insert(1, _("about %(done)s of %(all)s lines") % _line_counts(progress))
    return ", ".join(parts)


def _line_counts(progress: JobProgress) -> dict[str, str]:
    return {"done": grouped(progress.lines_done or 0), "all": grouped(progress.line_count or 0)}


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
