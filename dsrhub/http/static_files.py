"""Static files: compressed and with a hash in their names after `collectstatic`, and from their folders before."""

from typing import Any

from django.urls import get_script_prefix
from whitenoise.storage import CompressedManifestStaticFilesStorage


class CollectedOrSource(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """A file that was not collected, or is newer than the last `collectstatic`, keeps its name without a hash.

    Then WhiteNoise serves it from the folder of its application (WHITENOISE_USE_FINDERS).
    """

    @property
    def base_url(self) -> str:
        """The address of the files. The prefix of a proxy (dsrhub/http/proxy.py) differs from request to request."""
        return get_script_prefix() + "static/"

    def create_compressor(self, **options: Any) -> Any:
        """With gzip alone. Brotli would take ten times as long, wherever some other package has installed it."""
        return super().create_compressor(**options, use_brotli=False)

    def stored_name(self, name: str) -> str:
        is_collected = self.hash_key(self.clean_name(name)) in self.hashed_files
        return str(super().stored_name(name)) if is_collected else name
