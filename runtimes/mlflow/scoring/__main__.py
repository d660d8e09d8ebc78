"""Load the model that MODEL_PATH names, then serve it until SIGTERM.

Environment: MODEL_PATH (a folder with an MLmodel file), MODEL_NAME, HOST (127.0.0.1), PORT (8080),
DRAIN_SECONDS (how long requests under way may take after SIGTERM, 25). Connections are refused
until the model is loaded.
"""

import os
import signal
import sys
import time
from pathlib import Path

import uvicorn
from mlflow.exceptions import MlflowException

from .journal import log
from .predictor import Predictor
from .server import application


def main() -> int:
    """Run the server; return the process's exit code."""
    folder = Path(os.environ.get("MODEL_PATH", ""))
    name = os.environ.get("MODEL_NAME") or folder.name
    if not (folder / "MLmodel").is_file():
        log("error", f"MODEL_PATH is {str(folder)!r}; give a folder that has an MLmodel file.")
        return 2
    started = time.monotonic()
    log("info", "loading", model=name, path=str(folder))
    try:
        predictor = Predictor(folder)
    except (MlflowException, ImportError, ValueError, OSError) as error:
        log("error", f"The model could not be loaded: {error}")
        return 1
    log("info", "ready", columns=len(predictor.columns), seconds=_since(started))
    # uvicorn stops gracefully and then raises the signal once more, which would end us with 143.
    signal.signal(signal.SIGTERM, lambda *_: None)
    uvicorn.run(
        application(predictor, name),
        host=os.environ.get("HOST") or "127.0.0.1",
        port=int(os.environ.get("PORT") or "8080"),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=int(os.environ.get("DRAIN_SECONDS") or "25"),
    )
    log("info", "stopped")
    return 0


def _since(started: float) -> float:
    return round(time.monotonic() - started, 2)


if __name__ == "__main__":
    sys.exit(main())
