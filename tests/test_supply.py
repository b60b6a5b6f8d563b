"""The requirements of dsrhub are pinned and locked with hashes, and their licences are listed."""

import importlib.metadata
import json
import re

import pytest
from django.conf import settings

REQUIREMENTS = (settings.BASE_DIR / "requirements.txt").read_text()
LOCK = (settings.BASE_DIR / "docs" / "requirements.lock").read_text()
# What drop folders on other machines need.
FOLDERS = (settings.BASE_DIR / "docs" / "requirements-folders.txt").read_text()
FOLDERS_LOCK = (settings.BASE_DIR / "docs" / "requirements-folders.lock").read_text()
BOTH = pytest.mark.parametrize(
    ("requirements", "lock"), [(REQUIREMENTS, LOCK), (FOLDERS, FOLDERS_LOCK)], ids=["all", "folders"]
)
LICENCES = (settings.BASE_DIR / "docs" / "licences.md").read_text()


def pins(text):
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[\w+\])?==([^\s\\]+)", text, re.MULTILINE)
    return {re.sub("[-_.]+", "-", name).lower(): version for name, version in found}


@BOTH
def test_every_requirement_is_pinned(requirements, lock):
    asked = [line for line in requirements.splitlines() if line and not line.startswith("#")]
    assert len(pins(requirements)) == len(asked) > 0


@BOTH
def test_the_lock_has_every_requirement_with_its_version(requirements, lock):
    assert pins(requirements).items() <= pins(lock).items()


@BOTH
def test_the_lock_has_nothing_that_no_requirement_needs(requirements, lock):
    needed, found = list(pins(requirements)), set()
    while needed:
        name = needed.pop()
        if name not in found:
            found.add(name)
            needed += [required for required in requirements_of(name) if required in pins(lock)]
    assert found == pins(lock).keys()


def test_packages_of_both_locks_have_one_version():
    both = pins(LOCK).keys() & pins(FOLDERS_LOCK).keys()
    assert {name: pins(LOCK)[name] for name in both} == {name: pins(FOLDERS_LOCK)[name] for name in both}


def requirements_of(package):
    """The names of the packages that an installed package may require."""
    words = [re.match("[A-Za-z0-9._-]+", each)[0] for each in importlib.metadata.requires(package) or []]
    return [re.sub("[-_.]+", "-", word).lower() for word in words]


@BOTH
def test_every_locked_package_has_a_hash_and_no_address(requirements, lock):
    packages = re.split(r"\n(?=[A-Za-z])", lock.strip())
    assert len(packages) == len(pins(lock))
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", package) for package in packages)
    assert "://" not in lock


def test_the_licence_of_every_locked_package_is_listed_with_its_version():
    rows = re.findall(r"^\| (\S+) \| (\S+) \| ([^|]+) \|$", LICENCES, re.MULTILINE)
    rows = [row for row in rows if row != ("Name", "Version", "License")]
    listed = {re.sub("[-_.]+", "-", name).lower(): version for name, version, _ in rows}
    assert listed == pins(LOCK) | pins(FOLDERS_LOCK)
    assert "UNKNOWN" not in [licence for _, _, licence in rows]


# --- The packages of npm, for tests only -----------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["typescript", "axe"])
def test_every_package_of_npm_is_locked_with_a_hash_and_without_a_registry(folder):
    npm = settings.BASE_DIR / "tests" / folder
    asked = json.loads((npm / "package.json").read_text())["devDependencies"]
    root, *packages = json.loads((npm / "package-lock.json").read_text())["packages"].items()
    assert root[1]["devDependencies"] == asked
    locked = {name.removeprefix("node_modules/"): package for name, package in packages}
    assert {name: locked[name]["version"] for name in asked} == asked
    assert [name for name, package in locked.items() if not package["integrity"].startswith("sha512-")] == []
    assert [name for name, package in locked.items() if "resolved" in package] == []
