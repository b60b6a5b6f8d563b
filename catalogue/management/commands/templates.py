"""Templates of column files: list, export, import, check and try them."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from catalogue.exceptions import InvalidTemplate
from catalogue.models import Template
from catalogue.report_templates.selectors import template_named, template_version
from catalogue.report_templates.services import (
    document_parts,
    template_activate,
    template_clone,
    template_delete,
    template_export,
    template_import,
)
from catalogue.report_templates.shipped import shipped_documents
from catalogue.reports.delivery import Delivery
from catalogue.reports.formats.templates.checking import Check, check
from catalogue.reports.formats.templates.definition import Definition
from catalogue.reports.formats.templates.validation import definition_checked
from dsrhub.commands import DsrhubCommand, whole_number
from dsrhub.texts.wording import printable

SHOWN = 20
LONGEST_VALUE = 200


class Command(DsrhubCommand):
    help = "List, export, import, clone, validate and try the templates of column files."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="list all templates")
        export = actions.add_parser("export", help="print a template as JSON")
        export.add_argument("name", help="the name of the template")
        export.add_argument("--version-number", type=whole_number, metavar="N", help="not the latest version, but this")
        importing = actions.add_parser("import", help="save templates from JSON files")
        importing.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="a JSON file")
        importing.add_argument(
            "--replace", action="store_true", help="save a file as the next version of a template of its name"
        )
        importing.add_argument(
            "--shipped", action="store_true", help="also add those shipped with dsrhub whose names are not there"
        )
        clone = actions.add_parser("clone", help="make a new template with the definition of another one, inactive")
        clone.add_argument("name", help="the name of the template")
        clone.add_argument("new_name", help="the name of the new one")
        for action, text in (
            ("activate", "let a template recognise files"),
            ("deactivate", "let a template recognise no files"),
            ("delete", "delete a template that has read no file"),
        ):
            actions.add_parser(action, help=text).add_argument("name", help="the name of the template")
        validate = actions.add_parser("validate", help="tell what is wrong with JSON files, and save nothing")
        validate.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a JSON file")
        trying = actions.add_parser("try", help="read a file by a template, show the totals, and import nothing")
        trying.add_argument("template", help="the name of a template, or the path of a JSON file")
        trying.add_argument("path", type=Path, metavar="PATH", help="the file to read")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['action']}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        for template in Template.objects.all():
            state = "" if template.is_active else ", inactive"
            self.stdout.write(f"{template.name}: version {template.version_number}{state}")

    def _export(self, options: dict[str, Any]) -> None:
        template = template_named(options["name"])
        document = template_export(template_number=template.pk, version_number=options["version_number"])
        self.stdout.write(json.dumps(document, indent=2, ensure_ascii=False))

    def _import(self, options: dict[str, Any]) -> None:
        if not options["paths"] and not options["shipped"]:
            raise CommandError("Name a file, or give --shipped.")
        # Read first: a file that is wrong leaves no other one half done.
        documents = [(str(path), _document(path)) for path in options["paths"]]
        for path, document in documents:
            self._require_valid(path, document)
        for _path, document in documents:
            version = template_import(document=document, replace=options["replace"])
            self.stdout.write(f"{version.template.name}: version {version.number}")
        for document in shipped_documents() if options["shipped"] else []:
            if not Template.objects.filter(name=document["name"]).exists():
                version = template_import(document=document)
                self.stdout.write(f"{version.template.name}: version {version.number}")

    def _clone(self, options: dict[str, Any]) -> None:
        template = template_named(options["name"])
        version = template_clone(template_number=template.pk, name=options["new_name"])
        self.stdout.write(f"{version.template.name}: version {version.number}, inactive")

    def _activate(self, options: dict[str, Any]) -> None:
        template_activate(template_number=template_named(options["name"]).pk, is_active=True)

    def _deactivate(self, options: dict[str, Any]) -> None:
        template_activate(template_number=template_named(options["name"]).pk, is_active=False)

    def _delete(self, options: dict[str, Any]) -> None:
        template_delete(template_number=template_named(options["name"]).pk)

    def _validate(self, options: dict[str, Any]) -> None:
        for path in options["paths"]:
            self._require_valid(str(path), _document(path))
            self.stdout.write(f"{path}: valid")

    def _require_valid(self, path: str, document: object) -> Definition:
        try:
            return definition_checked(document_parts(document)[1])
        except InvalidTemplate as error:
            faults = [f"  {one.path or 'JSON'}: {one.code}: {one.text}" for one in error.extra["faults"]]
            raise CommandError("\n".join([f"{path}: not a valid template", *faults])) from None

    def _try(self, options: dict[str, Any]) -> None:
        name, path = options["template"], options["path"]
        template = Template.objects.filter(name=name).first()
        if template is not None:
            definition = definition_checked(template_version(template).definition)
        elif Path(name).is_file():
            definition = self._require_valid(name, _document(Path(name)))
        else:
            raise CommandError(f"There is no template {name!r}, and no such file.")
        try:
            found = check(Delivery(path, path.name), definition, problem_limit=SHOWN, context_limit=SHOWN)
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror or error}") from None
        for line in _result_lines(found):
            self.stdout.write(line)
        if found.problems.error_count:
            raise CommandError(f"{path.name}: {found.problems.error_count} errors.")


def _document(path: Path) -> object:
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise CommandError(f"{path}: not JSON: {error}") from None


def _result_lines(found: Check) -> list[str]:
    lines = [f"{found.line_count:,} rows of sales, {found.skipped_count:,} skipped, {found.context_count:,} DSRs"]
    lines += [
        f"{one.currency}: {one.context_count:,} DSRs, {one.line_count:,} lines, {one.usages:f} usages, "
        f"{one.revenue:f} revenue"
        for one in found.currencies
    ]
    lines += [
        f"  {one.context}: {one.line_count:,} lines, {one.usages:f} usages, {one.revenue:f} revenue"
        for one in found.contexts
    ]
    lines += [
        f"unknown {one.field} {one.value!r}, first on line {one.line}: {one.row_count:,} rows, "
        + ", ".join(f"{revenue:f} {currency}" for currency, revenue in one.revenue.items())
        for one in found.unmapped[:SHOWN]
    ]
    return lines + [
        f"line {one.line}, column {one.column}: {one.code}: {printable(one.value or '', LONGEST_VALUE)}"
        for one in found.problems.kept
    ]
