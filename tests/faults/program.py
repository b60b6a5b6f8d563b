"""The main part of the programs that try faults: their options, a trial on a server, and each fault in turn."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, TypeVar

from tests.printing import say

# A fault is a function of a trial. Its docstring says what happens.
Fault = Callable[[Any], None]
Trial = TypeVar("Trial")


def parser_of(
    description: str | None, faults: Sequence[Fault], *, times: int, meaning: str = "how often each fault happens"
) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=times, help=meaning)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**9))
    parser.add_argument("--only", nargs="*", choices=[fault.__name__ for fault in faults])
    return parser


@contextmanager
def trial_of(kind: Callable[[Any, Path, Random], Trial], server: Any, seed: int) -> Iterator[Trial]:
    """A trial on a server. Both end with the block, also when this program is stopped."""
    say(f"seed {seed}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield kind(server, Path(folder), Random(seed))  # noqa: S311 - when a fault comes
    finally:
        server.remove()


def try_each(trial: Any, faults: Sequence[Fault], only: Sequence[str] | None, times: Callable[[Fault], int]) -> None:
    for fault in faults:
        if not only or fault.__name__ in only:
            trial.run(fault, times=times(fault))
