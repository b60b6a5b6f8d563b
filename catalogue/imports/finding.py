"""Which files are to be imported: those that people name, and the reports in the folders that they name."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from catalogue.exceptions import NoReportFound
from catalogue.imports.recognition import is_recognised
from catalogue.reports.formats.registry import file_endings, has_report_ending, why_never_imported
from dsrhub.files.disk import FoundFile, ends_in, files_below
from dsrhub.texts.marked import Text
from dsrhub.texts.marked import gettext_lazy as _
from dsrhub.texts.wording import either

# Notes have these endings, too.
NOTES = (".txt", ".txt.gz")


@dataclass(frozen=True)
class LeftOut:
    """A path that is not imported, and why, for people."""

    path: Path
    reason: Text


@dataclass
class FoundReports:
    """The files to import, in the order of the paths, and what is left out.

    `skipped_files` are no reports, and `linked_folders` are not followed. `unread_folders` may have reports.
    """

    files: list[FoundFile] = field(default_factory=list)
    skipped_files: list[LeftOut] = field(default_factory=list)
    linked_folders: list[LeftOut] = field(default_factory=list)
    unread_folders: list[LeftOut] = field(default_factory=list)

    @property
    def left_out(self) -> list[LeftOut]:
        return [*self.skipped_files, *self.linked_folders, *self.unread_folders]


def reports_find(paths: Sequence[Path], *, is_template_chosen: bool = False) -> FoundReports:
    """The files in `paths`, and the reports in the folders in `paths`, which are sorted by path within each folder.

    A file that a person names is to be imported whatever its ending is, unless its name says that it is no report.
    Links to files are among the found ones: their import refuses them. A text file in a folder is a report only if a
    template recognises it, unless one was chosen: notes lie beside reports.

    Raises NoReportFound for a path that does not exist, for a folder without a report, and where nothing is to be
    imported.
    """
    found = FoundReports()
    for path in paths:
        if path.is_dir():
            _add_folder(found, path, is_template_chosen=is_template_chosen)
        elif not path.is_file():
            raise NoReportFound(_("%(path)s: no such file or folder.") % {"path": path}, left_out=found.left_out)
        elif reason := why_never_imported(path.name):
            found.skipped_files.append(LeftOut(path, reason))
        else:
            found.files.append(FoundFile(path))
    if not found.files:
        raise NoReportFound(_("There is no report to import."), left_out=found.left_out)
    return found


def _add_folder(found: FoundReports, folder: Path, *, is_template_chosen: bool) -> None:
    content = files_below(folder)
    reports = []
    for file in content.files:
        if reason := why_no_report(file.path.name):
            found.skipped_files.append(LeftOut(file.path, reason))
        elif ends_in(file.path.name, NOTES) and not is_template_chosen and not is_recognised(file):
            found.skipped_files.append(LeftOut(file.path, _("a text that no template recognises")))
        else:
            reports.append(file)
    found.linked_folders += [LeftOut(link, _("a link to a folder, which is not followed")) for link in content.links]
    for error in content.errors:
        found.unread_folders.append(
            LeftOut(Path(error.filename), _("cannot be read: %(why)s") % {"why": error.strerror})
        )
    if not reports:
        raise NoReportFound(
            _("%(folder)s: no %(endings)s file in this folder.")
            % {"folder": folder, "endings": either(file_endings())},
            left_out=found.left_out,
        )
    found.files += reports


def why_no_report(name: str) -> Text | None:
    """Why a file of this name, which a program found, is not imported, for people; None for a report."""
    if reason := why_never_imported(name):
        return reason
    if has_report_ending(name):
        return None
    return _("does not end in %(endings)s") % {"endings": either(file_endings())}
