"""Small reports for tests, made where they are used so that a test shows all that it depends on."""

import gzip
from pathlib import Path

HEADER = "dsp_id\ttitle\tartists\tisrc\tusages\trevenue"
ES_JANUARY = "Spotify_SpotifyFamilyPlan_ES_EUR_20200101-20200131.tsv"
NO_JANUARY = "Spotify_SpotifyDuo_NO_NOK_20200101-20200131.tsv"


def line(
    dsp_id: str = "a", title: str = "", artists: str = "", isrc: str = "", usages: str = "", revenue: str = ""
) -> str:
    return "\t".join((dsp_id, title, artists, isrc, usages, revenue))


def write_report(folder: Path, name: str, *lines: str, header: str = HEADER, line_end: str = "\r\n") -> Path:
    """A report of the given lines in `folder`, packed where its name says so."""
    content = "".join(one + line_end for one in (header, *lines)).encode()
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path
