"""From a catalog entry to a folder with its files, once for all instances on this machine.

MODEL_DIR/<key>/            complete and never changed again; it appears by one rename
MODEL_DIR/.work/<key>/      what is being fetched; kept after a break, so that it can go on
MODEL_DIR/.locks/<key>      held while somebody works on it; released with a killed process
"""

import errno
import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from services.catalog.sources.base import BadSource, NoRoom, Report, Source, SourceError, Wanted
from services.catalog.sources.bundled import BundledSource
from services.catalog.sources.hub import HubSource
from services.catalog.sources.mlflow import MlflowSource
from services.catalog.sources.path import PathSource
from services.catalog.tethered import tethered
from services.drivers.base import Progress
from services.models import CatalogEntry

CONVERSIONS = {"bert-gguf": "services.catalog.bert_gguf"}
DIGEST_LENGTH = 12


def model_key(entry: CatalogEntry) -> str:
    """Return the name of an entry's files; another source or conversion is another name."""
    facts = {
        "kind": entry.source_kind,
        "source": entry.source,
        "revision": entry.source_revision,
        "files": entry.source_files,
        "options": {
            name: entry.runtime_options.get(name)
            for name in ("convert", "tracking_url", "model_file")
        },
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return f"{entry.slug}-{digest[:DIGEST_LENGTH]}"


def is_prepared(entry: CatalogEntry) -> bool:
    """Return whether the files are on this machine already."""
    return (settings.MODEL_DIR / model_key(entry)).is_dir()


def prepare_model(entry: CatalogEntry, report: Report) -> Path:
    """Return the folder with an entry's files, fetching them first if need be.

    Quick when they are there. Raises SourceError; what has arrived by then is kept or redone.
    """
    try:
        return _prepared(entry, source_of(entry), report)
    except OSError as error:
        raise _disk_problem(error) from error


def _prepared(entry: CatalogEntry, source: Source, report: Report) -> Path:
    key = model_key(entry)
    final = Path(settings.MODEL_DIR) / key
    if final.is_dir():
        return final
    with _locked(Path(settings.MODEL_DIR) / ".locks" / key, report):
        if final.is_dir():
            return final
        work = Path(settings.MODEL_DIR) / ".work" / key
        work.mkdir(parents=True, exist_ok=True)
        folder = source.fetch(_wanted(entry), work, report)
        if folder != work:
            work.rmdir()
            return folder
        _convert(entry, work, report)
        work.rename(final)
    return final


def source_of(entry: CatalogEntry) -> Source:
    """Return the source that an entry's files come from; raise BadSource."""
    kinds = CatalogEntry.SourceKind
    if entry.source_kind == kinds.BUNDLED:
        return BundledSource()
    if entry.source_kind == kinds.PATH:
        return PathSource(settings.MODEL_ROOTS)
    if entry.source_kind == kinds.HUB:
        return HubSource(settings.HUB_URL, settings.HUB_TOKEN)
    if entry.source_kind == kinds.MLFLOW:
        tracking_url = str(entry.runtime_options.get("tracking_url", ""))
        return MlflowSource(tracking_url, settings.MODEL_ROOTS)
    raise BadSource(f"{entry.slug} has a source of unknown kind {entry.source_kind!r}.")


def _disk_problem(error: OSError) -> SourceError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return NoRoom(f"The disk of {settings.MODEL_DIR} is full: make room there.")
    return SourceError(f"{settings.MODEL_DIR} cannot be used: {error}. Check the folder's rights.")


def _wanted(entry: CatalogEntry) -> Wanted:
    return Wanted(
        location=entry.source,
        revision=entry.source_revision,
        files=entry.source_files,
        download_bytes=entry.download_bytes or 0,
    )


@contextmanager
def _locked(path: Path, report: Report) -> Iterator[None]:
    """Hold a lock on a file; the system releases it when the process dies, however it dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(Progress("Waiting for another worker that fetches the same model"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _convert(entry: CatalogEntry, folder: Path, report: Report) -> None:
    """Turn what was fetched into what the runtime reads, and keep nothing else."""
    name = entry.runtime_options.get("convert")
    if not name:
        return
    if name not in CONVERSIONS:
        known = ", ".join(CONVERSIONS)
        raise BadSource(f"{entry.slug}: there is no conversion {name!r}, only {known}.")
    report(Progress("Converting the model"))
    target = folder / entry.runtime_options["model_file"]
    command = [sys.executable, "-m", CONVERSIONS[name], str(folder), str(target)]
    done = subprocess.run(
        tethered(command), cwd=settings.BASE_DIR, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SourceError(f"{entry.slug} could not be converted: {done.stderr.strip()[-300:]}")
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path != target:
            path.unlink()
