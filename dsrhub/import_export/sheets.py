"""The sheet of an XLSX file, with texts that are nothing but texts."""

import re
from typing import Any

from xlsxwriter.utility import xl_rowcol_to_cell
from xlsxwriter.worksheet import CellStringTuple, Worksheet

# Where `_x0041_` is cut in two. In one piece, it stands for the character A (ECMA-376, ST_Xstring).
ESCAPE = re.compile("(?<=_)(?=x[0-9A-Fa-f]{4}_)")
# The characters that XML has no place for, or changes.
SPECIAL = re.compile("[&<>\x00-\x08\x0b-\x1f\ufffe\uffff\ud800-\udfff]")
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}


class TextSheet(Worksheet):  # type: ignore[misc]
    """A sheet that holds each text exactly. XlsxWriter itself takes a text `<r>...</r>` for its own markup.

    Nothing in a text needs decoding, because not all programs that read sheets decode: `_` and `x0041_` are two runs of
    one text. Only a character that XML cannot have is written as sheets have it: `_x0001_`.
    """

    def _write_cell(self, row: int, col: int, cell: Any) -> None:
        if not isinstance(cell, CellStringTuple):
            super()._write_cell(row, col, cell)
            return
        runs = [f'<t xml:space="preserve">{_escaped(run)}</t>' for run in ESCAPE.split(cell.string)]
        text = runs[0] if len(runs) == 1 else "".join(f"<r>{run}</r>" for run in runs)
        place, style = xl_rowcol_to_cell(row, col), cell.format._get_xf_index()
        self.fh.write(f'<c r="{place}" s="{style}" t="inlineStr"><is>{text}</is></c>')


def _escaped(text: str) -> str:
    return SPECIAL.sub(lambda found: ENTITIES.get(found[0]) or f"_x{ord(found[0]):04X}_", text)
