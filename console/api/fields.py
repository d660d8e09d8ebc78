"""Serializers that take exactly what they say: no unknown names, no numbers as text."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

MOST_UNKNOWN_NAMES = 10


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know, by name."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the validated values; raise ValidationError."""
        if isinstance(data, Mapping):
            unknown = [_printable(name) for name in data if name not in self.fields]
            if unknown:
                known = ", ".join(self.fields)
                raise ValidationError(
                    dict.fromkeys(
                        unknown[:MOST_UNKNOWN_NAMES], f"No such field; there are {known}."
                    )
                )
        return super().to_internal_value(data)


class WholeNumber(serializers.IntegerField):
    """A JSON number without a fraction."""

    def to_internal_value(self, data: Any) -> int:
        """Return the number; raise ValidationError for text, booleans and fractions."""
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data


class Truth(serializers.BooleanField):
    """A JSON true or false."""

    def to_internal_value(self, data: Any) -> bool:
        """Return the value; raise ValidationError for anything else."""
        if not isinstance(data, bool):
            self.fail("invalid", input=str(data)[:50])
        return data


class Text(serializers.CharField):
    """A JSON string, kept as it is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **options})

    def to_internal_value(self, data: Any) -> str:
        """Return the text; raise ValidationError for anything else."""
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class Variables(serializers.DictField):
    """A JSON object of strings."""

    child = Text(allow_blank=True, max_length=4096)


def _printable(name: object) -> str:
    """Return a name that any answer can carry: JSON may hold halves of characters."""
    return str(name)[:64].encode("utf-8", "replace").decode()
