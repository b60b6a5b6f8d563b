"""Sessions of the database: that of the thread, and others beside it."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.db import Error, connection

from dsrhub.database.copy import BlockStream
from dsrhub.database.statements import Statement, execute, execute_in, nodes_required, rows_in


def lost_machine_notice() -> None:
    """Let the server notice in a minute, and not after hours, that the machine of this session is gone."""
    execute("SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3")


class OwnSession:
    """A session beside that of the thread, with transactions of its own.

    The first statement begins a transaction, and so does the first one after `commit`. `close` rolls back.
    """

    def __init__(self) -> None:
        self._connection = connection.copy()
        self._connection.set_autocommit(False)

    def rows_of(self, statement: Statement, /, **parameters: Any) -> list[Any]:
        """See `statements.rows_of`."""
        return rows_in(self._connection, statement, parameters)

    def execute(self, statement: Statement, /, **parameters: Any) -> int:
        """See `statements.execute`."""
        return execute_in(self._connection, statement, parameters)

    def copy_blocks(self, statement: Statement, blocks: Iterator[bytes]) -> None:
        """See `copy.copy_blocks`."""
        with nodes_required(self._connection), self._connection.cursor() as cursor:
            cursor.copy_expert(statement, BlockStream(blocks))

    def commit(self) -> None:
        with nodes_required(self._connection):
            self._connection.commit()

    def close(self) -> None:
        # Closing alone would leave its locks until the server notices. A session that is lost has none.
        if self._connection.connection is not None and not self._connection.connection.closed:
            with suppress(Error):
                self._connection.rollback()
                self._connection.set_autocommit(True)
                with self._connection.cursor() as cursor:
                    cursor.execute("DISCARD ALL")
        self._connection.close()
