"""A delivered file: its bytes, unpacked as they are read, and the name inside gzip."""

import gzip
import hashlib
import os
from collections.abc import Callable, Iterator
from io import BufferedReader, RawIOBase
from pathlib import Path
from weakref import finalize

from isal import igzip_threaded, isal_zlib

from catalogue.reports.problems import CommonError, Problem, shown
from dsrhub.files import FileBytes, ends_in, file_open

# Large enough to make the cost per chunk negligible, small enough that a few chunks take little memory.
CHUNK_BYTES = 64 * 1024
# The first bytes, by which a format recognises its files.
HEAD_BYTES = 4096
LONGEST_NAME = 255

PACKED = ".gz"
# wbits of zlib for gzip: 16 and the largest window.
GZIP_BITS = 16 + 15

# Called with the number of delivered (packed) bytes read since the last call.
Progress = Callable[[int], None]


class DamagedDelivery(Exception):
    """The content cannot be unpacked to its end, or is larger than it may be."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


class Delivery:
    """A delivered file at `path`, which was named `name` (an upload is stored under another name).

    The file is opened once, inside its `folder` if it has one (see `file_open`), and closed with the delivery: whoever
    puts another file in its place meanwhile changes nothing. At most `unpacked_limit` bytes of its content are read: a
    packed megabyte may hold a gigabyte of nothing. `sha256` (of the unpacked content) is complete once `chunks` has
    ended.
    """

    def __init__(self, path: Path, name: str, unpacked_limit: int | None = None, *, folder: Path | None = None) -> None:
        self.name = name
        self.unpacked_limit = unpacked_limit
        self.is_packed = ends_in(name, PACKED)
        self._file = file_open(path, folder)
        finalize(self, self._file.close)
        self.packed_bytes = os.fstat(self._file.fileno()).st_size
        self.gzip_name = stored_gzip_name(self.packed()) if self.is_packed else None
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def unpacked_name(self) -> str:
        return self.name[: -len(PACKED)] if self.is_packed else self.name

    def packed(self) -> FileBytes:
        """The bytes as they were delivered."""
        return FileBytes(self._file)

    def head(self) -> bytes:
        """The first unpacked bytes; none if they cannot be unpacked. It changes nothing for `chunks`."""
        packed = self.packed().read(HEAD_BYTES) or b""
        if not self.is_packed:
            return packed
        try:
            return isal_zlib.decompressobj(wbits=GZIP_BITS).decompress(packed, HEAD_BYTES)
        except isal_zlib.error:  # type: ignore[misc]  # isal's stub
            return b""

    def chunks(self, progress: Progress | None = None) -> Iterator[bytes]:
        """The unpacked content, piece by piece.

        Raises DamagedDelivery, possibly after the first pieces, for a file that is cut off or is not gzip, and for too
        much content.
        """
        self._hash = hashlib.sha256()
        reported = unpacked = 0
        if self.is_packed and not self.packed_bytes:
            # gzip's reader takes an empty file for empty content.
            raise DamagedDelivery(Problem(CommonError.GZIP_TRUNCATED))
        # Without a buffer, `tell` is exact while the other thread reads.
        with self.packed() as file, self._unpacked(file) as content:
            # The reader of isal may see the end of its thread before the last piece that the thread left (this
            # happened on a busy machine): only a second read returns that piece.
            while chunk := self._read(content) or self._read(content):
                unpacked += len(chunk)
                if self.unpacked_limit is not None and unpacked > self.unpacked_limit:
                    limit = f"more than {self.unpacked_limit} bytes"
                    raise DamagedDelivery(Problem(CommonError.UNPACKED_TOO_LARGE, value=limit))
                self._hash.update(chunk)
                if progress is not None:
                    position = file.tell()
                    progress(position - reported)
                    reported = position
                yield chunk
        if progress is not None:
            progress(self.packed_bytes - reported)

    def _unpacked(self, file: FileBytes) -> RawIOBase | BufferedReader:
        if not self.is_packed:
            return file
        # A thread of its own unpacks, while this one checks.
        content: BufferedReader = igzip_threaded.open(file, block_size=CHUNK_BYTES)  # type: ignore[no-untyped-call]
        return content

    @staticmethod
    def _read(content: RawIOBase | BufferedReader) -> bytes:
        try:
            return content.read(CHUNK_BYTES) or b""
        except EOFError as error:
            raise DamagedDelivery(Problem(CommonError.GZIP_TRUNCATED)) from error
        except (gzip.BadGzipFile, isal_zlib.error) as error:  # type: ignore[misc]  # isal's stub
            raise DamagedDelivery(Problem(CommonError.GZIP_CORRUPT, value=str(error))) from error


def stored_gzip_name(file: FileBytes) -> str | None:
    """The file name that gzip kept in the header (RFC 1952, section 2.3.1); None without one."""
    fixed = file.read(10) or b""
    rest = file.read(2 + 65535 + 1024) or b""
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
