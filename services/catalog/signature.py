"""What an MLflow model's folder says about its columns."""

import json
from pathlib import Path
from typing import Any

import yaml


class BadModelFolder(Exception):
    """The folder is not one that MLflow saved."""


def read_signature(folder: Path) -> dict[str, Any]:
    """Return `inputs`, `outputs` and an `example` request; raise BadModelFolder."""
    try:
        described = yaml.safe_load((folder / "MLmodel").read_text())
        signature = described.get("signature") or {}
        return {
            "inputs": json.loads(signature.get("inputs") or "[]"),
            "outputs": json.loads(signature.get("outputs") or "[]"),
            "example": _example(folder / "serving_input_example.json"),
        }
    except (OSError, ValueError, AttributeError, yaml.YAMLError) as error:
        raise BadModelFolder(f"{folder} is no MLflow model: {error}") from error


def _example(path: Path) -> dict[str, Any]:
    """Return the request that was saved with the model, under an id of the caller's."""
    if not path.is_file():
        return {}
    return {"client_request_id": "123456", **json.loads(path.read_text())}
