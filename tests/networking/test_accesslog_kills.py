"""Each line counts once, whenever the reader dies: killed before any statement of its code."""

import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from networking.accesslog import files, reader, store
from networking.models import ReadPosition, TrafficMinute
from tests.networking.log_writer import LogWriter

# What does more than compute; dying within a computation is dying before what follows it.
CODE = frozenset({files.__file__, reader.__file__, store.__file__})
ROTATE_BYTES = 3_000
# A look at a log that needs everything done takes fewer statements.
MOST_STATEMENTS = 400

ACTIONS = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 12)),
    st.tuples(st.just("begin")),
    st.tuples(st.just("restart")),
    st.tuples(st.just("look")),
    st.tuples(st.just("look and die"), st.integers(1, MOST_STATEMENTS)),
    st.tuples(st.just("look and die"), st.integers(1, MOST_STATEMENTS)),
    st.tuples(st.just("time goes by")),
)


class Killed(BaseException):
    """Takes the place of SIGKILL: nothing in the reader's code can stop it."""


class Scene:
    """A writer and one reader after another, on one log."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "access.log"
        self.writer = LogWriter(self.path)
        # Files are as old as the clock of the machine says.
        self.now = datetime.now(UTC)

    def look(self) -> None:
        """Let a new reader, which knows nothing, count and rotate once."""
        own = reader.Reader(self.path, ROTATE_BYTES, self.writer.ask_to_reopen)
        while own.look(now=self.now):
            pass

    def look_and_die(self, statement: int) -> bool:
        """Kill a reader before this statement; return False when it was done before."""
        sys.settrace(killer(statement))
        try:
            self.look()
        except Killed:
            return True
        finally:
            sys.settrace(None)
        return False

    def finish(self) -> None:
        """Let time pass until everything is counted and old files are gone."""
        self.writer.write(1)
        for _ in range(4):
            self.now += timedelta(hours=1)
            self.look()
            self.writer.write(1)
        self.look()

    def play(self, action: tuple[Any, ...]) -> None:
        """Do one action."""
        match action:
            case ("write", count):
                self.writer.write(count)
            case ("begin",):
                self.writer.begin()
            case ("restart",):
                self.writer.restart()
            case ("look",):
                self.look()
            case ("look and die", statement):
                self.look_and_die(statement)
            case _:
                self.now += timedelta(hours=1)


def killer(statement: int) -> Any:
    """Return a trace function that kills before so many statements of the reader's own code."""
    left = statement

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in CODE:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                raise Killed
        return trace

    return trace


@pytest.fixture
def few_bytes_at_once(monkeypatch):
    """Read small stretches, so that each look takes several transactions."""
    read = files.LogFile.read
    monkeypatch.setattr(
        files.LogFile, "read", lambda self, *args, **named: read(self, *args, **named, limit=1_000)
    )


@pytest.mark.django_db(transaction=True)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(ACTIONS, min_size=3, max_size=30))
def test_each_line_counts_once_whenever_the_reader_is_killed(few_bytes_at_once, actions):
    TrafficMinute.objects.all().delete()
    ReadPosition.objects.all().delete()
    folder = Path(tempfile.mkdtemp())
    scene = Scene(folder)
    for action in actions:
        scene.play(action)
    scene.finish()

    counted = TrafficMinute.objects.aggregate(Sum("requests"), Sum("bytes_out"))
    assert counted["requests__sum"] == scene.writer.whole_entries
    assert counted["bytes_out__sum"] == 1000 * scene.writer.whole_entries
    assert len(files.rotated(scene.path)) <= 1
    shutil.rmtree(folder)


@pytest.mark.django_db(transaction=True)
def test_a_death_before_each_statement_of_a_whole_look_counts_nothing_twice(
    few_bytes_at_once, tmp_path
):
    scene = Scene(tmp_path)
    statement = 1
    scene.writer.write(12)
    while scene.look_and_die(statement):
        statement += 1
        scene.look()
        scene.now += timedelta(hours=1)
        scene.writer.write(12)
    scene.finish()

    counted = TrafficMinute.objects.aggregate(Sum("requests"))["requests__sum"]
    assert counted == scene.writer.whole_entries
    assert 100 < statement < MOST_STATEMENTS
