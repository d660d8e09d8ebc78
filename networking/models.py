"""What was called: traffic by the minute, and how far the access logs have been read."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

ID_LENGTH = 64


class TrafficMinute(models.Model):
    """What one key called of one version in one minute, counted when an answer ended.

    Ids are kept as text and are empty when there is none, so that the row outlives the service.
    `refused` were answered by the gateway itself. `duration_ms` and `latency` are only of calls
    that an instance took; the buckets of `latency` are in `networking.accesslog.histogram`.
    """

    service_id = models.CharField(max_length=ID_LENGTH, blank=True)
    version_id = models.CharField(max_length=ID_LENGTH, blank=True)
    key_id = models.CharField(max_length=ID_LENGTH, blank=True)
    endpoint_id = models.CharField(max_length=ID_LENGTH, blank=True)
    minute = models.DateTimeField()
    requests = models.BigIntegerField()
    succeeded = models.BigIntegerField("2xx")
    redirected = models.BigIntegerField("3xx")
    client_errors = models.BigIntegerField("4xx")
    server_errors = models.BigIntegerField("5xx")
    throttled = models.BigIntegerField("429")
    refused = models.BigIntegerField()
    unreachable = models.BigIntegerField()
    broken_off = models.BigIntegerField()
    timed_out = models.BigIntegerField()
    client_left = models.BigIntegerField()
    bytes_in = models.BigIntegerField()
    bytes_out = models.BigIntegerField()
    duration_ms = models.BigIntegerField()
    latency = ArrayField(models.BigIntegerField())

    class Meta:
        ordering = ["-minute"]
        verbose_name = "traffic of a minute"
        verbose_name_plural = "traffic by the minute"
        constraints = [
            models.UniqueConstraint(
                fields=["service_id", "minute", "version_id", "key_id", "endpoint_id"],
                name="one_row_a_minute",
            ),
        ]
        indexes = [models.Index(fields=["minute"])]

    def __str__(self) -> str:
        return f"{self.service_id or 'no service'} {self.minute:%F %H:%M}: {self.requests}"


class ReadPosition(models.Model):
    """How far one file of an access log has been counted.

    A file is known by its first line, which holds a request id: an inode is given to another
    file once this one is deleted, and changes when a volume moves.
    """

    head = models.CharField(primary_key=True, max_length=64, help_text="SHA-256 of the first line.")
    path = models.CharField(max_length=1024)
    inode = models.CharField(max_length=24)
    offset = models.BigIntegerField(default=0)
    lines = models.BigIntegerField(default=0)
    unreadable = models.BigIntegerField(default=0)
    read_at = models.DateTimeField()

    class Meta:
        ordering = ["-read_at"]

    def __str__(self) -> str:
        return f"{self.path}: {self.offset} bytes, {self.lines} lines"
