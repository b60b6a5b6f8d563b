"""Programs that some tests need. Without one, these tests are skipped; in CI, which must not skip a test, they fail."""

import os
import shutil
from typing import NoReturn

import pytest


def program(name: str) -> str:
    """The path of a program."""
    return shutil.which(name) or missing(f"there is no {name} on the PATH")


def missing(reason: str) -> NoReturn:
    # `.ci/run` sets this variable.
    if os.environ.get("DSRHUB_TEST_NO_SKIPS"):
        pytest.fail(reason)
    pytest.skip(reason)
