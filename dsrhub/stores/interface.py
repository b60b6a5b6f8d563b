"""What a folder can do, wherever it is."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

from dsrhub.texts.wording import printable

LONGEST_FAILURE = 1000


class StoredFile(NamedTuple):
    """A file as a listing shows it.

    `changed_at` is the time of its last change in seconds, by the clock of the store. `mark` differs where the content
    differs. What is not regular is a link, a FIFO, a device or a socket.
    """

    name: str
    size: int
    changed_at: float
    mark: str
    is_regular: bool = True


class LocalCopy(NamedTuple):
    """The content of a file on this machine: at `path`, which is opened inside of `folder` (see `file_open`)."""

    path: Path
    folder: Path


class Store(Protocol):
    """A folder in which others put files, with subfolders of our own. Paths are relative: `""` is the folder itself.

    Every method may raise one of `errors`: the store is out of reach, or refuses. FileNotFoundError is among them: what
    another session has moved is no longer there.
    """

    # The address without its password. The same place has the same text.
    address: str
    errors: tuple[type[Exception], ...]

    def opened(self) -> AbstractContextManager[None]:
        """The connection that all other methods need."""

    def files(self, folder: str) -> Iterator[StoredFile]:
        """The files directly in a folder, in any order; none if it does not exist."""

    def folders(self, folder: str) -> list[str]:
        """The names of the folders directly in a folder, sorted; none if it does not exist."""

    def head(self, file: StoredFile, count: int) -> bytes:
        """The first bytes of a file of the folder itself. Raises NotARegularFile, PermissionError."""

    def fetched(self, folder: str, file: StoredFile) -> AbstractContextManager[LocalCopy]:
        """The content of a file until the end of the block. Raises NotARegularFile for a link."""

    def is_unchanged(self, file: StoredFile) -> bool:
        """Whether a file of the folder itself still is as it was listed."""

    def take(self, file: StoredFile, folder: str) -> None:
        """Move a file of the folder itself into a subfolder, which is made if needed.

        It is never in neither place, and what was put under its name meanwhile stays there.
        """

    def take_is_ended(self, file: StoredFile, folder: str) -> bool:
        """End a move that may have been cut off: whether this file was in both places, and is in the subfolder now."""

    def put_back(self, folder: str, name: str) -> None:
        """Move a file of a subfolder into the folder itself. Raises FileExistsError where that has another such file.

        It is never in neither place. A move that was cut off is ended by the next call.
        """

    def move_folder(self, folder: str, to: str, *, last: str) -> None:
        """Move a folder with its files, in one step or the file `last` behind the others.

        A move that was cut off is continued by the next call.
        """

    def write(self, folder: str, name: str, content: bytes) -> None:
        """Write a file of a subfolder, which is made if needed: the whole content or nothing."""

    def read(self, folder: str, name: str, limit: int) -> bytes | None:
        """The content of a file of a subfolder, up to a number of bytes; None if there is no such file."""


def failure_text(error: BaseException) -> str:
    """Why a store could not be used, as a person reads it."""
    return printable(str(error) or type(error).__name__, LONGEST_FAILURE)
