"""Writes what was counted and how far, in one transaction, so that no line counts twice."""

import json
from dataclasses import asdict
from datetime import datetime

from django.db import connection, transaction

from networking.accesslog.files import Chunk, LogFile
from networking.accesslog.rollup import Batch
from networking.models import ReadPosition

# Writing each use would be a write for each call.
NOTE_USE_EVERY_SECONDS = 5

ADD_MINUTES = """
INSERT INTO networking_trafficminute AS was (
    service_id, minute, version_id, key_id, endpoint_id,
    requests, succeeded, redirected, client_errors, server_errors, throttled, refused,
    unreachable, broken_off, timed_out, client_left, bytes_in, bytes_out, duration_ms, latency
)
SELECT
    service_id, to_timestamp(minute), version_id, key_id, endpoint_id,
    requests, succeeded, redirected, client_errors, server_errors, throttled, refused,
    unreachable, broken_off, timed_out, client_left, bytes_in, bytes_out, duration_ms, latency
FROM json_to_recordset(%s) AS given (
    service_id text, minute bigint, version_id text, key_id text, endpoint_id text,
    requests bigint, succeeded bigint, redirected bigint, client_errors bigint,
    server_errors bigint, throttled bigint, refused bigint,
    unreachable bigint, broken_off bigint, timed_out bigint, client_left bigint,
    bytes_in bigint, bytes_out bigint, duration_ms bigint, latency bigint[]
)
ON CONFLICT (service_id, minute, version_id, key_id, endpoint_id) DO UPDATE SET
    requests = was.requests + excluded.requests,
    succeeded = was.succeeded + excluded.succeeded,
    redirected = was.redirected + excluded.redirected,
    client_errors = was.client_errors + excluded.client_errors,
    server_errors = was.server_errors + excluded.server_errors,
    throttled = was.throttled + excluded.throttled,
    refused = was.refused + excluded.refused,
    unreachable = was.unreachable + excluded.unreachable,
    broken_off = was.broken_off + excluded.broken_off,
    timed_out = was.timed_out + excluded.timed_out,
    client_left = was.client_left + excluded.client_left,
    bytes_in = was.bytes_in + excluded.bytes_in,
    bytes_out = was.bytes_out + excluded.bytes_out,
    duration_ms = was.duration_ms + excluded.duration_ms,
    latency = (
        SELECT array_agg(older + newer ORDER BY place)
        FROM unnest(was.latency, excluded.latency) WITH ORDINALITY AS pair (older, newer, place)
    )
"""

# A key that somebody edits at this moment is noted with its next use.
NOTE_USES = """
UPDATE services_apikey SET last_used_at = fresh.used_at
FROM (
    SELECT id, used_at
    FROM services_apikey JOIN (
        SELECT key AS key_id, to_timestamp(value::float8) AS used_at FROM json_each_text(%s)
    ) AS given ON id = key_id
    WHERE last_used_at IS NULL OR last_used_at <= used_at - make_interval(secs => %s)
    ORDER BY id
    FOR NO KEY UPDATE OF services_apikey SKIP LOCKED
) AS fresh
WHERE services_apikey.id = fresh.id
"""


def offset_in(head: str) -> int:
    """Return how many bytes of the file of this head have been counted."""
    return ReadPosition.objects.filter(pk=head).values_list("offset", flat=True).first() or 0


@transaction.atomic
def record(file: LogFile, chunk: Chunk, batch: Batch, *, now: datetime) -> bool:
    """Add the batch and move the file's position behind it.

    Return False, and write nothing, when the position is no longer where the batch began.
    """
    position = _locked_position(file, now)
    # After a power failure the file may end before what had been counted of it.
    if min(position.offset, file.size) != chunk.start:
        return False
    position.path, position.inode = str(file.path), str(file.inode)
    position.offset, position.read_at = chunk.end, now
    position.lines += batch.lines
    position.unreadable += batch.unreadable
    position.save()
    with connection.cursor() as cursor:
        if batch.minutes:
            cursor.execute(ADD_MINUTES, [_rows(batch)])
        if batch.used:
            cursor.execute(NOTE_USES, [json.dumps(batch.used), NOTE_USE_EVERY_SECONDS])
    return True


def forget(head: str) -> None:
    """Drop the position of a file that is gone."""
    ReadPosition.objects.filter(pk=head).delete()


def _locked_position(file: LogFile, now: datetime) -> ReadPosition:
    ReadPosition.objects.bulk_create(
        [ReadPosition(head=file.head or "", read_at=now)], ignore_conflicts=True
    )
    return ReadPosition.objects.select_for_update().get(pk=file.head)


def _rows(batch: Batch) -> str:
    # One order for all writers, so that two of them never wait for each other.
    ordered = sorted(batch.minutes.items())
    return json.dumps([subject._asdict() | asdict(counts) for subject, counts in ordered])
