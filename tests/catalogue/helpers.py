"""Small reports, users and lines for tests. Tests call these helpers directly, so each test shows its data."""

import gzip
import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from django.contrib.auth.models import Permission, User
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from catalogue.imports.services import dsr_import
from catalogue.lines.storage import LineLoad
from catalogue.models import DSR
from catalogue.reports.formats.tsv.reader import COLUMNS
from tests import recipes

HEADER = "dsp_id\ttitle\tartists\tisrc\tusages\trevenue"
ES_JANUARY = "Spotify_SpotifyFamilyPlan_ES_EUR_20200101-20200131.tsv"
# The endings of reports, for people.
ENDINGS = ".tsv or .tsv.gz or .csv or .csv.gz or .txt or .txt.gz or .xlsx or .xlsx.gz"

NO_JANUARY = "Spotify_SpotifyDuo_NO_NOK_20200101-20200131.tsv"


def line(
    dsp_id: str = "a", title: str = "", artists: str = "", isrc: str = "", usages: str = "", revenue: str = ""
) -> str:
    return "\t".join((dsp_id, title, artists, isrc, usages, revenue))


def write_report(folder: Path, name: str, *lines: str, header: str = HEADER, line_end: str = "\r\n") -> Path:
    """Write a report with the given lines to `folder`, compressed if its name ends in .gz."""
    content = "".join(one + line_end for one in (header, *lines)).encode()
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def import_report(folder: Path, name: str, *lines: str) -> DSR:
    """Import a report with the given lines. Return its DSR."""
    return dsr_import(path=write_report(folder, name, *lines), name=name).dsr


def query_count(client: Client, path: str) -> int:
    """The number of SQL queries of a page, which must be found."""
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


def user_with(*permissions: str) -> User:
    """A user with permissions of the catalogue, such as `add_dsr`."""
    return permitted(recipes.user.make(username="ada"), *permissions)


def staff_with(*permissions: str) -> User:
    """A staff user, who may enter the admin, with permissions of the catalogue."""
    return permitted(recipes.staff.make(username="ada"), *permissions)


def permitted(user: User, *permissions: str) -> User:
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions, content_type__app_label="catalogue"))
    assert user.user_permissions.count() == len(permissions)
    return user


def shown(response: HttpResponse, column: str) -> list[str]:
    """The texts in a column of an admin page, from top to bottom."""
    cells = re.findall(rf'<t[dh] class="field-{column}\b[^>]*>(.*?)</t[dh]>', response.content.decode(), re.DOTALL)
    return [html.unescape(strip_tags(cell)) for cell in cells]


def line_storage() -> list[str]:
    """The tables and sequences of lines, including those that a load left behind."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'S') AND relname ~ 'usageline' ORDER BY relname"
        )
        return [name for (name,) in cursor.fetchall()]


# The tables of lines if no DSR has its own partition.
SHARED_STORAGE = ["catalogue_usageline", "catalogue_usageline_shared"]


def without_messages(problems: list[dict]) -> list[dict]:
    """Problems as REST shows them, without the explanations of their codes, which each of them must have, and without
    the delivered lines.
    """
    left_out = ("message", "excerpt")
    return [{name: value for name, value in one.items() if name not in left_out} for one in problems if one["message"]]


@contextmanager
def other_transaction() -> Iterator:
    """A cursor in a transaction of a second connection, which is rolled back at the end of the block."""
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            yield cursor
    finally:
        other.rollback()  # Closing alone would leave its locks until the server notices.
        other.close()


def add_lines(dsr: DSR, *lines: str, own_partition: bool = False) -> None:
    """Load lines into a DSR without lines, and store their totals in the DSR, as an import does."""
    load = LineLoad(dsr.pk, temporary=not own_partition)
    load.copy(iter(["".join(one + "\n" for one in lines).encode()]), COLUMNS)
    known = asdict(load.totals()) | {
        "most_repeats": load.repeats(limit=1).most_repeats,
        "partition": load.partition,
    }
    load.store()
    load.discard()
    for name, value in known.items():
        setattr(dsr, name, value)
    dsr.save()
