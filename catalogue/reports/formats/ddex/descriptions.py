"""What a sales line sold: the description of a recording, or of a release that is sold as a whole."""

import re
from collections.abc import Callable
from typing import NamedTuple

from catalogue.reports.cells import ISRC, LONGEST_CELL, id_warning, plain_isrc
from catalogue.reports.formats.ddex.blocks import Block, RecordLine
from catalogue.reports.formats.ddex.cells import PIPE, value_of, values_of
from catalogue.reports.formats.ddex.codes import DdexError, DdexWarning
from catalogue.reports.formats.ddex.records import WITH_WORK, family_of
from catalogue.reports.formats.ddex.sales import Context, SalesLineError
from catalogue.reports.problems import CommonError, CommonWarning, WarningCode
from dsrhub.texts.invisible import is_blank

COLUMNS = (
    *("dsp_id", "title", "artists", "isrc", "is_release", "iswc", "composers", "label", "icpn"),
    *("isrcs", "artists_delivered"),
)
PLAIN_ISRC = re.compile(ISRC.pattern.encode())


class NamedCell(NamedTuple):
    """A cell of a record: its number, its name, and its value."""

    number: int
    name: str
    value: str


class Descriptions:
    """A description is the cells of COLUMNS with the line end. All methods raise SalesLineError.

    `warn` is called with a code, the record, one of its cells, and the context.
    """

    def __init__(self, warn: Callable[[WarningCode, RecordLine, NamedCell, Context], None]) -> None:
        self._warn = warn

    def of_block(self, block: Block, release: bytes, resource: bytes, context: Context) -> bytes:
        """The description of what a sales line refers to: a resource, or a release that is used as a whole."""
        if not (release or resource):
            raise SalesLineError(DdexError.REFERENCE_MISSING, 6, "resource reference")
        part = None if resource else block.parts.get(release)
        if part is not None:
            resources = values_of(part.cell(6))
            if len(resources) == 1:
                resource = resources[0]
        if resource:
            found = block.resources.get(resource)
            if found is None:
                raise SalesLineError(DdexError.REFERENCE_UNKNOWN, 6, "resource reference", resource)
            return self._resource_row(block, resource, found, context)
        whole = part or block.releases.get(release)
        if whole is None:
            raise SalesLineError(DdexError.REFERENCE_UNKNOWN, 5, "release reference", release)
        return self._release_row(block, whole, context)

    def _resource_row(self, block: Block, reference: bytes, record: RecordLine, context: Context) -> bytes:
        release = next(iter(block.releases.values())) if len(block.releases) == 1 else None
        iswc = composers = b""
        if family_of(record.cells[0].strip()) in WITH_WORK:
            iswc, composers = record.value(12), _names(record.cell(13))
        for work in block.works.get(reference, ()):
            iswc, composers = iswc or work.value(4), composers or _names(work.cell(7))
        return self._row(
            context,
            record,
            dsp_id=4,
            isrcs=record.cell(5),
            title=record.value(6),
            artists=record.cell(8),
            iswc=iswc,
            composers=composers,
            label=release.value(13) if release else b"",
            icpn=release.value(7) if release else b"",
        )

    def _release_row(self, block: Block, record: RecordLine, context: Context) -> bytes:
        releases = list(block.releases.values())
        about = record if record in releases else (releases[0] if len(releases) == 1 else None)
        return self._row(
            context,
            record,
            dsp_id=4,
            is_release=True,
            title=about.value(10) if about else b"",
            artists=about.cell(8) if about else b"",
            label=about.value(13) if about else b"",
            icpn=about.value(7) if about else b"",
        )

    def of_single_record(self, record: RecordLine, context: Context) -> bytes:
        """The description in a sales line that has one itself."""
        if record.value(3):
            return self._row(
                context,
                record,
                dsp_id=3,
                isrcs=record.cell(4),
                title=record.value(5),
                artists=record.cell(7),
                iswc=record.value(12),
                composers=_names(record.cell(13)),
                label=record.value(30),
                icpn=record.value(24),
            )
        return self._row(
            context,
            record,
            dsp_id=21,
            is_release=True,
            title=record.value(27),
            artists=record.cell(25),
            label=record.value(30),
            icpn=record.value(24),
        )

    def _row(
        self,
        context: Context,
        record: RecordLine,
        *,
        dsp_id: int,
        title: bytes,
        artists: bytes,
        label: bytes,
        icpn: bytes,
        isrcs: bytes = b"",
        iswc: bytes = b"",
        composers: bytes = b"",
        is_release: bool = False,
    ) -> bytes:
        """The cells of COLUMNS, with the line end."""
        key = self._id(record, dsp_id, context)
        isrc, all_isrcs = self._isrcs(record, isrcs, context)
        # A display artist is one text, in which `|` would separate artists.
        delivered = value_of(artists)
        joined = _one_text(delivered)
        cells = (
            *(key, title, joined, isrc, b"t" if is_release else b"f", iswc, composers),
            *(label, icpn, all_isrcs, delivered if delivered != joined else b""),
        )
        row = b"\t".join(cells) + b"\n"
        for name, cell in zip(COLUMNS, cells, strict=True) if len(row) > LONGEST_CELL else ():
            if len(cell) > LONGEST_CELL:
                raise SalesLineError(CommonError.CELL_TOO_LONG, 0, f"{name}, on line {record.number}", cell)
        return row

    def _id(self, record: RecordLine, number: int, context: Context) -> bytes:
        """The id of a recording or a release, byte for byte as delivered."""
        key = record.value(number)
        if key.isalnum():
            return key  # Of ASCII alone.
        text = key.decode()
        if is_blank(text):
            raise SalesLineError(DdexError.DSP_ID_MISSING, number, f"dsp_id, on line {record.number}", key)
        warning = id_warning(text)
        if warning is not None:
            self._warn(warning, record, NamedCell(number, "dsp_id", text), context)
        return key

    def _isrcs(self, record: RecordLine, cell: bytes, context: Context) -> tuple[bytes, bytes]:
        """The first well-formed ISRC of a cell, or else its first value, and all of them where it has several."""
        if not cell or PLAIN_ISRC.fullmatch(cell):
            return cell, b""
        values = [plain_isrc(value.decode()) for value in values_of(cell)]
        if not values:
            return b"", b""
        valid = [isrc for isrc in values if ISRC.fullmatch(isrc)]
        number = 4 if record.cells[0].startswith(b"SR") else 5
        for isrc in values:
            if isrc not in valid:
                self._warn(CommonWarning.ISRC_INVALID, record, NamedCell(number, "isrc", isrc), context)
        if len(values) > 1:
            self._warn(DdexWarning.ISRC_REPEATED, record, NamedCell(number, "isrc", "|".join(values)), context)
        first = (valid or [values_of(cell)[0].decode()])[0]
        return first.encode(), "|".join(values).encode() if len(values) > 1 else b""


def _names(cell: bytes) -> bytes:
    """The names in a cell, separated by `|`."""
    if PIPE not in cell:
        return _one_text(value_of(cell))
    return b"|".join(filter(None, map(_one_text, values_of(cell))))


def _one_text(name: bytes) -> bytes:
    """A name without the character that separates names."""
    return b" / ".join(part for part in map(bytes.strip, name.split(b"|")) if part) if PIPE in name else name
