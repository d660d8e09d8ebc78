"""The one error a person sees when the local stack cannot start."""


class CannotStart(Exception):
    """The stack cannot start; the message is one line that says what to do about it."""
