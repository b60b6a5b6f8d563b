"""Each fenced block of the documentation is run or checked by a test, or says why not."""

import importlib.util
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from dsrhub import entrypoint, gunicorn
from tests.docs.blocks import BLOCKS, ELSEWHERE, PAGES, ROOT, commands

# What tests/docs/test_examples.py runs or compares.
EXAMPLES = {"graphql", "json", "python", "sql"}
# How many blocks of each page say why no test runs them. Their commands of manage.py are parsed all the same.
NOT_RUN = {
    "docs/cluster.md": 2,
    "docs/container.md": 2,
    "docs/development.md": 2,
    "docs/folders.md": 2,
    "docs/licences.md": 1,
    "docs/monitoring.md": 1,
    "docs/operation.md": 5,
    "docs/questions.md": 1,
    "docs/subscriptions.md": 1,
}
PYTHON = {"python", ".venv/bin/python", "python3"}


def is_checked(block):
    """Whether a test runs or checks a block."""
    if (block.page, block.language, block.marker) in ELSEWHERE or block.language in {*EXAMPLES, "yaml"}:
        return True
    return block.language == "sh" and all(
        words[0] in {"curl", "export"} or arguments_of_manage(words) or module_of(words) for words in commands(block)
    )


def test_each_block_is_checked_or_says_why_not():
    unchecked = [str(block) for block in BLOCKS if not (is_checked(block) or block.reason)]
    assert unchecked == []


def test_no_block_that_is_checked_says_why_not():
    assert [str(block) for block in BLOCKS if block.reason and is_checked(block)] == []


def test_the_blocks_that_no_test_runs_are_counted():
    assert Counter(block.page for block in BLOCKS if block.reason) == NOT_RUN
    assert [str(block) for block in BLOCKS if block.reason and len(block.reason.split()) < 3] == []


def test_the_tests_of_other_folders_read_the_pages_whose_blocks_they_check():
    for (page, _, _), test in ELSEWHERE.items():
        assert Path(page).name in (ROOT / test).read_text()
    pairs = {(block.page, block.language, block.marker) for block in BLOCKS}
    assert ELSEWHERE.keys() - pairs == set()


# --- Commands --------------------------------------------------------------------------------------------------


def arguments_of_manage(words):
    """The command of manage.py and its arguments that the words of a command of a shell run; None if they run none."""
    if len(words) > 2 and words[0] in PYTHON and words[1] == "manage.py":
        return words[2:]
    for runner, name in (("docker", "dsrhub"), ("docker", "web"), ("cluster", "web")):
        if words[0] == runner and "run" in words and name in words:
            return words[words.index(name, 2) + 1 :] or None
    return None


def module_of(words):
    """The module that the words of a command run, if it is ours."""
    if len(words) > 2 and words[0] in PYTHON and words[1] == "-m":
        return words[2] if words[2].split(".")[0] in {"tests", "dsrhub"} else None
    return None


def typed(words):
    """What a person types for a synopsis: all optional parts, one of what can be repeated, and a number for N."""
    plain = [re.sub(r"[\[\]]|\.\.\.", "", word) for word in words]
    return ["1" if word == "N" else word for word in plain]


ALL_COMMANDS = [(block, words) for block in BLOCKS if block.language == "sh" for words in commands(block)]
MANAGED = [(block, typed(found)) for block, words in ALL_COMMANDS if (found := arguments_of_manage(words))]
MODULES = [(module, words) for _, words in ALL_COMMANDS if (module := module_of(words))]


def test_many_commands_are_found():
    assert len(MANAGED) > 40
    assert len(MODULES) > 10


@pytest.mark.parametrize(
    ("block", "arguments"), MANAGED, ids=[f"{block} {arguments[0]}" for block, arguments in MANAGED]
)
def test_the_parser_of_a_command_accepts_its_example(block, arguments):
    name, *options = arguments
    application = get_commands()[name]
    command = load_command_class(application, name)
    # Raises CommandError where an option or an argument does not exist.
    command.create_parser("manage.py", name).parse_args(options)


def options_of(module):
    """The options that the source of a program, and of the modules of its package, declares."""
    path = Path(importlib.util.find_spec(module).origin)
    source = "".join(one.read_text() for one in path.parent.glob("*.py"))
    return set(re.findall(r'add_argument\(\s*"(--[\w-]+)"', source))


@pytest.mark.parametrize(("module", "words"), MODULES, ids=[" ".join(words) for _, words in MODULES])
def test_a_program_has_the_options_of_its_example(module, words):
    if module == "dsrhub.entrypoint":
        assert hasattr(entrypoint, words[3])
        return
    assert {word for word in words if word.startswith("--")} - options_of(module) == set()


FILES = re.compile(r"^(?:docs|tests|graphql_schema)/|^requirements.*\.txt$|^compose\.yaml$")


def test_the_files_that_commands_name_exist():
    named = {word for _, words in ALL_COMMANDS for word in words if FILES.search(word)}
    assert len(named) > 3
    assert [name for name in named if not (ROOT / name).exists()] == []


# --- Settings --------------------------------------------------------------------------------------------------

# Variables of a client, in an example.
OF_CLIENTS = {"DSRHUB_TOKEN"}


def test_every_setting_that_a_page_names_exists():
    known = set(re.findall(r"\bDSRHUB_[A-Z_]*[A-Z]\b", (ROOT / "dsrhub" / "settings.py").read_text())) | OF_CLIENTS
    named = {(name, path.name) for path in PAGES for name in re.findall(r"\bDSRHUB_[A-Z_]*[A-Z]\b", path.read_text())}
    assert {(name, page) for name, page in named if name not in known} == set()


def rows_of_settings():
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))


UNITS = {"MiB": 1024**2, "GiB": 1024**3}
DEFAULT = re.compile(r'\benv_(?:int|bool|factor)\(\s*"(\w+)",\s*default=([^,)]+)')


def plain_default(text):
    """A default of the code or of the page as a text: a number of bytes, a number, or on and off."""
    number, _, unit = text.strip().strip('"').partition(" ")
    if unit in UNITS:
        return str(int(number) * UNITS[unit])
    product = 1
    for factor in text.replace("_", "").replace("**", "^").split("*"):
        base, _, power = factor.strip().partition("^")
        if not base.isdigit():
            return {"True": "on", "False": "off"}.get(text, text.strip('" '))
        product *= int(base) ** int(power or 1)
    return str(product)


def test_the_page_of_settings_has_all_settings_with_the_defaults_of_the_code():
    source, page = (ROOT / "dsrhub" / "settings.py").read_text(), rows_of_settings()
    assert page.keys() == {"DATABASE_URL", *re.findall(r'"(DSRHUB_[A-Z_]+)"', source)}
    in_code = {name: plain_default(default) for name, default in DEFAULT.findall(source)}
    assert len(in_code) > 35
    depends = {"DSRHUB_HTTPS"}  # on whether there is a DATABASE_URL
    differing = {name for name, default in in_code.items() if plain_default(page[name]) != default}
    assert differing - depends == set()


def test_the_pages_for_operators_name_the_size_of_a_server():
    at_a_time = gunicorn.workers * gunicorn.threads
    for name in ("docs/operation.md", "docs/container.md"):
        assert f"{at_a_time} requests at a time" in (ROOT / name).read_text()


def test_the_page_of_the_upgrade_has_the_new_settings_with_their_defaults():
    table = (ROOT / "docs" / "upgrading.md").read_text().partition("## New settings")[2].partition("\n## ")[0]
    told = dict(re.findall(r"`(DSRHUB_\w+)` ([^,|]+?)(?=,| \|)", table))
    # Both files are those of ~/.ssh: the sentence names them together.
    together = {"DSRHUB_SFTP_KEY_FILE", "DSRHUB_SFTP_KNOWN_HOSTS"}
    defaults = {name: value for name, value in rows_of_settings().items() if name in told}
    assert {name: value for name, value in told.items() if name not in together} == {
        name: value for name, value in defaults.items() if name not in together
    }
    assert together <= set(re.findall(r"DSRHUB_\w+", table))


# --- YAML ------------------------------------------------------------------------------------------------------


def yaml_of(page):
    (block,) = [block for block in BLOCKS if (block.page, block.language) == (page, "yaml")]
    return yaml.safe_load(block.text)


def test_the_scrape_configuration_is_one_of_prometheus():
    document = yaml_of("docs/monitoring.md")
    (job,) = document["scrape_configs"]
    assert set(job) == {"job_name", "authorization", "static_configs"}
    assert set(job["authorization"]) == {"credentials_file"}
    assert [set(one) for one in job["static_configs"]] == [{"targets"}]
    assert [(ROOT / "docs" / "monitoring" / name).exists() for name in document["rule_files"]] == [True]


def test_the_override_of_compose_fits_its_services():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    override = yaml_of("docs/container.md")["services"]
    assert override.keys() <= services.keys()
    for name, service in override.items():
        assert service.keys() <= services[name].keys()
        assert service["environment"].keys() <= rows_of_settings().keys()
