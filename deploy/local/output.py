"""The terminal: every program's lines under its name, and the launcher's own."""

import itertools
import os
import sys
from typing import TextIO

NAME_WIDTH = 10
COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
RESET = "\x1b[0m"
BOLD = "\x1b[1m"
OWN_NAME = "slipway"


class Output:
    """Writes whole prefixed lines, in colour when a person looks and NO_COLOR is unset."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._in_colour = stream.isatty() and "NO_COLOR" not in os.environ
        self._colours: dict[str, int] = {}
        self._next_colour = itertools.cycle(COLOURS)

    def line(self, name: str, text: str) -> None:
        """Write one line of a program."""
        prefix = f"{name:<{NAME_WIDTH}} |"
        if self._in_colour:
            colour = self._colours.setdefault(name, next(self._next_colour))
            prefix = f"\x1b[{colour}m{prefix}{RESET}"
        self._write(f"{prefix} {text}\n")

    def say(self, text: str) -> None:
        """Write one line of the launcher itself."""
        self.line(OWN_NAME, text)

    def announce(self, text: str) -> None:
        """Write a line that a person waits for, without a prefix."""
        self._write(f"{BOLD}{text}{RESET}\n" if self._in_colour else f"{text}\n")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            # Nobody reads any more (`make run | head`); the servers go on until stopped.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
