"""How collected static files are stored: named by their content, and compressed once."""

from typing import Any

from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage


class CollectedStaticFiles(CompressedManifestStaticFilesStorage):
    """Files that a browser may keep for ever, each with a gzip beside it.

    Brotli would save another tenth and takes twenty times as long, at a start somebody waits for.
    """

    def create_compressor(self, **options: Any) -> Compressor:
        """Return the compressor of the files."""
        return super().create_compressor(**{**options, "use_brotli": False})
