"""Environment variables as people write them: one NAME=value a line, values masked when shown."""

from collections.abc import Mapping

from accounts.errors import InvalidInput

# A value that reads like this stays what it was; nobody has to see a secret to keep it.
MASK = "••••••••"


def masked(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with every value hidden."""
    return dict.fromkeys(environment, MASK)


def as_text(environment: Mapping[str, str]) -> str:
    """Return one line for each variable, with its value hidden."""
    return "\n".join(f"{name}={MASK}" for name in environment)


def from_text(text: str, present: Mapping[str, str]) -> dict[str, str]:
    """Read lines of NAME=value; raise InvalidInput for a line that is none."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, sign, value = line.partition("=")
        if not sign:
            raise InvalidInput({"environment": f"Line {number} must look like NAME=value."})
        if name.strip() in found:
            raise InvalidInput({"environment": f"{name.strip()[:64]} is given twice."})
        found[name.strip()] = value
    return unmasked(found, present)


def unmasked(wanted: Mapping[str, str], present: Mapping[str, str]) -> dict[str, str]:
    """Put the present values where a masked one was sent back; raise InvalidInput for no such."""
    for name, value in wanted.items():
        if value == MASK and name not in present:
            raise InvalidInput({"environment": f"Enter the value of {name[:64]}."})
    return {name: present[name] if value == MASK else value for name, value in wanted.items()}
