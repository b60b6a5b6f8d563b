"""What the programs of the tests print."""

import sys


def say(text: str = "") -> None:
    """Print a line at once, also into a file."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
