"""What a version of a template changed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from catalogue.admin.report_templates.labels import path_label
from catalogue.models import TemplateVersion


class Change(NamedTuple):
    """A part of a definition that two versions have different values of; blank where one has none."""

    label: str
    before: str
    after: str


def version_changes(before: TemplateVersion | None, after: TemplateVersion) -> list[Change]:
    """What differs between two versions of a template; nothing for the first one."""
    if before is None:
        return []
    old, new = dict(_values(before.definition)), dict(_values(after.definition))
    paths = dict.fromkeys([*old, *new])
    return [_change(path, old, new) for path in paths if old.get(path, "") != new.get(path, "")]


def _change(path: tuple[str, ...], old: Mapping[Any, str], new: Mapping[Any, str]) -> Change:
    label = path_label(".".join(path[:3]))
    return Change(f"{label}: {path[3]}" if len(path) > 3 else label, old.get(path, ""), new.get(path, ""))  # noqa: PLR2004 - an entry of a map


def _values(data: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """The values of a definition as texts, by their paths."""
    for key, value in data.items():
        place = (*path, key)
        if isinstance(value, dict):
            yield from _values(value, place)
        else:
            yield place, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "✓" if value else ""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_entry, value))
    return "" if value is None else str(value).replace("\t", "⇥")


def _entry(value: Any) -> str:
    return f"{value['column']} => {' | '.join(value['values'])}" if isinstance(value, dict) else str(value)
