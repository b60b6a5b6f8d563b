"""COPY from an iterator of blocks, which are never all in memory."""

from collections.abc import Iterator

from django.db import connection

from dsrhub.database.statements import Statement, nodes_required


class BlockStream:
    """An iterator of blocks as the file that COPY reads. A read returns one whole block and ignores the size."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks

    def read(self, size: int = -1) -> bytes:
        # An empty block would end the file.
        return next((block for block in self._blocks if block), b"")


def copy_blocks(statement: Statement, blocks: Iterator[bytes]) -> None:
    """Run a `COPY ... FROM STDIN` that reads the blocks.

    An exception in the iterator reaches the caller as the driver's error (`psycopg2.Error`).
    """
    with nodes_required(connection), connection.cursor() as cursor:
        cursor.copy_expert(statement, BlockStream(blocks))
