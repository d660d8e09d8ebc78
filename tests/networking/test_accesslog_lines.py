"""A line becomes a call, or is refused, whatever it holds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from networking.accesslog.lines import LARGEST, Call, Unreadable, parse, salvage
from tests.networking.log_writer import STARTED, entry, line

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_an_entry_becomes_a_call():
    call = parse(line(flags="UF,URX", status=503, endpoint="ep-1"))

    assert call.started == STARTED.timestamp()
    assert call.ended == pytest.approx(STARTED.timestamp() + 0.04)
    assert (call.service_id, call.version_id, call.key_id) == ("ms-1", "mv-1", "ak-1")
    assert (call.endpoint_id, call.status) == ("ep-1", 503)
    assert call.flags == frozenset({"UF", "URX"})
    assert (call.bytes_in, call.bytes_out, call.duration_ms) == (100, 1000, 40)
    assert not call.refused


@pytest.mark.parametrize("nothing", [None, "-", ""])
def test_what_envoy_does_not_know_is_empty(nothing):
    call = parse(line(service=nothing, version=nothing, key=nothing, received=nothing))

    assert (call.service_id, call.version_id, call.key_id) == ("", "", "")
    assert call.bytes_in == 0


def test_a_refused_call_is_told_apart():
    assert parse(line(refused="invalid_api_key", status=401)).refused


def test_numbers_may_come_as_text():
    assert parse(line(time=STARTED.timestamp(), status="200", sent="7")).bytes_out == 7


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time", None),
        ("time", "NaN"),
        ("time", "soon"),
        ("time", "9" * 400),
        ("time", -1),
        ("status", -1),
        ("status", True),
        ("status", 200.5),
        ("sent", LARGEST + 1),
        ("duration_ms", [1]),
        ("service", "x" * 65),
        ("service", 7),
        ("key", "nul\0"),
        ("key", "\ud800"),
    ],
)
def test_a_value_that_cannot_be_is_refused(field, value):
    with pytest.raises(Unreadable):
        parse(line(**{field: value}))


@pytest.mark.parametrize("missing", ["time", "status"])
def test_an_entry_without_its_time_or_status_is_refused(missing):
    fields = entry()
    del fields[missing]

    with pytest.raises(Unreadable, match="without time or status"):
        parse(json.dumps(fields).encode())


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b"7", b"\0" * 80, b"[" * 100_000])
def test_what_is_no_entry_is_refused(broken):
    with pytest.raises(Unreadable):
        parse(broken)


def test_bytes_that_are_no_text_in_a_path_do_not_hide_the_call():
    assert parse(line(path="PATH").replace(b"PATH", b"/\xff\xfe")).service_id == "ms-1"


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_line_surprises(raw):
    try:
        assert isinstance(parse(raw), Call)
    except Unreadable:
        assert all(isinstance(call, Call) for call in salvage(raw))


@given(field=st.sampled_from(list(entry())), value=JSON)
def test_no_value_surprises(field, value):
    try:
        call = parse(line(**{field: value}))
    except Unreadable:
        return
    assert 0 <= call.bytes_in <= LARGEST
    assert max(len(call.service_id), len(call.version_id), len(call.key_id)) <= 64


@given(st.integers(1, len(line()) - 1))
def test_the_entry_behind_a_torn_one_is_saved_wherever_it_was_torn(cut):
    assert salvage(line(1)[:cut] + line(2, sent=7)) == [parse(line(2, sent=7))]


def test_two_entries_that_lost_the_line_end_between_them_are_both_saved():
    assert salvage(line(1) + line(2)) == [parse(line(2)), parse(line(1))]


def test_a_path_that_looks_like_an_entry_is_none():
    forged = json.dumps(entry(status=200))

    assert salvage(b"torn" + line(path=forged + "{", status=401)) == [parse(line(status=401))]
