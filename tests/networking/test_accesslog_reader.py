"""The reader over files and rows: what it writes, what it waits for, and how it rotates."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from django.core.management.base import CommandError
from django.db import OperationalError, connection

from networking.accesslog import files, store
from networking.accesslog.reader import Admin, Reader, alone, follow
from networking.accesslog.rollup import fold
from networking.management.commands.read_access_log import Command
from networking.models import ReadPosition, TrafficMinute
from networking.tasks import forget_traffic
from networking.traffic import MINUTES_KEPT_FOR, forget_old_minutes
from services.models import ApiKey
from services.operations import create_key
from tests.factories import NOW, deploy_service, make_place
from tests.networking.log_writer import STARTED, LogWriter

NEVER = 2**40
AT_ONCE = 1


class Log:
    """A folder with a log, its writer and its reader."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "access.log"
        self.writer = LogWriter(self.path)

    def look(self, *, rotate_bytes: int = NEVER, after: timedelta = timedelta()) -> None:
        """Count everything there is and rotate, as if so much time had gone by."""
        reader = Reader(self.path, rotate_bytes, self.writer.ask_to_reopen)
        while reader.look(now=datetime.now(UTC) + after):
            pass

    @property
    def names(self) -> list[str]:
        """Return the names of the files."""
        return sorted(path.name for path in self.path.parent.iterdir())


@pytest.fixture
def log(db, tmp_path) -> Log:
    return Log(tmp_path)


def counted() -> int:
    """Return how many calls all rows together say there were."""
    return sum(TrafficMinute.objects.values_list("requests", flat=True))


def test_what_was_counted_before_is_added_to(log):
    log.writer.write(2, duration_ms=7)
    log.look()
    log.writer.write(3, duration_ms=70, status=503, flags="UC")
    log.look()

    row = TrafficMinute.objects.get()
    assert (row.requests, row.succeeded, row.server_errors, row.broken_off) == (5, 2, 3, 3)
    assert (row.bytes_in, row.bytes_out, row.duration_ms) == (500, 5000, 224)
    assert (row.latency[3], row.latency[6], sum(row.latency)) == (2, 3, 5)
    assert row.minute == STARTED.replace(second=0)


def test_a_log_without_new_lines_writes_nothing(log, django_assert_num_queries):
    log.writer.write(2)
    log.look()

    with django_assert_num_queries(1):
        log.look()
    assert counted() == 2


def test_a_line_waits_until_it_is_whole(log):
    log.writer.write(1)
    log.writer.begin()
    log.look(after=timedelta(hours=1))
    assert counted() == 1

    log.writer.write(1)
    log.look()
    assert counted() == 3


def test_a_line_in_a_renamed_log_waits_too_while_it_is_written(log):
    log.writer.write(1)
    log.writer.begin()
    log.look(rotate_bytes=AT_ONCE)
    log.look(after=timedelta(hours=1))
    log.writer.write(1)
    log.look(after=timedelta(hours=1))

    assert counted() == 3


def test_no_log_yet_is_no_error(db, tmp_path):
    Reader(tmp_path / "access.log", AT_ONCE, lambda: None).look(now=STARTED)

    assert not TrafficMinute.objects.exists()


def test_broken_lines_are_counted_and_reported(log, caplog):
    log.writer.write(1)
    log.writer.stream.write(b"no entry\n")
    log.writer.write(1)
    log.look()

    assert counted() == 2
    position = ReadPosition.objects.get()
    assert (position.lines, position.unreadable) == (3, 1)
    assert "1 of 3 lines" in caplog.text


def test_a_large_log_is_moved_away_and_deleted_once_counted_and_left(log):
    log.writer.write(3)
    log.look(rotate_bytes=AT_ONCE)
    assert log.names == ["access.log.1"]

    log.writer.write(1)
    log.look()
    assert log.names == ["access.log", "access.log.1"]

    log.look(after=timedelta(minutes=2))
    assert log.names == ["access.log"]
    assert ReadPosition.objects.get().path == str(log.path)
    assert counted() == 4


def test_envoy_is_asked_again_until_the_log_is_there(log):
    log.writer.write(1)
    log.look(rotate_bytes=AT_ONCE)
    log.writer.asked = False
    log.look()

    assert log.writer.asked


def test_what_is_written_to_the_old_name_still_counts(log):
    log.writer.write(1)
    log.look(rotate_bytes=AT_ONCE)
    log.writer.asked = False
    log.writer.write(2)
    log.look()

    assert counted() == 3


def test_a_log_that_somebody_cut_to_nothing_is_counted_from_its_start(log):
    log.writer.write(3)
    log.look()
    log.path.write_bytes(b"")
    log.writer.write(5)
    log.look()

    assert counted() == 8


def test_a_new_file_at_the_path_is_counted_from_its_start(log):
    log.writer.write(3)
    log.look()
    log.path.unlink()
    log.writer.restart()
    log.writer.write(5)
    log.look()

    assert counted() == 8


def test_a_log_copied_to_another_volume_is_not_counted_again(log):
    log.writer.write(3)
    log.look()
    content = log.path.read_bytes()
    log.path.unlink()
    log.path.write_bytes(content)
    log.look()

    assert counted() == 3


def test_a_log_that_lost_its_end_in_a_power_failure_goes_on_where_it_ends(log):
    log.writer.write(3)
    log.look()
    with log.path.open("ab") as stream:
        stream.truncate(log.path.stat().st_size - 100)
    log.look()
    log.writer.restart()
    log.writer.write(2)
    log.look()

    assert counted() == 5


def test_a_stretch_that_another_reader_counted_is_not_counted_again(log):
    log.writer.write(3)
    with files.opened(log.path) as file:
        assert file is not None
        chunk = file.read(0, whole=False)
        log.look()
        recorded = store.record(file, chunk, fold(chunk.lines), now=STARTED)

    assert not recorded
    assert counted() == 3


@pytest.fixture
def key(actor, workspace) -> ApiKey:
    service = deploy_service(actor, make_place(workspace))
    return create_key(actor, service, name="batch-job", now=NOW)


def test_a_use_of_a_key_is_noted(log, key):
    log.writer.write(2, key=key.pk, duration_ms=1000)
    log.writer.write(1, key="ak-of-a-deleted-key")
    log.look()

    key.refresh_from_db()
    assert key.last_used_at == STARTED + timedelta(seconds=1)


def test_uses_of_a_key_soon_after_each_other_are_one_write(log, key):
    for seconds in (0, 4, 5, 1):
        log.writer.write(1, key=key.pk, duration_ms=seconds * 1000)
        log.look()
        key.refresh_from_db()
        noted = 5 if seconds in {5, 1} else 0
        assert key.last_used_at == STARTED + timedelta(seconds=noted)


def follow_for(log: Log, looks: int) -> None:
    """Follow the log with a clock that stops the reader after so many looks."""
    stop = threading.Event()
    left = iter(range(looks - 1))

    def clock() -> datetime:
        if next(left, None) is None:
            stop.set()
        return datetime.now(UTC)

    follow(Reader(log.path, NEVER, log.writer.ask_to_reopen), stop, clock)


def test_a_database_that_is_away_is_waited_for(log, monkeypatch, caplog):
    monkeypatch.setattr("networking.accesslog.reader.PAUSE_SECONDS", 0)
    monkeypatch.setattr(connection, "close", lambda: None)
    offset_in, answers = store.offset_in, iter([False, False])

    def sometimes(head: str) -> int:
        if next(answers, True):
            return offset_in(head)
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(store, "offset_in", sometimes)
    log.writer.write(3)
    follow_for(log, looks=3)

    assert counted() == 3
    assert caplog.text.count("The database does not answer") == 1


def test_a_reader_waits_for_the_one_that_holds_the_log(tmp_path, caplog):
    path, stop = tmp_path / "new folder" / "access.log", threading.Event()
    with alone(path, stop):
        waiting = threading.Thread(target=lambda: alone(path, stop).__enter__())
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        stop.set()
        waiting.join(5)

    assert not waiting.is_alive()
    assert caplog.text.count("Another reader") == 1


def test_an_envoy_that_cannot_be_asked_is_reported_once(monkeypatch, caplog):
    answers = iter([None, None, 200, None])

    def post(url: str, **_: object) -> httpx.Response:
        assert url == "http://envoy:9901/reopen_logs"
        status = next(answers)
        if status is None:
            raise httpx.ConnectError("refused")
        return httpx.Response(status, request=httpx.Request("POST", url))

    monkeypatch.setattr(httpx, "post", post)
    admin = Admin("http://envoy:9901/")
    told = []
    for _ in range(4):
        admin.reopen()
        told.append(caplog.text.count("cannot be asked"))
    assert told == [1, 1, 1, 2]


@pytest.mark.parametrize("size", ["0", "-1", "big", "nan", "inf"])
def test_a_size_that_makes_no_sense_is_refused(size):
    parser = Command().create_parser("manage.py", "read_access_log")

    with pytest.raises(CommandError, match="not a number of MiB above 0"):
        parser.parse_args(["--rotate-mib", size])


def test_minutes_past_their_time_are_forgotten(log, monkeypatch):
    monkeypatch.setattr("networking.traffic.DELETED_AT_ONCE", 2)
    for minute in range(6):
        log.writer.write(1, duration_ms=minute * 60_000)
    log.look()
    now = STARTED.replace(second=0) + MINUTES_KEPT_FOR + timedelta(minutes=5)

    assert forget_old_minutes(now=now) == 5
    assert TrafficMinute.objects.get().minute == now - MINUTES_KEPT_FOR


def test_the_timer_forgets_by_the_clock(log):
    log.writer.write(1, time=datetime(2020, 1, 1, tzinfo=UTC).timestamp())
    log.writer.write(1, time=datetime.now(UTC).timestamp(), duration_ms=0)
    log.look()

    assert forget_traffic() == 1
    assert counted() == 1


def test_operators_read_traffic_and_edit_nothing(log, operator, client_for):
    log.writer.write(1)
    log.look()
    client = client_for(operator)
    row, position = TrafficMinute.objects.get(), ReadPosition.objects.get()

    for page in ("trafficminute", "readposition"):
        assert client.get(f"/admin/networking/{page}/").status_code == 200
        assert client.get(f"/admin/networking/{page}/add/").status_code == 403
    assert client.post(f"/admin/networking/trafficminute/{row.pk}/delete/").status_code == 403
    assert client.post(f"/admin/networking/readposition/{position.pk}/delete/").status_code == 403
