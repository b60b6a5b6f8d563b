"""A delivered file: its bytes, unpacked as they are read, and the name inside gzip."""

import hashlib
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from weakref import finalize

from catalogue.reports.problems import CommonError, CommonWarning, Problem, shown
from dsrhub.files.disk import FileBytes, ends_in, file_open
from dsrhub.files.kinds import foreign_kind, line_end_fault
from dsrhub.files.unpacking import Damage, GzipContent, GzipDamage, is_gzip, read_ahead
from dsrhub.texts.marked import Text
from dsrhub.texts.marked import gettext_lazy as _

# Large enough to make the cost per chunk negligible. From 128 KiB on, the C library takes the memory of each object
# from the system, which makes the check of lines slower.
CHUNK_BYTES = 112 * 1024
# The first bytes, by which a format recognises its files.
HEAD_BYTES = 4096
LONGEST_NAME = 255

PACKED = ".gz"
GZIP_ERRORS = {
    Damage.TRUNCATED: CommonError.GZIP_TRUNCATED,
    Damage.CORRUPT: CommonError.GZIP_CORRUPT,
    Damage.TRAILING_DATA: CommonError.GZIP_TRAILING_DATA,
}
NOT_GZIP = _("The name ends in .gz, but this is no gzip file. Remove .gz from the name, or compress the file.")
GZIP_UNNAMED = _("This is a gzip file. Add .gz to its name.")
GZIP_TWICE = _("This is a gzip file inside a gzip file. Unpack it once.")
MORE_BYTES = _("more than %(count)s bytes")
PADDING = _("%(count)s bytes")

# Called with the number of delivered (packed) bytes read since the last call.
Progress = Callable[[int], None]


class DamagedDelivery(Exception):
    """The content is no text, cannot be unpacked to its end, or is larger than it may be."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


class Delivery:
    """A delivered file at `path`, which was named `name` (an upload is stored under another name).

    The file is opened once, inside its `folder` if it has one (see `file_open`), and closed with the delivery: whoever
    puts another file in its place meanwhile changes nothing. At most `unpacked_limit` bytes of its content are read: a
    packed megabyte may hold a gigabyte of nothing. `sha256` (of the unpacked content) and `warnings` are complete once
    `chunks` has ended.
    """

    def __init__(self, path: Path, name: str, unpacked_limit: int | None = None, *, folder: Path | None = None) -> None:
        self.name = name
        self.unpacked_limit = unpacked_limit
        self.is_packed = ends_in(name, PACKED)
        self._file = file_open(path, folder)
        finalize(self, self._file.close)
        self.packed_bytes = os.fstat(self._file.fileno()).st_size
        self.gzip_name = stored_gzip_name(self.packed()) if self.is_packed else None
        self.warnings: list[Problem] = []
        # A format that reads workbooks, or texts of other encodings, sets it: `chunks` then refuses no kind of file.
        self.reads_any_kind = False
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

    def head(self, size: int = HEAD_BYTES) -> bytes:
        """The first unpacked bytes; none if they cannot be unpacked. It changes nothing for `chunks`."""
        packed = self.packed()
        if not self.is_packed:
            return packed.read(size) or b""
        content, head = GzipContent(packed), b""
        try:
            while len(head) < size and (piece := content.read(size - len(head))):
                head += piece
        except GzipDamage:
            return head
        return head

    def chunks(self, progress: Progress | None = None) -> Iterator[bytes]:
        """The unpacked content, piece by piece.

        Raises DamagedDelivery for what is no text (see `dsrhub.files.kinds`), for a gzip file that is cut off or
        damaged, and for too much content: the last two possibly after the first pieces.
        """
        self._hash = hashlib.sha256()
        self.warnings = []
        self._require_text()
        reported = unpacked = 0
        # Without a buffer, `tell` is exact while another thread reads.
        file = self.packed()
        with closing(self._unpacked(file)) as chunks:
            for chunk in chunks:
                unpacked += len(chunk)
                if self.unpacked_limit is not None and unpacked > self.unpacked_limit:
                    limit = MORE_BYTES % {"count": self.unpacked_limit}
                    raise DamagedDelivery(Problem(CommonError.UNPACKED_TOO_LARGE, value=str(limit)))
                self._hash.update(chunk)
                if progress is not None:
                    position = file.tell()
                    progress(position - reported)
                    reported = position
                yield chunk
        if progress is not None:
            progress(self.packed_bytes - reported)

    def content_again(self) -> Iterator[bytes]:
        """The unpacked content once more, after `chunks` has ended: it changes nothing of what `chunks` found.

        Raises DamagedDelivery.
        """
        return self._unpacked(self.packed())

    def _require_text(self) -> None:
        start = self.packed().read(HEAD_BYTES) or b""
        if self.is_packed and is_gzip(start):
            head = self.head()
            problem = GZIP_TWICE if head and is_gzip(head) else self._fault_of_kind(head)
        elif self.is_packed:
            problem = foreign_kind(start) or NOT_GZIP
        else:
            problem = GZIP_UNNAMED if start and is_gzip(start) else self._fault_of_kind(start)
        if problem is not None:
            raise DamagedDelivery(Problem(CommonError.WRONG_FILE_KIND, value=str(problem)))

    def _fault_of_kind(self, head: bytes) -> Text | None:
        return None if self.reads_any_kind else foreign_kind(head) or line_end_fault(head)

    def _unpacked(self, file: FileBytes) -> Generator[bytes]:
        if not self.is_packed:
            yield from iter(partial(file.read, CHUNK_BYTES), b"")
            return
        content = GzipContent(file)
        try:
            # A thread of its own unpacks, while this one checks.
            yield from read_ahead(content.read, CHUNK_BYTES)
        except GzipDamage as damage:
            value = None if damage.damage == Damage.TRUNCATED else shown(damage.text)
            raise DamagedDelivery(Problem(GZIP_ERRORS[damage.damage], value=value)) from damage
        if content.padding:
            padding = PADDING % {"count": content.padding}
            self.warnings = [Problem(CommonWarning.GZIP_PADDING, value=str(padding))]


def stored_gzip_name(file: FileBytes) -> str | None:
    """The file name that gzip kept in the header (RFC 1952, section 2.3.1); None without one."""
    try:
        name = GzipContent(file).stored_name()
    except GzipDamage:
        return None
    if not name:
        return None
    try:
        # The RFC says Latin-1, but the gzip program writes the name's bytes as they are, nearly always UTF-8.
        return shown(name.decode(), LONGEST_NAME)
    except UnicodeDecodeError:
        return shown(name.decode("latin-1"), LONGEST_NAME)
