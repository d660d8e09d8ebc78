"""Lines add up to counts by minute, service, version, key and endpoint."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from networking.accesslog.histogram import BOUNDS_MS, BUCKETS, bucket_of, quantile_ms
from networking.accesslog.rollup import Counts, Subject, fold
from tests.networking.log_writer import STARTED, line

MINUTE = int(STARTED.timestamp()) // 60 * 60


def only(*lines: bytes) -> Counts:
    """Return the counts of lines that are about one subject."""
    (counts,) = fold(lines).minutes.values()
    return counts


def test_calls_of_one_subject_and_minute_are_added_up():
    batch = fold([line(1), line(2, received=50, sent=5, duration_ms=10)])

    subject = Subject("ms-1", MINUTE, "mv-1", "ak-1", "")
    counts = batch.minutes[subject]
    assert (len(batch.minutes), counts.requests, counts.succeeded) == (1, 2, 2)
    assert (counts.bytes_in, counts.bytes_out, counts.duration_ms) == (150, 1005, 50)
    assert counts.latency[bucket_of(40)] == counts.latency[bucket_of(10)] == 1


@pytest.mark.parametrize("field", ["service", "version", "key", "endpoint"])
def test_each_subject_is_counted_apart(field):
    batch = fold([line(1), line(2), line(3, **{field: "another"})])

    assert sorted(counts.requests for counts in batch.minutes.values()) == [1, 2]


def test_a_call_counts_in_the_minute_its_answer_ended():
    batch = fold([line(duration_ms=29_999), line(duration_ms=30_001)])

    assert {subject.minute for subject in batch.minutes} == {MINUTE, MINUTE + 60}


@pytest.mark.parametrize(
    ("status", "column"),
    [
        (200, "succeeded"),
        (307, "redirected"),
        (404, "client_errors"),
        (502, "server_errors"),
    ],
)
def test_a_status_counts_in_its_class(status, column):
    counts = only(line(status=status))

    columns = ("succeeded", "redirected", "client_errors", "server_errors")
    assert {c: getattr(counts, c) for c in columns} == {c: int(c == column) for c in columns}


def test_a_throttled_call_is_a_client_error_too():
    counts = only(line(status=429))

    assert (counts.throttled, counts.client_errors) == (1, 1)


@pytest.mark.parametrize(
    ("flags", "column"),
    [
        ("UF,URX", "unreachable"),
        ("UH", "unreachable"),
        ("UC", "broken_off"),
        ("SI", "timed_out"),
        ("DC", "client_left"),
    ],
)
def test_a_flag_says_what_went_wrong(flags, column):
    counts = only(line(flags=flags, status=0))

    columns = ("unreachable", "broken_off", "timed_out", "client_left")
    assert {c: getattr(counts, c) for c in columns} == {c: int(c == column) for c in columns}


@pytest.mark.parametrize(
    "fields", [{"refused": "invalid_api_key"}, {"version": None}, {"flags": "UH"}]
)
def test_only_calls_that_an_instance_took_have_a_latency(fields):
    counts = only(line(**fields))

    assert (counts.requests, counts.duration_ms, sum(counts.latency)) == (1, 0, 0)


def test_a_key_is_used_when_its_last_answer_ended():
    later = STARTED + timedelta(seconds=3)
    batch = fold([line(time=later.timestamp(), duration_ms=0), line(), line(key="-")])

    assert batch.used == {"ak-1": later.timestamp()}


def test_what_is_not_an_entry_is_counted_and_the_rest_goes_on():
    batch = fold([b"", b"no entry", line()[:50] + line(1), line(2)])

    assert (batch.lines, batch.unreadable) == (4, 3)
    assert [counts.requests for counts in batch.minutes.values()] == [2]


@given(st.lists(st.integers(0, 10**6), min_size=1), st.floats(0.01, 1))
def test_a_quantile_lies_in_the_bucket_of_the_call_it_names(durations, share):
    counts = [0] * BUCKETS
    for duration in durations:
        counts[bucket_of(duration)] += 1
    rank = max(-(-share * len(durations) // 1), 1)
    bucket = bucket_of(sorted(durations)[int(rank) - 1])

    value = quantile_ms(counts, share)

    assert value is not None
    lower = BOUNDS_MS[bucket - 1] if bucket > 0 else 0
    upper = BOUNDS_MS[min(bucket, len(BOUNDS_MS) - 1)]
    assert min(lower, upper) <= value <= upper


def test_bounds_are_inclusive_and_the_last_bucket_has_none():
    assert bucket_of(0) == bucket_of(BOUNDS_MS[0]) == 0
    assert bucket_of(BOUNDS_MS[0] + 1) == 1
    assert bucket_of(10**9) == BUCKETS - 1


def test_no_calls_have_no_quantile():
    assert quantile_ms([0] * BUCKETS, 0.5) is None
