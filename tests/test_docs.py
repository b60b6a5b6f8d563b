"""The documentation matches the code and the repository."""

import configparser
import re
from enum import StrEnum
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings

from catalogue.reports.formats import registry
from catalogue.reports.problems import CommonError, CommonWarning, ErrorCode, WarningCode
from tests.pictures import PICTURES

ROOT = Path(settings.BASE_DIR)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def page(name: str) -> str:
    return (ROOT / name).read_text()


def section(text: str, heading: str) -> str:
    """The text under a heading of the second level; empty if there is no such heading."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


# --- Links -----------------------------------------------------------------------------------------------------


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def links(text: str) -> list[str]:
    """The targets of all relative links, without those of pictures."""
    found = re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", without_code(text))
    return [link for link in found if "://" not in link]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to headings of words, digits and hyphens."""
    headings = re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file_and_a_heading(path):
    broken = []
    for link in re.findall(r"\]\(([^)]+)\)", without_code(path.read_text())):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
            broken.append(link)
    assert broken == []


def test_the_index_links_every_page_with_a_sentence():
    index = ROOT / "docs" / "README.md"
    rows = re.findall(r"^- \[[^\]]+\]\(([^)#]+)[^)]*\): .+\.$", index.read_text(), re.MULTILINE)
    also = {"../README.md", "decisions/README.md"}
    linked = {(index.parent / name).resolve() for name in {*rows, *also}}
    assert linked == {*PAGES} - {index}
    # Every row is of this form, and no list names a page twice.
    assert len(rows) == index.read_text().count("\n- ")
    for part in index.read_text().split("\n## "):
        names = links(part)
        assert len(names) == len(set(names))


def test_each_folder_with_decisions_lists_all_of_them():
    folder = ROOT / "docs" / "decisions"
    listed = {(folder / link).resolve() for link in links((folder / "README.md").read_text())}
    assert listed == set(folder.glob("*.md")) - {folder / "README.md"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_page_has_a_heading_twice(path):
    """A second heading of one name would have another anchor."""
    headings = re.findall(r"^#+ (.+)$", without_code(path.read_text()), re.MULTILINE)
    if path.name != "changelog.md":  # whose headings repeat under each release
        assert len(headings) == len(set(headings))


# --- Pictures --------------------------------------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n"
MOST_BYTES = 150_000


def pictures() -> dict[Path, str]:
    """The alternative text of each picture that a page shows."""
    found = [(path.parent, *shown) for path in PAGES for shown in re.findall(r"!\[(.*?)\]\((.+?)\)", path.read_text())]
    return {(folder / name).resolve(): text for folder, text, name in found}


def test_the_pages_show_the_pictures_that_the_program_takes():
    assert set(pictures()) == {picture.path for picture in PICTURES} == set((ROOT / "docs" / "pictures").iterdir())


def test_every_picture_is_a_small_png_with_an_alternative_text():
    for path, text in pictures().items():
        content = path.read_bytes()
        assert content.startswith(PNG)
        assert len(content) < MOST_BYTES
        assert len(text.split()) > 3


# --- The glossary ----------------------------------------------------------------------------------------------


def test_the_glossary_explains_each_word_once_in_alphabetical_order():
    terms = [term.casefold() for term in re.findall(r"^- \*\*(.+?)\*\*", page("docs/glossary.md"), re.MULTILINE)]
    assert terms == sorted(set(terms))
    assert {"dsr", "delivery", "resource", "scope", "cached ranking", "catalogue refresh", "mark"} <= set(terms)
    assert {"api key", "webhook", "outbox", "template", "drop folder", "price limit", "crossing"} <= set(terms)
    assert {"cluster", "coordinator", "node", "shard", "token", "series"} <= set(terms)


def test_the_models_of_the_glossary_exist():
    named = re.findall(r"\(models? (`[^)]+)\)", page("docs/glossary.md"))
    models = {name for text in named for name in re.findall(r"`(\w+)`", text)}
    assert len(models) > 20
    assert models - {model.__name__ for model in apps.get_models()} == set()


@pytest.mark.parametrize("name", ["README.md", "docs/development.md"])
def test_the_glossary_is_linked(name):
    assert "glossary.md)" in page(name)


# --- Codes of problems -----------------------------------------------------------------------------------------


def listed_codes(text: str) -> list[str]:
    """The codes in the first column of the tables of a text."""
    rows = re.findall(r"^\| (`[a-z_0-9`, ]+`) \|", text, re.MULTILINE)
    return [code for row in rows for code in re.findall(r"`(\w+)`", row)]


def codes_of_format(name: str, base: type[StrEnum]) -> list[str]:
    modules = f"catalogue.reports.formats.{name}."
    return [code for one in base.__subclasses__() if one.__module__.startswith(modules) for code in one]


def format_names() -> list[str]:
    """The folders of the registered formats."""
    kinds = [one if isinstance(one, type) else type(one) for one in registry.kinds()]
    return [kind.__module__.split(".")[-2] for kind in kinds]


@pytest.mark.parametrize(("heading", "codes"), [("Errors", CommonError), ("Warnings", CommonWarning)])
def test_the_page_on_importing_lists_the_codes_of_all_formats(heading, codes):
    assert sorted(listed_codes(section(page("docs/import.md"), heading))) == sorted(codes)


@pytest.mark.parametrize("name", format_names())
def test_the_page_of_a_format_lists_its_own_codes(name):
    text = page(f"docs/formats/{name}.md")
    assert f"](formats/{name}.md)" in page("docs/import.md")
    assert sorted(listed_codes(section(text, "Errors"))) == sorted(codes_of_format(name, ErrorCode))
    assert sorted(listed_codes(section(text, "Warnings"))) == sorted(codes_of_format(name, WarningCode))


# --- The page for contributors ---------------------------------------------------------------------------------

DEVELOPMENT = page("docs/development.md")
HOW_TOS = ["Add a file format", "Add an endpoint", "Add a report", "Change the ranking"]
# A name in angle brackets stands for any format or domain. These exist.
EXAMPLES = {"<format>": "tsv", "<domain>": "dsrs"}


def contract(name: str) -> list[str]:
    """The layers of an import-linter contract, from the top."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config[f"importlinter:contract:{name}"]["layers"].split("\n")[1:]


def picture() -> str:
    return section(DEVELOPMENT, "The layers").partition("```mermaid\n")[2].partition("```")[0]


def drawn_layers(application: str) -> list[str]:
    """The layers of an application in the picture, from the top, named as in the contracts."""
    box = picture().partition(f"subgraph {application}\n")[2].partition(" end\n")[0]
    above, layers = None, []
    for line in box.split("\n")[1:-1]:
        arrow = re.fullmatch(r' *(?:(\w+) --> )?(\w+)\["(.+)"\]', line)
        assert arrow, f"The picture of {application} has a line that is not the next layer: {line!r}"
        assert arrow[1] == above, f"The arrow in {line!r} does not start at the layer above, {above}."
        above = arrow[2]
        layers.append(re.sub(r"[\w.]+", rf"{application}.\g<0>", arrow[3]))
    return layers


def drawn_arrows() -> set[tuple[str, str]]:
    """The arrows between applications in the picture."""
    return set(re.findall(r"^    (\w+) --> (\w+)$", picture(), re.MULTILINE))


@pytest.mark.parametrize(
    ("application", "name"), [("catalogue", "doors"), ("subscriptions", "usage-doors"), ("dsrhub", "shared")]
)
def test_the_picture_has_the_layers_of_the_contracts(application, name):
    drawn, stated = drawn_layers(application), contract(name)
    assert drawn == stated, f"docs/development.md and the contract {name!r} in setup.cfg have different layers."


def test_the_picture_has_graphql_above_both_applications_and_dsrhub_below():
    *layers, applications = contract("graphql")
    assert drawn_layers("graphql_schema") == layers
    below = applications.split(" | ")
    assert drawn_arrows() == {("graphql_schema", name) for name in below} | {(name, "dsrhub") for name in below}


@pytest.mark.parametrize("heading", HOW_TOS)
def test_a_how_to_has_at_most_ten_lines(heading):
    lines = [line for line in section(DEVELOPMENT, heading).splitlines() if line]
    assert 1 <= len(lines) <= 10


def test_the_page_for_contributors_names_only_paths_that_exist():
    paths = [
        name
        for name in re.findall(r"`([\w.<>/-]+)`", DEVELOPMENT)
        if ("/" in name or name.endswith((".py", ".cfg", ".md"))) and not name.startswith("/")
    ]
    for placeholder, example in EXAMPLES.items():
        paths = [path.replace(placeholder, example) for path in paths]
    assert len(paths) > len(HOW_TOS)
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_that_a_page_names_exists(path):
    text = path.read_text()
    modules = re.findall(r"`(\w[\w./]*/[\w.]+\.py)`", text)
    programs = [name.replace(".", "/") + ".py" for name in re.findall(r"python -m ((?:tests|dsrhub)[\w.]+)", text)]
    assert [module for module in [*modules, *programs] if not (ROOT / module).exists()] == []
