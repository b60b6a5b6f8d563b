"""The templates that ship with dsrhub, as the documents that people share: one file of JSON for each."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def shipped_documents() -> list[dict[str, Any]]:
    """The documents, in the order of the names of their files."""
    return [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
