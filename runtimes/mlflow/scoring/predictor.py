"""An MLflow model and what it says about itself."""

import json
import math
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd

from .frames import Column, ModelFailed, Table


class Predictor:
    """A loaded model, the columns it takes and an example of a request."""

    def __init__(self, folder: Path) -> None:
        self.model: Any = mlflow.pyfunc.load_model(str(folder))
        metadata = self.model.metadata
        schema = metadata.get_input_schema()
        named = schema is not None and schema.has_input_names() and not schema.is_tensor_spec()
        self.columns = [_column(spec) for spec in schema.inputs] if named else []
        outputs = metadata.get_output_schema()
        self.outputs: list[object] = outputs.to_dict() if outputs is not None else []
        self.example = _example(folder)

    def predict(self, table: Table, params: dict[str, object] | None) -> object:
        """Return predictions as plain JSON values; raise ModelFailed."""
        frame: Any = pd.DataFrame(table.rows, columns=list(table.columns) or None)
        if self.columns:
            frame = frame.astype(self._types(table))
        try:
            return _plain(self.model.predict(frame, params=params))
        # Whatever the model's own code raises is the answer to the caller.
        except Exception as error:
            raise ModelFailed(f"{type(error).__name__}: {error}") from error

    def _types(self, table: Table) -> dict[str, str]:
        return {
            column.name: PANDAS_TYPES[column.type]
            for column in self.columns
            if column.type in PANDAS_TYPES and column.name in table.columns and column.required
        }


PANDAS_TYPES = {
    "double": "float64",
    "float": "float32",
    "long": "int64",
    "integer": "int32",
    "boolean": "bool",
}


def _column(spec: Any) -> Column:
    described = spec.to_dict()
    return Column(
        name=described["name"],
        type=str(described["type"]),
        required=described.get("required", True),
    )


def _example(folder: Path) -> dict[str, object]:
    """Return the request that was saved with the model, if one was."""
    saved = folder / "serving_input_example.json"
    if not saved.is_file():
        return {}
    example: dict[str, object] = json.loads(saved.read_text())
    return example


def _plain(value: object) -> object:
    """Turn what models return into JSON values; a number that JSON has not becomes null."""
    if isinstance(value, pd.DataFrame):
        return _plain(value.to_dict(orient="records"))
    if isinstance(value, (np.ndarray, np.generic, pd.Series)):
        return _plain(value.tolist())
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)
