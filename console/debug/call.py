"""A request that a person composed on the debug page, checked before it is sent."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accounts.errors import InvalidInput

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PATH = re.compile(r"/[A-Za-z0-9._~/%?&=+,:@-]{0,500}\Z")
# A step upwards would leave the service that the key and the page are about.
UPWARDS = re.compile(r"(?:^|/)(?:\.|%2e){2}(?:/|%2f|\?|\Z)", re.IGNORECASE)
LARGEST_BODY = 4 * 1024 * 1024


@dataclass(frozen=True)
class Composed:
    """What the browser sent: method, path inside the service, body, and a key's id or ""."""

    method: str
    path: str
    body: str
    key_id: str


def composed(raw: bytes) -> Composed:
    """Read the browser's JSON; raise InvalidInput naming each wrong field."""
    if len(raw) > LARGEST_BODY:
        raise InvalidInput({"body": "At most 4 MiB can be sent from this page."})
    found = _object(raw)
    problems = {
        name: "This must be text."
        for name in ("method", "path", "body", "key")
        if not isinstance(found.get(name, ""), str)
    }
    if problems:
        raise InvalidInput(problems)
    call = Composed(
        method=found.get("method", "POST"),
        path=found.get("path", ""),
        body=found.get("body", ""),
        key_id=found.get("key", ""),
    )
    if call.method not in METHODS:
        problems["method"] = f"Choose one of {', '.join(METHODS)}."
    if not PATH.match(call.path) or UPWARDS.search(call.path):
        problems["path"] = "Enter a path inside the service, such as /v1/models."
    if not call.body.isascii() and _has_half_characters(call.body):
        problems["body"] = "The body holds a character that UTF-8 cannot."
    if problems:
        raise InvalidInput(problems)
    return call


def _object(raw: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(raw.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidInput({"body": "Send a JSON object."}) from error
    if not isinstance(found, dict):
        raise InvalidInput({"body": "Send a JSON object."})
    return found


def _has_half_characters(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
