"""Checks of what people enter, collected so that every wrong field is told at once."""

import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from accounts.errors import InvalidInput
from accounts.models import Workspace
from services.models import NAME_RULE, Region, Service

VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
# The runtimes' own contract; a value from outside would break the server or its limits.
RESERVED_VARIABLES = frozenset({"HOST", "PORT", "THREADS"})
RESERVED_PREFIXES = ("MODEL_", "SLIPWAY_")
# Control characters but tab and line breaks, and halves of surrogate pairs, which are no text.
UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
MAX_VARIABLES = 100
MAX_VALUE_LENGTH = 4096


class Problems:
    """Collects one message for each wrong field."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}

    def add(self, field: str, message: str) -> None:
        """Keep the first message about a field."""
        self.fields.setdefault(field, message)

    def check(self, field: str, *, ok: bool, message: str) -> None:
        """Add the message unless `ok`."""
        if not ok:
            self.add(field, message)

    def raise_any(self) -> None:
        """Raise InvalidInput when anything is wrong."""
        if self.fields:
            raise InvalidInput(self.fields)


def check_name(problems: Problems, value: str, *, field: str = "name") -> None:
    """Check the rule for names of services, versions and keys."""
    try:
        NAME_RULE(value)
    except ValidationError as error:
        problems.add(field, str(error.messages[0]))


def check_service_name(
    problems: Problems, name: str, workspace: Workspace, region: Region, *, but: str = ""
) -> None:
    """Check a service's name and that no other service of the workspace and region has it."""
    check_name(problems, name)
    if "name" in problems.fields:
        return
    taken = Service.objects.filter(workspace=workspace, region=region, name=name).exclude(pk=but)
    problems.check(
        "name",
        ok=not taken.exists(),
        message=f"A service named {name} exists in this workspace and region already.",
    )


def check_text(problems: Problems, field: str, value: str, longest: int) -> None:
    """Check a free text: its length, and that a database and a terminal can show it."""
    problems.check(
        field,
        ok=len(value) <= longest,
        message=f"At most {longest} characters; this has {len(value)}.",
    )
    problems.check(
        field,
        ok=not UNSTORABLE.search(value),
        message="Control characters and broken Unicode are not allowed here.",
    )


def check_whole(
    problems: Problems, field: str, value: Any, lowest: int, highest: int, unit: str = ""
) -> None:
    """Check a whole number's range; a boolean is not a number here."""
    ok = isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest
    problems.check(
        field,
        ok=ok,
        message=f"Enter a whole number from {lowest} to {highest}{unit and ' '}{unit}.",
    )


def check_environment(
    problems: Problems, environment: Mapping[str, str], *, field: str = "environment"
) -> None:
    """Check the names, number and length of environment variables."""
    problems.check(
        field,
        ok=len(environment) <= MAX_VARIABLES,
        message=f"At most {MAX_VARIABLES} variables.",
    )
    for name, value in environment.items():
        if not VARIABLE_NAME.match(name):
            problems.add(
                field, f"{name[:64]!r} is not a variable name: letters, digits and _ only."
            )
        elif name in RESERVED_VARIABLES or name.startswith(RESERVED_PREFIXES):
            problems.add(field, f"{name} is set by Slipway itself; choose another name.")
        elif not _is_value(value):
            problems.add(
                field,
                f"The value of {name} must be text of at most {MAX_VALUE_LENGTH:,} characters, "
                "without control characters.",
            )


def _is_value(value: object) -> bool:
    return (
        isinstance(value, str) and len(value) <= MAX_VALUE_LENGTH and not UNSTORABLE.search(value)
    )


def check_health_path(problems: Problems, path: str) -> None:
    """Check the path that the health probe asks."""
    problems.check(
        "health_path",
        ok=bool(re.fullmatch(r"/[A-Za-z0-9._~/%-]{0,199}", path)),
        message="Enter a path that starts with /, such as /health.",
    )
