"""Where a service answers: by its own domain name, and by a path on the gateway's address."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from services.models import Service


@dataclass(frozen=True)
class ServiceUrls:
    """The two addresses of a service, without a slash at the end."""

    host_url: str
    path_url: str

    @property
    def snippet_url(self) -> str:
        """Return the one that any program resolves: glibc knows no names under localhost."""
        local = (urlsplit(self.host_url).hostname or "").endswith("localhost")
        return self.path_url if local else self.host_url


def service_urls(service: Service) -> ServiceUrls:
    """Return the addresses of a service; its region must be loaded."""
    gateway = urlsplit(service.region.gateway)
    port = f":{gateway.port}" if gateway.port else ""
    return ServiceUrls(
        host_url=f"{gateway.scheme}://{service.host}{port}",
        path_url=f"{service.region.gateway}/{service.pk}",
    )
