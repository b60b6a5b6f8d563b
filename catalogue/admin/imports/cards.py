"""An import job as its page shows it: progress, findings, totals and what the user can do next."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from django.contrib.admin.utils import label_for_field
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from catalogue.admin.cells import problem_counts
from catalogue.admin.declared import DeclaredForm
from catalogue.admin.excerpts import delivered_line
from catalogue.imports.loading.values import value_text
from catalogue.imports.queue.selectors import JobProgress, job_progress
from catalogue.imports.queue.shown import earlier_ids, found_in, shown_dsrs
from catalogue.models import DSR, ImportJob, ReportProblem
from catalogue.rates.sources import source_text
from catalogue.reports.formats.registry import explanation
from dsrhub.values.cells import grouped, money, plain, rounded
from dsrhub.values.numbers import WIDE, difference

State = ImportJob.State
# How many DSRs that a replacement lacks are listed.
SHOWN_MISSING = 20
RATE_DECIMALS = 6


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
        "rate": rounded(Decimal(preview["rate"]["value"]), RATE_DECIMALS) if preview.get("rate") else "",
        "rate_source": source_text(preview["rate"]["source"]) if preview.get("rate") else "",
        "report": _labelled(preview.get("report") or []),
        **_dsr_table(preview),
        "totals": totals and _totals(totals),
        "compared": _compared_deliveries(preview),
        "rate_links": _rate_links(job, preview.get("missing_rates", [])),
        "problem_counts": problem_counts(errors, warnings),
        "problem_groups": _problem_groups(preview.get("problems", []), preview.get("code_counts", {})),
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
        "asks_template": _asks_template(job),
        # The names of the templates that recognise it, where there are several.
        "recognising": preview.get("templates", []),
        "offers_template": job.state == State.REFUSED and job.stored_name != "" and _asks_template(job),
        "can_check_again": job.state in (State.CHECKED, State.REFUSED) and job.stored_name != "",
    }


def _asks_template(job: ImportJob) -> bool:
    """Whether a user may choose the template of a file: not where another format reads it."""
    is_read_by_one = job.template_id is not None or job.template_version_id is not None
    return is_read_by_one or (job.preview or {}).get("asks_template", False)


def _labelled(pairs: Sequence[Sequence[Any]]) -> list[tuple[Any, Any]]:
    """The facts that have a value. Their names are stored in English, and the template translates them."""
    return [(name, value) for name, value in pairs if value]


def _problem_groups(problems: Sequence[dict[str, Any]], counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """The first problems of each code together, with their number, what the code means and what to do about it."""
    by_code: dict[str, list[dict[str, Any]]] = {}
    for problem in problems:
        by_code.setdefault(problem["code"], []).append(problem)
    return [
        {
            "count": _level_count(those[0]["level"], counts.get(code, len(those))),
            "explanation": explanation(code).translated(),
            "problems": [_problem_row(problem) for problem in those],
        }
        for code, those in by_code.items()
    ]


def _level_count(level: str, count: int) -> str:
    """The number of problems of a code, which all have the same level, such as "3 errors"."""
    return problem_counts(count, 0) if level == ReportProblem.Level.ERROR else problem_counts(0, count)


def _problem_row(problem: dict[str, Any]) -> dict[str, Any]:
    line, file = problem["line"], problem.get("file")
    place = "" if line is None else grouped(line)
    return {
        **problem,
        "value": value_text(problem["code"], problem["value"]),
        "level_label": ReportProblem.Level(problem["level"]).label,
        "place": ": ".join(filter(None, (file, place))),
        # Workers of earlier releases keep no line.
        "delivered_line": delivered_line(problem.get("excerpt")),
    }


def _rate_links(job: ImportJob, missing: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """For each missing exchange rate, what to enter, and the filled-in form. It leads back to the page of the job."""
    links = []
    for currency, start, end in missing if job.state == State.REFUSED else ():
        query = {"currency": currency, "period_start": start, "period_end": end, "upload": job.upload}
        values = {"currency": currency, "start": start, "end": end}
        text = _("Enter the rate of %(currency)s from %(start)s to %(end)s") % values
        links.append((text, reverse("admin:catalogue_operatorrate_add", query=query)))
    return links


# --- An earlier delivery beside this one -----------------------------------------------------------------------


def _compared_deliveries(preview: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each measure of the earlier delivery and of this file; none where one of both is not a single DSR.

    Workers of earlier releases keep less of the earlier delivery: what is missing is blank.
    """
    earlier, totals = preview.get("earlier"), preview.get("totals")
    if not earlier or not totals or preview.get("dsrs"):
        return []
    currency, rate = totals["currency"], (preview.get("rate") or {}).get("value")
    old_revenue, new_revenue = Decimal(earlier["total_revenue"]), Decimal(totals["total_revenue"])
    imported_at = timezone.localtime(datetime.fromisoformat(earlier["imported_at"]))
    return [
        _compared_row(_("lines"), earlier["line_count"], totals["line_count"]),
        _compared_row(_("usages"), earlier.get("total_usages"), totals["total_usages"]),
        _compared_row(_("revenue"), old_revenue, new_revenue, currency),
        _compared_row(
            _("revenue in EUR"), _in_eur(old_revenue, earlier.get("rate")), _in_eur(new_revenue, rate), "EUR"
        ),
        {"name": _("imported at"), "cells": [f"{imported_at:%Y-%m-%d %H:%M}", _("not yet"), ""]},
    ]


def _compared_row(name: str, old: Any, new: Any, currency: str = "") -> dict[str, Any]:
    numbers = [None if one is None else Decimal(one) for one in (old, new)]
    before, now = numbers
    change = None if before is None or now is None else difference(now, before)
    cells = [_amount(number, currency) for number in (before, now)]
    sign = "+" if change is not None and change > 0 else ""
    return {"name": name, "cells": [*cells, format_html("{}{}", sign, _amount(change, currency))]}


def _in_eur(revenue: Decimal, rate: str | None) -> Decimal | None:
    return None if rate is None else WIDE.divide(revenue, Decimal(rate))


def _amount(number: Decimal | None, currency: str) -> SafeString | str:
    """An amount, or without a currency a count; blank where it is not known."""
    if number is None:
        return ""
    return money(number, currency) if currency else plain(number) or ""


def _declared_form(job: ImportJob, preview: dict[str, Any]) -> DeclaredForm:
    form = DeclaredForm.of_job(job)
    found = found_in(preview)
    if found is not None and found.revenue is None:
        del form.fields["revenue"]  # There is no sum of several currencies.
    return form


def _dsr_table(preview: dict[str, Any]) -> dict[str, Any]:
    """Return the table of the DSRs of a message, or of another delivery of several. Others have none.

    The DSRs of a message of DDEX have declared numbers, and those of a file that a template reads do not.
    """
    message = preview.get("message", [])
    found = shown_dsrs(preview) if message else preview.get("dsrs", [])
    # The page shows the recipient and the period of a message once.
    names = [name for one in found for name, value in one["report"] or [] if value]
    has_declared = any(one.get("declared") for one in found)
    keys = [name for name in dict.fromkeys(names) if not (has_declared and name in ("society", "period"))]
    return {
        "has_declared": has_declared,
        "message": _labelled(message),
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
    currency = key.get("currency") or ""
    return {
        "context": ", ".join(value for _name, value in report if value),
        "key": [key.get(name) or "" for name in keys],
        "lines": _count(totals.get("line_count")),
        "declared_usages": _count(declared.get("usages")),
        "usages": _count(totals.get("total_usages")),
        "has_more_usages": _exceeds(totals.get("total_usages"), declared.get("usages")),
        "declared_revenue": _money(declared.get("revenue"), currency),
        "revenue": _money(totals.get("total_revenue"), currency),
        "unallocated": _money(declared.get("unallocated"), currency),
        "rate": found["rate"] and rounded(Decimal(found["rate"]["value"]), RATE_DECIMALS),
        "earlier": found["earlier"] and _earlier_cell(found["earlier"], currency),
    }


def _earlier_cell(earlier: dict[str, Any], currency: str) -> dict[str, Any]:
    return {
        "id": earlier["id"],
        "lines": grouped(earlier["line_count"]),
        "revenue": _money(earlier["total_revenue"], currency),
    }


def _control_row(found: dict[str, Any]) -> dict[str, Any]:
    """The sums of all DSRs of one currency."""
    currency = found["currency"]
    return {
        "currency": currency,
        "dsrs": grouped(found["dsr_count"]),
        "without_lines": grouped(found["without_lines_count"]),
        "lines": grouped(found["line_count"]),
        "declared_usages": _count(found["declared_usages"]),
        "usages": _count(found["total_usages"]),
        "declared_revenue": _money(found["declared_revenue"], currency),
        "revenue": _money(found["total_revenue"], currency),
        "unallocated": _money(found["unallocated_revenue"], currency),
    }


def _count(number: int | str | None) -> str:
    return "" if number is None else plain(Decimal(number)) or ""


def _money(amount: str | None, currency: str) -> SafeString | str:
    return "" if amount is None else money(Decimal(amount), currency)


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
