"""A delivered file: its bytes, unpacked as they are read, and what gzip says about it."""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from isal import igzip_threaded, isal_zlib

from catalogue.parsing import ErrorCode, Problem

# Large enough that no cost per chunk is felt, small enough that a few of them are no memory to speak of.
CHUNK_BYTES = 1024 * 1024

# Called with the number of delivered (packed) bytes read since the last call.
Progress = Callable[[int], None]


class DamagedDelivery(Exception):
    """The bytes cannot be unpacked to their end."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


class Delivery:
    """A delivered file at `path`, which was named `name` (an upload lies under another name).

    `sha256` (of the unpacked content) is complete once `chunks` has ended.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.is_packed = name.endswith(".gz")
        self.packed_bytes = path.stat().st_size
        self.gzip_name = stored_gzip_name(path) if self.is_packed else None
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def chunks(self, progress: Progress | None = None) -> Iterator[bytes]:
        """The unpacked content, piece by piece.

        Raises DamagedDelivery for a gzip file that is cut off or is none, however late that shows.
        """
        self._hash = hashlib.sha256()
        told = 0
        with self.path.open("rb") as file, self._unpacked(file) as content:
            while chunk := self._read(content):
                self._hash.update(chunk)
                if progress is not None:
                    progress(file.tell() - told)
                    told = file.tell()
                yield chunk
        if progress is not None:
            progress(self.packed_bytes - told)

    def _unpacked(self, file: IO[bytes]) -> IO[bytes]:
        if not self.is_packed:
            return file
        # It unpacks in a thread of its own, while this one checks.
        content: IO[bytes] = igzip_threaded.open(file, block_size=CHUNK_BYTES)
        return content

    @staticmethod
    def _read(content: IO[bytes]) -> bytes:
        try:
            return content.read(CHUNK_BYTES)
        except EOFError as error:
            raise DamagedDelivery(Problem(ErrorCode.GZIP_TRUNCATED)) from error
        except (gzip.BadGzipFile, isal_zlib.error, zlib.error) as error:
            raise DamagedDelivery(Problem(ErrorCode.GZIP_CORRUPT, value=str(error))) from error


def stored_gzip_name(path: Path) -> str | None:
    """The file name that gzip kept in the header (RFC 1952, section 2.3.1), which is Latin-1; None without one."""
    with path.open("rb") as file:
        header = file.read(10 + 2 + 65535 + 1024)
    has_extra, has_name = 0x04, 0x08
    if header[:3] != b"\x1f\x8b\x08" or len(header) < 10 or not header[3] & has_name:
        return None
    start = 10
    if header[3] & has_extra:
        start += 2 + int.from_bytes(header[10:12], "little")
    name, end, _ = header[start:].partition(b"\0")
    return name.decode("latin-1")[:255] or None if end else None
