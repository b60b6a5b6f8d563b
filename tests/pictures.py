"""Takes the pictures of the docs: `python -m tests.pictures`.

The program runs the demo on a free port, with its data in a temporary folder. It signs in, uploads a report with
errors and a file that no template knows, and writes the top of each page to docs/pictures/. It needs chromium.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Page, sync_playwright

from tests.waiting import wait_until

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / "docs" / "pictures"
WIDTH = 1280
# Seconds that the demo may take to start, and between two checks of that.
PATIENCE, PAUSE = 600, 0.5
# Files that the demo writes for people to try.
WITH_ERRORS, UNKNOWN = "YouTube_AdSupported_SUISA_CH_CHF_20200301-20200331.tsv.gz", "nordklang_2020-01.csv"


class Picture(NamedTuple):
    """The top of a page, `height` pixels high: so much that the file stays below 100 kB."""

    name: str
    address: str
    height: int
    color_scheme: str = "light"

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.png"


COMPARED = "by=recording&percentile=10&period=2020-03&other=2020-02&dsp=Spotify&offer=FamilyPlan&territory=ES"
START = Picture("start", "/admin/", 590)
IMPORT = Picture("import", "/admin/catalogue/dsr/import/", 640)
DSR = Picture("dsr", "/admin/catalogue/dsr/?warning_count__gt=0", 466)
BREAKDOWN = Picture("breakdown", "/admin/catalogue/dsr/breakdown/?by=territory&then_by=month", 880, "dark")
COMPARISON = Picture("comparison", f"/admin/catalogue/dsr/comparison/?{COMPARED}", 640)
COVERAGE = Picture("coverage", "/admin/catalogue/dsr/coverage/?first=2020-01&last=2020-03", 860)
TEMPLATE = Picture("template", "/admin/catalogue/template/sample/", 900)
LIMITS = Picture("limits", "/admin/subscriptions/subscription/over-limit/?price_limit=9", 690)
GRAPHIQL = Picture("graphiql", "/graphql", 640)
EVENTS = Picture("events", "/admin/webhooks/delivery/", 640, "dark")
PICTURES = (START, IMPORT, DSR, BREAKDOWN, COMPARISON, COVERAGE, TEMPLATE, LIMITS, GRAPHIQL, EVENTS)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="dsrhub-pictures-") as folder,
        demo(Path(folder)) as (address, password),
        signed_in(address, password) as page,
    ):
        take_all(page, Path(folder) / "data" / "try")


def take_all(page: Page, to_try: Path) -> None:
    page.goto(START.address)
    take(page, START)
    # The other pictures have no navigation: they are smaller, and show more of their pages.
    page.click("#toggle-nav-sidebar")
    for picture in (BREAKDOWN, COMPARISON, COVERAGE, LIMITS, EVENTS):
        page.goto(picture.address)
        take(page, picture)
    page.goto(DSR.address)
    page.click("#result_list tr:has-text('Student') th a")
    page.wait_for_selector("#summary")
    take(page, DSR)
    query(page)
    take(page, GRAPHIQL)
    upload(page, to_try / WITH_ERRORS)
    take(page, IMPORT)
    check_sample(page, to_try / UNKNOWN)
    take(page, TEMPLATE)


@contextmanager
def demo(folder: Path) -> Iterator[tuple[str, str]]:
    """Run the demo with its data in `folder`. Yield its address and the password of its admin."""
    port, log = free_port(), folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dsrhub.demo", "--port", str(port)],
            cwd=PROJECT,
            # No settings of this shell, so that everybody gets the same pictures.
            env={"PATH": os.environ["PATH"], "DSRHUB_DATA_DIR": str(folder / "data")},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield f"http://localhost:{port}", password_in(log, process)
    finally:
        process.terminate()
        process.wait(PATIENCE)
        # The worker ends a moment after the demo, and the database server with it. Then the folder can go.
        server = folder / "data" / "postgres" / "postmaster.pid"
        wait_until(lambda: not server.exists(), "the database server stops")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def password_in(log: Path, process: "subprocess.Popen[bytes]") -> str:
    """Wait until the demo listens. Return the password that it has printed."""
    deadline = time.monotonic() + PATIENCE
    while "Listening at" not in (said := log.read_text()):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"The demo does not start:\n{said}")
        time.sleep(PAUSE)
    found = re.search(r"the password '(.+?)'", said)
    assert found, said
    return found[1]


@contextmanager
def signed_in(address: str, password: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(base_url=address, locale="en", viewport={"width": WIDTH, "height": 900})
        page.goto("/admin/")
        page.fill("#id_username", "admin")
        page.fill("#id_password", password)
        page.click("text=Log in")
        yield page
        browser.close()


def query(page: Page) -> None:
    """Execute the first example of the playground."""
    page.goto(GRAPHIQL.address)
    page.wait_for_load_state("networkidle")
    page.click(".graphiql-execute-button")
    page.wait_for_selector(".result-window .CodeMirror-line:has-text('data')")


def upload(page: Page, report: Path) -> None:
    """Upload a report, and wait for the result of its check."""
    page.goto(IMPORT.address)
    page.set_input_files("[name=import_file]", report)
    page.click("#content-main [type=submit]")
    page.wait_for_selector(".problems")


def check_sample(page: Page, sample: Path) -> None:
    """Upload a sample, complete what is guessed of it, and wait for the result of its check."""
    page.goto(TEMPLATE.address)
    page.set_input_files("#id_sample", sample)
    page.click("[type=submit][value=Upload]")
    for name, value in (("name", "Nordklang"), ("sender", "Nordklang"), ("fields-offer-constant", "Nordklang")):
        page.fill(f"#id_{name}", value)
    page.click("[name=_check]")
    page.wait_for_selector("#check-unmapped")


def take(page: Page, picture: Picture) -> None:
    page.emulate_media(color_scheme=picture.color_scheme)
    page.wait_for_load_state("networkidle")
    page.evaluate("window.scrollTo(0, 0)")
    page.screenshot(path=picture.path, clip={"x": 0, "y": 0, "width": WIDTH, "height": picture.height})
    sys.stdout.write(f"{picture.path.relative_to(PROJECT)}: {picture.path.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
