"""The console's static files, collected and compressed before a start, when they have changed."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from deploy.local.config import ROOT

# The name of the step that collects, in front of its lines.
ASSETS = "static"
STAMP = "collected"
SOURCES = ("static", "uv.lock", "console/static.py")


@dataclass(frozen=True)
class Assets:
    """Where the collected files of one installation are, and what they were made of."""

    data_dir: Path

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables with which the console collects and serves them."""
        return {"SLIPWAY_COLLECTED_STATIC": "1", "SLIPWAY_STATIC_ROOT": str(self._folder)}

    @property
    def _folder(self) -> Path:
        return self.data_dir / "static"

    def fingerprint(self, root: Path = ROOT) -> str:
        """Return what changes whenever a file changes that they are made of."""
        digest = hashlib.sha256()
        for source in SOURCES:
            top = root / source
            for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
                status = path.stat()
                digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def collected(self) -> str:
        """Return the fingerprint of the files that were collected; empty for none."""
        stamp = self._folder / STAMP
        return stamp.read_text() if stamp.exists() else ""

    def mark(self, fingerprint: str) -> None:
        """Remember what was collected; only now a further start may rely on it."""
        (self._folder / STAMP).write_text(fingerprint)
