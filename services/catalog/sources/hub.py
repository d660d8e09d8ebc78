"""A hub with Hugging Face's API: resumed after a break, every file checked."""

import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx

from services.catalog.sources.base import (
    BadSource,
    ChecksumMismatch,
    NotAllowed,
    Report,
    SourceMissing,
    SourceUnreachable,
    Wanted,
    check_room,
    check_sha256,
    safe_name,
)
from services.drivers.base import Progress

TIMEOUT = httpx.Timeout(30, connect=10)
# Breaks in a row without a single new byte before an attempt is given up.
BREAKS_ALLOWED = 4
# The same weights again for other frameworks; left out where safetensors are there.
OTHER_FORMATS = (".bin", ".pt", ".pth", ".h5", ".msgpack", ".onnx", ".onnx_data", ".ot", ".tflite")
NEVER = (".h5", ".msgpack", ".ot", ".tflite", ".gitattributes")
# The same weights again as their publishers' own tools read them.
PUBLISHERS_OWN = ("original/", "consolidated")
WEIGHTS = (".safetensors", ".bin", ".gguf", ".onnx")
REPOSITORY = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)
UNAUTHORISED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository: SHA-256 where it is stored apart, else git's own SHA-1."""

    name: str
    size: int
    sha256: str
    git_sha1: str


class HubSource:
    """One hub, by its base URL; the token is for repositories that ask for one."""

    def __init__(self, base_url: str, token: str = "", pause: float = 1.0) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.base_url = base_url.rstrip("/")
        self.pause = pause
        self.client = httpx.Client(headers=headers, timeout=TIMEOUT, follow_redirects=True)

    def fetch(self, wanted: Wanted, into: Path, report: Report) -> Path:
        """Download the repository's files into the folder, going on where a break left off."""
        repository = wanted.location
        if not REPOSITORY.fullmatch(repository):
            raise BadSource(f"{repository!r} is not a hub id of the form owner/name.")
        with _explained(self.base_url, repository):
            commit = self._commit(repository, wanted.revision or "main")
            files = _chosen(list(self._files(repository, commit)), wanted)
            total = sum(file.size for file in files)
            present = sum(_present(into, file) for file in files)
            check_room(into, total - present)
            done = 0
            for file in files:
                self._download(repository, commit, file, into, _shifted(report, done, total))
                check_sha256(into / file.name, wanted.files.get(file.name, ""))
                done += file.size
        return into

    def _commit(self, repository: str, revision: str) -> str:
        path = f"/api/models/{repository}/revision/{quote(revision, safe='')}"
        answer = self.client.get(self.base_url + path).raise_for_status().json()
        return str(answer["sha"])

    def _files(self, repository: str, commit: str) -> Iterator[RemoteFile]:
        url = f"{self.base_url}/api/models/{repository}/tree/{commit}?recursive=true"
        while url:
            answer = self.client.get(url).raise_for_status()
            for item in answer.json():
                if item["type"] == "file":
                    yield _remote_file(item)
            url = str(answer.links.get("next", {}).get("url", ""))

    def _download(
        self, repository: str, commit: str, file: RemoteFile, into: Path, report: Report
    ) -> None:
        target = into / safe_name(file.name)
        if target.is_file() and target.stat().st_size == file.size:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        url = f"{self.base_url}/{repository}/resolve/{commit}/{quote(file.name)}"
        self._download_part(url, file, part, report)
        _check(part, file)
        # Only what was checked ever carries the file's own name.
        part.rename(target)

    def _download_part(self, url: str, file: RemoteFile, part: Path, report: Report) -> None:
        breaks = 0
        part.touch()
        while (before := part.stat().st_size) < file.size:
            broken = self._append(url, file, part, report)
            breaks = 0 if part.stat().st_size > before else breaks + 1
            if breaks >= BREAKS_ALLOWED:
                raise broken or SourceUnreachable(
                    f"{self.base_url} sends nothing of {file.name}. The next attempt goes on from "
                    "what has arrived."
                )
            time.sleep(breaks * self.pause)

    def _append(
        self, url: str, file: RemoteFile, part: Path, report: Report
    ) -> httpx.TransportError | None:
        """Fetch what is missing of a file; return the break that ended it, if one did."""
        start = part.stat().st_size
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            with self.client.stream("GET", url, headers=headers) as answer:
                _write(answer.raise_for_status(), part, file, report)
        except httpx.TransportError as error:
            return error
        return None


def _write(answer: httpx.Response, part: Path, file: RemoteFile, report: Report) -> None:
    # A server that knows no ranges sends everything again.
    resumed = answer.status_code == httpx.codes.PARTIAL_CONTENT
    with part.open("ab" if resumed else "wb") as output:
        # As it arrives: a chunk that is still being filled would be lost with a break.
        for chunk in answer.iter_raw():
            output.write(chunk)
            report(Progress(f"Downloading {file.name}", output.tell(), file.size))


def _remote_file(item: dict[str, object]) -> RemoteFile:
    apart = item.get("lfs")
    sha256 = str(apart.get("oid", "")) if isinstance(apart, dict) else ""
    return RemoteFile(
        name=safe_name(str(item["path"])).as_posix(),
        size=int(str(item["size"])),
        sha256=sha256.removeprefix("sha256:"),
        git_sha1="" if sha256 else str(item.get("oid", "")),
    )


def _chosen(files: list[RemoteFile], wanted: Wanted) -> list[RemoteFile]:
    """Return the files that the entry names, or those that a server needs."""
    if wanted.files:
        by_name = {file.name: file for file in files}
        if missing := [name for name in wanted.files if name not in by_name]:
            raise SourceMissing(f"{wanted.location} has no file {missing[0]}: correct the entry.")
        return [by_name[name] for name in wanted.files]
    safetensors = any(file.name.endswith(".safetensors") for file in files)
    unwanted = OTHER_FORMATS if safetensors else NEVER
    chosen = [file for file in files if not file.name.endswith((*unwanted, *NEVER))]
    common = [file for file in chosen if not file.name.startswith(PUBLISHERS_OWN)]
    # Some publishers give nothing but their own form.
    if any(file.name.endswith(WEIGHTS) for file in common):
        chosen = common
    if not chosen:
        raise SourceMissing(f"{wanted.location} has no files that a server could load.")
    return chosen


def _present(folder: Path, file: RemoteFile) -> int:
    target = folder / file.name
    part = target.with_name(target.name + ".part")
    return sum(path.stat().st_size for path in (target, part) if path.is_file())


def _check(part: Path, file: RemoteFile) -> None:
    if part.stat().st_size != file.size:
        found = part.stat().st_size
        part.unlink()
        raise ChecksumMismatch(
            f"{file.name} has {found} bytes, {file.size} were announced. It was thrown away; "
            "the next attempt fetches it anew."
        )
    check_sha256(part, file.sha256)
    if file.git_sha1 and _git_sha1(part) != file.git_sha1:
        part.unlink()
        raise ChecksumMismatch(
            f"{file.name} is not what the hub announced. It was thrown away; the next attempt "
            "fetches it anew."
        )


def _git_sha1(path: Path) -> str:
    """Return the name that git gives to a file's content."""
    content = path.read_bytes()
    header = f"blob {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def _shifted(report: Report, done: int, total: int) -> Report:
    """Turn one file's progress into the whole download's."""
    return lambda progress: report(Progress(progress.step, done + progress.done, total))


@contextmanager
def _explained(base_url: str, repository: str) -> Iterator[None]:
    """Turn the client's errors into ours, with what to do next."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise _refusal(error.response, base_url, repository) from error
    except httpx.TransportError as error:
        raise SourceUnreachable(
            f"{base_url} does not answer ({error or type(error).__name__}). Check this machine's "
            "way to it, or set SLIPWAY_HUB_URL to a mirror. What has arrived is kept."
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise BadSource(
            f"{base_url} does not answer like a model hub: set SLIPWAY_HUB_URL to one."
        ) from error


def _refusal(answer: httpx.Response, base_url: str, repository: str) -> Exception:
    if answer.status_code in UNAUTHORISED:
        return NotAllowed(
            f"{base_url} does not give {repository} to everyone: accept its licence there, then "
            "set SLIPWAY_HUB_TOKEN to a token that may read it."
        )
    if answer.status_code == httpx.codes.NOT_FOUND:
        return SourceMissing(f"{base_url} has no {answer.request.url.path}: correct the entry.")
    return SourceUnreachable(f"{base_url} answered {answer.status_code} for {repository}.")
