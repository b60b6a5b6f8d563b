"""Gzip files (RFC 1952), unpacked member by member. Knows no Django."""

import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from io import BufferedReader, RawIOBase

from isal import igzip_lib, isal_zlib

from dsrhub.texts.marked import Grouped
from dsrhub.texts.marked import gettext_lazy as _

# The first bytes of a member, and the only compression method that there is.
MAGIC, DEFLATE = b"\x1f\x8b", b"\x08"
EXTRA, NAME, COMMENT, HEADER_CHECK, RESERVED = 0x04, 0x08, 0x10, 0x02, 0xE0
# Bytes that are read at once. A member starts with fewer: what lies behind a short one is copied.
INPUT_BYTES, FIRST_INPUT_BYTES = 64 * 1024, 1024
# Texts in a header have no length of their own.
LONGEST_HEADER = 1024 * 1024
# What programs and people leave behind the end of a file: blocks filled up with zeros, and line ends.
PADDING = re.compile(rb"[\0\t-\r ]*+")
SHOWN_BYTES = 20
# Pieces that are unpacked before they are asked for.
PIECES_AHEAD = 2
UNKNOWN_METHOD = _("This is not a gzip file, or its compression method is unknown.")
UNKNOWN_FLAGS = _("The gzip header has unknown flags.")
WRONG_CHECKSUM = _("The checksum of the gzip header is wrong.")
OTHER_DATA = _("The content is complete, but other data follows: %(data)s")
LONG_HEADER = _("The gzip header is longer than %(count)s bytes.")
# These texts, to recognise those that are stored.
TEXTS = (UNKNOWN_METHOD, UNKNOWN_FLAGS, WRONG_CHECKSUM, OTHER_DATA, LONG_HEADER)


class Damage(StrEnum):
    """Why a gzip file cannot be unpacked."""

    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    # Its content is complete, and something else follows.
    TRAILING_DATA = "trailing_data"


class GzipDamage(Exception):
    """A gzip file cannot be unpacked to its end. `text` says why."""

    def __init__(self, damage: Damage, text: str) -> None:
        super().__init__(text)
        self.damage = damage
        self.text = text


class GzipContent:
    """The content of a gzip file: that of its members, joined.

    `padding` is the number of zeros and white space that were skipped behind members.
    """

    def __init__(self, file: RawIOBase | BufferedReader) -> None:
        self.padding = 0
        self._file = file
        # What was read and not unpacked yet: the bytes from a position on.
        self._input = b""
        self._at = 0
        self._member: igzip_lib.IgzipDecompressor | None = None
        self._member_count = 0
        self._is_at_start = False
        self._name: bytes | None = None

    def read(self, size: int) -> bytes:
        """The next bytes of the content, at most `size`; none at its end. Raises GzipDamage."""
        while (member := self._member or self._next_member()) is not None:
            if piece := self._unpacked(member, size):
                return piece
        return b""

    def stored_name(self) -> bytes | None:
        """The file name in the header of the first member, before anything is read; None without one.

        Raises GzipDamage.
        """
        self._next_member()
        return self._name

    def _unpacked(self, member: igzip_lib.IgzipDecompressor, size: int) -> bytes:
        """The next bytes of the member; none if it ends, or if it needs more input."""
        given = b""
        if member.needs_input:
            if not self._available(1):
                raise GzipDamage(Damage.TRUNCATED, "The file is cut off.")
            given = self._input[self._at : self._at + (FIRST_INPUT_BYTES if self._is_at_start else INPUT_BYTES)]
            self._at += len(given)
            self._is_at_start = False
        try:
            piece: bytes = member.decompress(given, size)
        except isal_zlib.error as error:  # type: ignore[misc]  # isal's stub
            raise GzipDamage(Damage.CORRUPT, str(error)) from error
        if member.eof:
            self._at -= len(member.unused_data)
            self._member = None
        return piece

    def _next_member(self) -> igzip_lib.IgzipDecompressor | None:
        """Read the header of the next member, and return what unpacks it. None at the end of the file."""
        if self._member_count:
            self._skip_padding()
            if not self._available(1):
                return None
        self._require_magic()
        self._read_header()
        self._member_count += 1
        self._is_at_start = True
        # isal's own reading of headers fails where one is split between two inputs. Checksum and length are checked.
        self._member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP_NO_HDR_VER)
        return self._member

    def _skip_padding(self) -> None:
        while self._available(1):
            end = PADDING.match(self._input, self._at).end()  # type: ignore[union-attr]  # it matches nothing, too
            self.padding += end - self._at
            self._at = end
            if end < len(self._input):
                return

    def _require_magic(self) -> None:
        self._available(len(MAGIC + DEFLATE))
        start = self._input[self._at : self._at + len(MAGIC + DEFLATE)]
        if (MAGIC + DEFLATE).startswith(start):
            return  # whole or cut off
        if self._member_count and not start.startswith(MAGIC):
            text = ascii(self._input[self._at : self._at + SHOWN_BYTES])[1:]
            raise GzipDamage(Damage.TRAILING_DATA, OTHER_DATA % {"data": text})
        raise GzipDamage(Damage.CORRUPT, UNKNOWN_METHOD)

    def _read_header(self) -> None:
        """Read a header (RFC 1952, section 2.3). Raises GzipDamage."""
        header = self._take(10)
        flags = header[3]
        if flags & RESERVED:
            raise GzipDamage(Damage.CORRUPT, UNKNOWN_FLAGS)
        if flags & EXTRA:
            length = self._take(2)
            header += length + self._take(int.from_bytes(length, "little"))
        for flag in (NAME, COMMENT):
            if flags & flag:
                text = self._take_text()
                header += text
                if flag == NAME and not self._member_count:
                    self._name = text[:-1]
        if flags & HEADER_CHECK and self._take(2) != (isal_zlib.crc32(header) & 0xFFFF).to_bytes(2, "little"):
            raise GzipDamage(Damage.CORRUPT, WRONG_CHECKSUM)

    def _take(self, count: int) -> bytes:
        if not self._available(count):
            raise GzipDamage(Damage.TRUNCATED, "The file is cut off.")
        self._at += count
        return self._input[self._at - count : self._at]

    def _take_text(self) -> bytes:
        """The bytes up to the next zero, and the zero."""
        count = 1
        while (end := self._input.find(b"\0", self._at)) < 0:
            if count > LONGEST_HEADER:
                raise GzipDamage(Damage.CORRUPT, LONG_HEADER % {"count": Grouped(LONGEST_HEADER)})
            count = len(self._input) - self._at + 1
            if not self._available(count):
                raise GzipDamage(Damage.TRUNCATED, "The file is cut off.")
        return self._take(end + 1 - self._at)

    def _available(self, count: int) -> bool:
        """Read ahead until `count` bytes are in the input. Return whether the file has as many."""
        while len(self._input) - self._at < count:
            more = self._file.read(INPUT_BYTES)
            if not more:
                return False
            self._input = self._input[self._at :] + more
            self._at = 0
        return True


def is_gzip(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a gzip file, or the beginning of one."""
    return head.startswith(MAGIC) or MAGIC.startswith(head)


def read_ahead(read: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    """The pieces that `read(size)` returns until it returns none. A thread of its own reads them ahead."""
    with ThreadPoolExecutor(1) as thread:
        pieces = deque(thread.submit(read, size) for _ in range(PIECES_AHEAD))
        while piece := pieces.popleft().result():
            pieces.append(thread.submit(read, size))
            yield piece
