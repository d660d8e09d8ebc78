import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from services.catalog.sources.base import (
    BadSource,
    ChecksumMismatch,
    NotAllowed,
    SourceMissing,
    SourceUnreachable,
    Wanted,
)
from services.catalog.sources.bundled import BundledSource
from services.catalog.sources.hub import HubSource
from services.catalog.sources.mlflow import MlflowSource
from services.catalog.sources.path import PathSource
from services.drivers.base import Progress
from tests.hub import CONFIG, GATED, WEIGHTS, running_hub


def quiet(progress):
    """Take no notice of progress."""


@pytest.fixture
def hub():
    with running_hub() as server:
        yield server


def test_a_download_that_breaks_goes_on_where_it_was(hub, tmp_path):
    hub.breaks = 3
    reports: list[Progress] = []
    HubSource(hub.url, pause=0).fetch(Wanted("owner/model"), tmp_path, reports.append)
    assert (tmp_path / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.sent == len(WEIGHTS) + len(CONFIG)
    assert reports[-1].done == reports[-1].total == len(WEIGHTS) + len(CONFIG)


def test_a_second_attempt_fetches_only_the_rest(hub, tmp_path):
    (tmp_path / "model.safetensors.part").write_bytes(WEIGHTS[:500_000])
    HubSource(hub.url).fetch(Wanted("owner/model"), tmp_path, quiet)
    assert (tmp_path / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.sent == len(WEIGHTS) - 500_000 + len(CONFIG)


def test_other_formats_of_the_same_weights_are_left_out(hub, tmp_path):
    HubSource(hub.url).fetch(Wanted("owner/model"), tmp_path, quiet)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("doubled", ["consolidated.safetensors", "original/model.safetensors"])
def test_weights_in_their_publishers_own_form_are_left_out_where_others_are(hub, tmp_path, doubled):
    hub.files[doubled] = b"the same"
    HubSource(hub.url).fetch(Wanted("owner/model"), tmp_path, quiet)
    assert not (tmp_path / doubled).exists()
    assert (tmp_path / "model.safetensors").is_file()


def test_weights_in_their_publishers_own_form_are_taken_where_there_are_no_others(hub, tmp_path):
    hub.files = {"consolidated.safetensors": b"all there is", "params.json": b"{}"}
    HubSource(hub.url).fetch(Wanted("owner/model"), tmp_path, quiet)
    assert (tmp_path / "consolidated.safetensors").read_bytes() == b"all there is"


def test_a_file_that_was_changed_on_the_way_is_thrown_away(hub, tmp_path):
    hub.announced = "0" * 64
    with pytest.raises(ChecksumMismatch):
        HubSource(hub.url).fetch(Wanted("owner/model"), tmp_path, quiet)
    assert not list(tmp_path.glob("model.safetensors*"))


def test_a_checksum_of_the_entry_is_checked_too(hub, tmp_path):
    wanted = Wanted("owner/model", files={"config.json": "0" * 64})
    with pytest.raises(ChecksumMismatch):
        HubSource(hub.url).fetch(wanted, tmp_path, quiet)


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("owner/other", SourceMissing),
        (GATED, NotAllowed),
        ("../etc/passwd", BadSource),
        ("owner/model?x=y", BadSource),
    ],
)
def test_a_repository_that_cannot_be_had_is_told_why(hub, tmp_path, location, error):
    with pytest.raises(error) as caught:
        HubSource(hub.url).fetch(Wanted(location), tmp_path, quiet)
    assert caught.value.permanent


def test_a_hostile_file_name_is_refused(hub, tmp_path):
    hub.files["../../evil.json"] = b"{}"
    with pytest.raises(BadSource):
        HubSource(hub.url).fetch(Wanted("owner/model"), tmp_path, quiet)


def test_a_hub_that_does_not_answer_may_be_tried_again(tmp_path):
    with pytest.raises(SourceUnreachable) as caught:
        HubSource("http://127.0.0.1:9").fetch(Wanted("owner/model"), tmp_path, quiet)
    assert not caught.value.permanent


def test_a_folder_under_a_root_is_used_where_it_is(tmp_path):
    model = tmp_path / "root" / "m"
    model.mkdir(parents=True)
    source = PathSource([tmp_path / "root"])
    assert source.fetch(Wanted(str(model)), tmp_path, quiet) == model


@pytest.mark.parametrize("location", ["link", "../secret", "../root2"])
def test_no_way_leads_out_of_a_root(tmp_path, location):
    for name in ("root", "root2", "secret"):
        (tmp_path / name).mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(NotAllowed):
        PathSource([tmp_path / "root"]).fetch(
            Wanted(str(tmp_path / "root" / location)), tmp_path, quiet
        )


def test_a_shipped_model_is_copied_and_checked(tmp_path):
    BundledSource().fetch(Wanted("shipped:wine"), tmp_path, quiet)
    assert (tmp_path / "MLmodel").is_file()
    with pytest.raises(ChecksumMismatch):
        BundledSource().fetch(Wanted("shipped:wine", files={"MLmodel": "0"}), tmp_path, quiet)


@pytest.mark.parametrize("location", ["requests", "a==1; b", "--index=x", "git+https://x==1"])
def test_only_a_pinned_package_is_installed(tmp_path, location):
    with pytest.raises(BadSource):
        BundledSource().fetch(Wanted(location), tmp_path, quiet)


class Tracking(ThreadingHTTPServer):
    """An MLflow server; `answers` is by path and the values of the query."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), TrackingHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.answers = {}


class TrackingHandler(BaseHTTPRequestHandler):
    """Answers for an MLflow server with version 3 of a model, called `prod`."""

    server: Tracking

    def log_message(self, *args):
        """Keep the test's output clean."""

    def do_GET(self):
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        answer = self.server.answers.get((url.path, *sorted(query.values())))
        self.send_response(404 if answer is None else 200)
        self.end_headers()
        self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())


API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture
def tracking():
    server = Tracking()
    uri = {"artifact_uri": "mlflow-artifacts:/1/models/m-1/artifacts"}
    root = "1/models/m-1/artifacts"
    listing = {"files": [{"path": "MLmodel", "file_size": 2}, {"path": "data", "is_dir": True}]}
    run = {"info": {"artifact_uri": "x"}, "outputs": {"model_outputs": [{"model_id": "m-1"}]}}
    server.answers = {
        (f"{API}/model-versions/get-download-uri", "3", "wine"): uri,
        (f"{API}/registered-models/alias", "prod", "wine"): {"model_version": {"version": "3"}},
        (f"{API}/runs/get", "r1"): {"run": run},
        (f"{API}/logged-models/m-1",): {"model": {"info": {"name": "model", **uri}}},
        (ARTIFACTS, root): listing,
        (ARTIFACTS, f"{root}/data"): {"files": [{"path": "model.skops", "file_size": 3}]},
        (f"{ARTIFACTS}/{root}/MLmodel",): b"{}",
        (f"{ARTIFACTS}/{root}/data/model.skops",): b"abc",
    }
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("location", ["models:/wine/3", "models:/wine@prod", "runs:/r1/model"])
def test_a_registered_model_is_fetched_by_version_alias_or_run(tracking, tmp_path, location):
    MlflowSource(tracking.url, []).fetch(Wanted(location), tmp_path, quiet)
    assert (tmp_path / "MLmodel").read_bytes() == b"{}"
    assert (tmp_path / "data" / "model.skops").read_bytes() == b"abc"


def test_a_model_that_is_not_registered_is_missing(tracking, tmp_path):
    with pytest.raises(SourceMissing):
        MlflowSource(tracking.url, []).fetch(Wanted("models:/wine/4"), tmp_path, quiet)


def test_a_saved_folder_is_read_only_under_a_root(tmp_path):
    saved, into = tmp_path / "saved", tmp_path / "into"
    saved.mkdir()
    into.mkdir()
    (saved / "MLmodel").write_text("{}")
    with pytest.raises(NotAllowed):
        MlflowSource("", []).fetch(Wanted(f"file:{saved}"), into, quiet)
    MlflowSource("", [tmp_path]).fetch(Wanted(f"file:{saved}"), into, quiet)
    assert Path(into / "MLmodel").is_file()
