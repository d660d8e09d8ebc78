"""What the gateway must know of a service; plain values, so that the snapshot stays pure."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class GatewayKey:
    """One key of a service; only the SHA-256 of it is known here, in hexadecimal digits."""

    digest: str
    key_id: str
    enabled: bool
    expires_at: datetime | None


@dataclass(frozen=True)
class Address:
    """Where an instance listens; `host` is an IP address."""

    host: str
    port: int


@dataclass(frozen=True)
class GatewayVersion:
    """One version that takes traffic, in proportion to its weight."""

    id: str
    addresses: tuple[Address, ...]
    health_path: str
    weight: int


@dataclass(frozen=True)
class Unavailable:
    """Why a service cannot answer; `retry_after` in seconds."""

    code: str
    message: str
    retry_after: int


@dataclass(frozen=True)
class GatewayService:
    """One service; `timeout` is the longest silence in seconds. It has versions or a reason."""

    id: str
    host: str
    auth_enabled: bool
    keys: tuple[GatewayKey, ...]
    versions: tuple[GatewayVersion, ...]
    timeout: int
    unavailable: Unavailable | None = None
