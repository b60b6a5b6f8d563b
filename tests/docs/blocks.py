"""The fenced blocks of the documentation, and the commands in blocks of shell.

A comment above a block marks it: `<!-- not run: it needs Docker -->` for a block that no test runs, or the words by
which another test finds it.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(
    r"^(?:(?P<marked> *)<!-- (?P<marker>[^>]+) -->\n)?(?P<indent> *)```(?P<language>\w*)\n", re.MULTILINE
)
# The tests that run or check the blocks of a page, by their language and their marker.
ELSEWHERE = {
    ("README.md", "python", "example"): "tests/test_clients.py",
    ("README.md", "js", "example"): "tests/test_clients.py",
    ("README.md", "sh", "example"): "tests/test_clients.py",
    ("README.md", "sh", "run"): ".ci/run",
    ("README.md", "sh", "test"): ".ci/run",
    ("README.md", "graphql", ""): "tests/graphql_schema/test_client.py",
    ("README.md", "json", ""): "tests/graphql_schema/test_client.py",
    ("docs/graphql.md", "graphql", ""): "tests/graphql_schema/test_client.py",
    ("docs/graphql.md", "json", ""): "tests/graphql_schema/test_client.py",
    ("docs/graphql.md", "python", ""): "tests/graphql_schema/test_client.py",
    ("docs/development.md", "mermaid", ""): "tests/test_docs.py",
    ("docs/formats/templates.md", "text", ""): "tests/catalogue/report_templates/test_doors.py",
    ("docs/formats/templates.md", "json", ""): "tests/catalogue/report_templates/test_doors.py",
    ("docs/formats/templates.md", "console", ""): "tests/catalogue/report_templates/test_doors.py",
    ("docs/integration.md", "python", "receiver"): "tests/webhooks/test_docs.py",
    ("docs/operation.md", "nginx", ""): "tests/http/test_proxy.py",
    ("docs/webhooks.md", "json", ""): "tests/webhooks/test_docs.py",
}
# What stands between two commands.
BETWEEN = ";&|()\n"
COMMENT = re.compile(r"(?:^|\s)#\s.*$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    text: str
    marker: str
    heading: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def reason(self) -> str:
        """Why no test runs it; empty if one does."""
        return self.marker.removeprefix("not run: ") if self.marker.startswith("not run: ") else ""


def blocks_of(path: Path) -> list[Block]:
    text = path.read_text()
    found, position = [], 0
    while fence := FENCE.search(text, position):
        content, _, _ = text[fence.end() :].partition(f"\n{fence['indent']}```")
        position = fence.end() + len(content) + len(fence["indent"]) + 4
        headings = re.findall("^#+ (.+)$", text[: fence.start()], re.MULTILINE)
        found.append(
            Block(
                page=path.relative_to(ROOT).as_posix(),
                line=text.count("\n", 0, fence.end()),
                language=fence["language"],
                text=re.sub(f"^{fence['indent']}", "", content, flags=re.MULTILINE) + "\n",
                marker=fence["marker"] or "",
                heading=headings[-1] if headings else "",
            )
        )
    return found


BLOCKS = [block for path in PAGES for block in blocks_of(path)]


def commands(block: Block) -> list[list[str]]:
    """The words of each command of a block of shell, in order, without comments and without the variables before it."""
    text = COMMENT.sub("", block.text.replace("\\\n", " "))
    lexer = shlex.shlex(text, posix=True, punctuation_chars=BETWEEN)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    found: list[list[str]] = [[]]
    for word in lexer:
        if word == ">":  # The file that a command writes.
            next(lexer)
        elif set(word) <= set(BETWEEN):
            found.append([])
        elif found[-1] or not re.match(r"^[A-Z_]+=", word):
            found[-1].append(word)
    return [words for words in found if words]
