"""A delivered file: its bytes, unpacked as they are read, and what gzip says about it."""

import gzip
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from isal import igzip_threaded, isal_zlib

from catalogue.parsing import LONGEST_NAME, ErrorCode, Problem, shown

# Large enough that no cost per chunk is felt, small enough that a few of them are no memory to speak of.
CHUNK_BYTES = 64 * 1024

# Called with the number of delivered (packed) bytes read since the last call.
Progress = Callable[[int], None]


class DamagedDelivery(Exception):
    """The bytes cannot be unpacked to their end, or must not be."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


class Delivery:
    """A delivered file at `path`, which was named `name` (an upload lies under another name).

    Of its content no more than `unpacked_limit` bytes are taken: a packed megabyte may hold a gigabyte of nothing.
    `sha256` (of the unpacked content) is complete once `chunks` has ended.
    """

    def __init__(self, path: Path, name: str, unpacked_limit: int | None = None) -> None:
        self.path = path
        self.unpacked_limit = unpacked_limit
        self.is_packed = name.endswith(".gz")
        self.packed_bytes = path.stat().st_size
        self.gzip_name = stored_gzip_name(path) if self.is_packed else None
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def chunks(self, progress: Progress | None = None) -> Iterator[bytes]:
        """The unpacked content, piece by piece.

        Raises DamagedDelivery for a gzip file that is cut off or is none, and for too much content, however late
        that shows.
        """
        self._hash = hashlib.sha256()
        told = unpacked = 0
        if self.is_packed and not self.packed_bytes:
            # No byte at all is no gzip either, though gzip's reader takes it for empty content.
            raise DamagedDelivery(Problem(ErrorCode.GZIP_TRUNCATED))
        # Without a buffer, `tell` is exact while the other thread reads.
        with self.path.open("rb", buffering=0) as file, self._unpacked(file) as content:
            # The reader of isal may see the end of its thread before the last piece that the thread left (this
            # happened on a busy machine): only who asks again gets it.
            while chunk := self._read(content) or self._read(content):
                unpacked += len(chunk)
                if self.unpacked_limit is not None and unpacked > self.unpacked_limit:
                    limit = f"more than {self.unpacked_limit} bytes"
                    raise DamagedDelivery(Problem(ErrorCode.UNPACKED_TOO_LARGE, value=limit))
                self._hash.update(chunk)
                if progress is not None:
                    position = file.tell()
                    progress(position - told)
                    told = position
                yield chunk
        if progress is not None:
            progress(self.packed_bytes - told)

    def _unpacked(self, file: IO[bytes]) -> IO[bytes]:
        if not self.is_packed:
            return file
        # It unpacks in a thread of its own, while this one checks.
        content: IO[bytes] = igzip_threaded.open(file, block_size=CHUNK_BYTES)  # type: ignore[no-untyped-call]
        return content

    @staticmethod
    def _read(content: IO[bytes]) -> bytes:
        try:
            return content.read(CHUNK_BYTES)
        except EOFError as error:
            raise DamagedDelivery(Problem(ErrorCode.GZIP_TRUNCATED)) from error
        except (gzip.BadGzipFile, isal_zlib.error) as error:  # type: ignore[misc]  # isal's stub
            raise DamagedDelivery(Problem(ErrorCode.GZIP_CORRUPT, value=str(error))) from error


def stored_gzip_name(path: Path) -> str | None:
    """The file name that gzip kept in the header (RFC 1952, section 2.3.1); None without one."""
    with path.open("rb") as file:
        fixed = file.read(10)
        rest = file.read(2 + 65535 + 1024)
    has_extra, has_name = 0x04, 0x08
    if not fixed.startswith(b"\x1f\x8b\x08") or not rest or not fixed[3] & has_name:
        return None
    start = 2 + int.from_bytes(rest[:2], "little") if fixed[3] & has_extra else 0
    name, end, _ = rest[start:].partition(b"\0")
    if not name or not end:
        return None
    try:
        # The RFC says Latin-1, but the gzip program writes the name's bytes as they are, nearly always UTF-8.
        return shown(name.decode(), LONGEST_NAME)
    except UnicodeDecodeError:
        return shown(name.decode("latin-1"), LONGEST_NAME)
