"""Errors as callers see them: in OpenAI's shape, with the id of the request."""

import json


def error_members(message: str, kind: str, code: str) -> dict[str, str | None]:
    """Return the members of an error, without the id of the request."""
    return {"message": message, "type": kind, "param": None, "code": code}


def error_fragment(message: str, kind: str, code: str) -> str:
    """Return the same as JSON without its braces; `code` comes last."""
    return json.dumps(error_members(message, kind, code))[1:-1]
