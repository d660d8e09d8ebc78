"""A model of an MLflow tracking server, or a folder that MLflow saved; by REST, without MLflow.

A location is `models:/<name>/<version>`, `models:/<name>@<alias>`, `runs:/<run id>/<path>` or
`file:/<folder>`. The server has to hand out artifacts itself (`--serve-artifacts`, its default);
one that keeps them in folders of this machine works if those are under an allowed root.
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

import httpx

from services.catalog.sources.base import (
    CHUNK,
    BadSource,
    NotAllowed,
    Report,
    SourceMissing,
    SourceUnreachable,
    Wanted,
    check_sha256,
    empty,
    safe_name,
)
from services.catalog.sources.path import allowed_folder
from services.drivers.base import Progress

API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
TIMEOUT = httpx.Timeout(30, connect=10)
VERSION = re.compile(r"models:/([^/@]+)/([0-9]+)")
ALIAS = re.compile(r"models:/([^/@]+)@([^/@]+)")
RUN = re.compile(r"runs:/([^/]+)/(.+)")


class MlflowSource:
    """One tracking server, and the folders that models may be read from directly."""

    def __init__(self, tracking_url: str, roots: Sequence[Path]) -> None:
        self.tracking_url = tracking_url.rstrip("/")
        self.roots = [root.resolve() for root in roots]
        self.client = httpx.Client(timeout=TIMEOUT, follow_redirects=True)

    def fetch(self, wanted: Wanted, into: Path, report: Report) -> Path:
        """Copy the model's files into the folder."""
        empty(into)
        artifacts = self._artifact_uri(wanted.location)
        parts = urlsplit(artifacts)
        if parts.scheme in {"", "file"}:
            folder = allowed_folder(Path(unquote(parts.path)), self.roots)
            shutil.copytree(folder, into, dirs_exist_ok=True)
        elif parts.scheme == "mlflow-artifacts":
            with _explained(self.tracking_url):
                self._download(parts.path.strip("/"), into, report)
        else:
            raise NotAllowed(
                f"The model's files are at {parts.scheme}://, which only the tracking server can "
                "read: start it with --serve-artifacts, or copy the model under an allowed folder."
            )
        if not (into / "MLmodel").is_file():
            raise SourceMissing(f"{wanted.location} holds no MLmodel file, so it is no model.")
        for name, checksum in wanted.files.items():
            check_sha256(into / safe_name(name), checksum)
        return into

    def _artifact_uri(self, location: str) -> str:
        if location.startswith("file:"):
            return location
        if not self.tracking_url:
            raise BadSource(
                f"{location} needs an MLflow server: give its address as tracking_url in the "
                "entry's runtime_options."
            )
        with _explained(self.tracking_url):
            if match := VERSION.fullmatch(location):
                return self._version_uri(*match.groups())
            if match := ALIAS.fullmatch(location):
                return self._version_uri(match[1], self._aliased(*match.groups()))
            if match := RUN.fullmatch(location):
                return self._run_uri(*match.groups())
        raise BadSource(
            f"{location!r} is none of models:/name/version, models:/name@alias, "
            "runs:/run/path and file:/folder."
        )

    def _get(self, endpoint: str, **query: str) -> dict[str, object]:
        answer = self.client.get(f"{self.tracking_url}{endpoint}", params=query)
        found: dict[str, object] = answer.raise_for_status().json()
        return found

    def _version_uri(self, name: str, version: str) -> str:
        endpoint = f"{API}/model-versions/get-download-uri"
        return str(self._get(endpoint, name=name, version=version)["artifact_uri"])

    def _aliased(self, name: str, alias: str) -> str:
        found = self._get(f"{API}/registered-models/alias", name=name, alias=alias)
        return str(_object(found["model_version"])["version"])

    def _run_uri(self, run_id: str, path: str) -> str:
        """Return where a run's model is: since MLflow 3 apart from the run's own artifacts."""
        run = _object(self._get(f"{API}/runs/get", run_id=run_id)["run"])
        outputs = _object(run.get("outputs") or {})
        for output in _list(outputs.get("model_outputs") or []):
            found = self._get(f"{API}/logged-models/{quote(str(_object(output)['model_id']))}")
            info = _object(_object(found["model"])["info"])
            if info.get("name") == path:
                return str(info["artifact_uri"])
        return f"{_object(run['info'])['artifact_uri']}/{path}"

    def _download(self, root: str, into: Path, report: Report) -> None:
        files = list(self._listed(root, ""))
        total = sum(size for _, size in files)
        done = 0
        for name, _size in files:
            target = into / safe_name(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            url = f"{self.tracking_url}{ARTIFACTS}/{quote(f'{root}/{name}')}"
            with self.client.stream("GET", url) as answer, target.open("wb") as output:
                for chunk in answer.raise_for_status().iter_bytes(CHUNK):
                    output.write(chunk)
                    report(Progress(f"Downloading {name}", done + output.tell(), total))
            done += target.stat().st_size

    def _listed(self, root: str, folder: str) -> Iterator[tuple[str, int]]:
        """Yield the name and size of every file under a folder of the artifacts."""
        found = self._get(ARTIFACTS, path=str(PurePosixPath(root) / folder))
        for item in _list(found.get("files") or []):
            described = _object(item)
            # Names come relative to the listed folder.
            name = str(PurePosixPath(folder) / safe_name(str(described["path"])))
            if described.get("is_dir"):
                yield from self._listed(root, name)
            else:
                yield name, int(str(described.get("file_size") or 0))


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError("an object was expected")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("a list was expected")
    return value


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Turn the client's errors into ours, with what to do next."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise _refusal(error.response, url) from error
    except httpx.TransportError as error:
        raise SourceUnreachable(
            f"The MLflow server {url} does not answer ({error or type(error).__name__}). Check "
            "its address and that this machine reaches it."
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise BadSource(f"{url} does not answer like an MLflow server: correct it.") from error


def _refusal(answer: httpx.Response, url: str) -> Exception:
    said = answer.text[:200]
    if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return NotAllowed(f"{url} refused: {said} Put a user and password into its address.")
    if answer.is_client_error:
        return SourceMissing(f"{url} has no such model, run or file: {said}")
    return SourceUnreachable(f"{url} answered {answer.status_code}: {said}")
