"""A folder that is on the node already: used where it is, if it is under an allowed root."""

from collections.abc import Sequence
from pathlib import Path

from services.catalog.sources.base import (
    BadSource,
    NotAllowed,
    Report,
    SourceMissing,
    Wanted,
    safe_name,
)
from services.drivers.base import Progress


class PathSource:
    """Folders under the roots that the administrator allowed."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = [root.resolve() for root in roots]

    def fetch(self, wanted: Wanted, into: Path, report: Report) -> Path:
        """Return the folder itself; nothing is copied."""
        folder = allowed_folder(Path(wanted.location), self.roots)
        for name in wanted.files:
            if not (folder / safe_name(name)).is_file():
                raise SourceMissing(f"{folder} has no file {name}.")
        report(Progress("Model found", 1, 1))
        return folder


def allowed_folder(path: Path, roots: Sequence[Path]) -> Path:
    """Return the real folder behind a path; raise unless it lies under one of the real roots."""
    if not path.is_absolute():
        raise BadSource(f"{path} is not absolute: give the whole path, from /.")
    # Links and `..` are followed before the comparison, so that neither leads out of a root.
    real = path.resolve()
    if not any(real.is_relative_to(root) for root in roots):
        allowed = ", ".join(str(root) for root in roots) or "none is set"
        raise NotAllowed(
            f"{path} is not under an allowed folder ({allowed}). An administrator may add its "
            "parent to SLIPWAY_MODEL_ROOTS."
        )
    if not real.is_dir():
        raise SourceMissing(f"There is no folder {path} on this machine.")
    return real
