"""Log lines: one JSON object a line on standard output."""

import json
import sys
from datetime import UTC, datetime


def log(level: str, message: str, **details: object) -> None:
    """Print one line."""
    line = {"time": datetime.now(UTC).isoformat(), "level": level, "message": message, **details}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
