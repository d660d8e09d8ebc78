"""How long pages take, and how many queries, with 1,000 services, 10,000 keys and their history.

Times are of a real ASGI server that one client asks, one request after the other; queries are
counted in this process on the same rows. `health` is the smallest page there is: one query, no
template. CPU is the web server's, without Postgres.
"""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks import ground

# isort: split

import httpx
import psutil
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from benchmarks.figures import median, percentile, table
from benchmarks.world import World
from console.middleware import REGION_KEY
from services.models import Service
from services.queries import SORTS
from services.states import InstanceState
from tests.real.stack import ROOT, free_port, until

SERVICES, INSTANCES, KEYS = 1_000, 5, 10
MANY_KEYS = 500
EVENTS, AUDIT_LINES = 20, 20_000
TURNS, IN_A_ROW = 4, 8
WEB_WORKERS = "1"
TRANSACTION = ("BEGIN", "COMMIT")


@dataclass
class Page:
    """One address; `form` makes it a POST; `part` asks for what the live refresh asks."""

    name: str
    path: str
    form: dict[str, str] = field(default_factory=dict)
    part: bool = False
    seconds: list[float] = field(default_factory=list)
    cpu: float = 0
    size: int = 0
    queries: int = 0

    @property
    def headers(self) -> dict[str, str]:
        """Return what htmx would send."""
        return {"HX-Request": "true"} if self.part else {}


def pages_of(world: World, one: Service) -> list[Page]:
    """Return every page that is measured."""
    wizard = f"/deploy/{world.entry.slug}/resources/"
    draft = {"name": "fresh", "version_name": "v1", "group": world.group.pk}
    draft |= {"specification": world.specification.code, "instances": "2"}
    detail = f"/services/{one.pk}/"
    return [
        Page("health", "/health"),
        Page("home", "/"),
        Page("home, live part", "/", part=True),
        Page("service list", "/services/"),
        Page("service list, live part", "/services/", part=True),
        Page("service list, filtered", "/services/?q=service-005&status=running"),
        *(Page(f"service list, by {sort}", f"/services/?sort={sort}") for sort in SORTS),
        Page("service list, page 20", "/services/?page=20"),
        Page("service list, 100 a page", "/services/?size=100"),
        Page("model list", "/models/"),
        Page("one model", f"/models/{world.entry.slug}/"),
        Page("wizard, resources", wizard),
        Page("wizard, preview", wizard + "preview/", form=draft, part=True),
        Page("overview", detail),
        Page("overview, live part", detail, part=True),
        Page(f"keys, {MANY_KEYS}", detail + "keys/"),
        Page("events", detail + "events/"),
        Page("debug", detail + "debug/"),
        Page("audit", "/audit/"),
        Page("audit, searched", "/audit/?q=service-005"),
        Page("API, services", f"/api/v1/services/?region={world.region.code}"),
    ]


def make_world() -> tuple[World, Service]:
    """Fill the database; return the world and the service with many keys."""
    world = World("bench", timezone.now())
    world.fill(SERVICES, INSTANCES, KEYS, InstanceState.READY)
    world.add_history(EVENTS, AUDIT_LINES)
    one = Service.objects.get(name="service-00500")
    world.add_keys(one, MANY_KEYS - KEYS)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return world, one


def sign_in(user: User) -> Client:
    """Return a browser that is signed in and has chosen the region."""
    client = Client(SERVER_NAME="localhost")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    session = client.session
    session[REGION_KEY] = "bench"
    session.save()
    return client


def count_queries(client: Client, page: Page) -> None:
    """Ask for a page in this process, twice, and note the second one's queries."""
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            if page.form:
                answer = client.post(page.path, page.form, headers=page.headers)
            else:
                answer = client.get(page.path, headers=page.headers)
        if answer.status_code != 200:
            raise AssertionError(f"{page.path} answers {answer.status_code}")
    page.queries = sum(query["sql"] not in TRANSACTION for query in queries)


@contextmanager
def web_server() -> Iterator[tuple[str, psutil.Process]]:
    """Run the console as `make run` does; yield its address and process."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "uvicorn", "console.asgi:application", "--no-access-log"]
    command += ["--port", str(port), "--workers", WEB_WORKERS, "--log-level", "warning"]
    environment = {**os.environ, "SLIPWAY_DATABASE_POOL": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        try:
            until(lambda: answers(address), 30, "the web server answers")
            yield address, psutil.Process(process.pid)
        finally:
            process.terminate()


def answers(address: str) -> bool:
    """Say whether the server is up."""
    try:
        return httpx.get(f"{address}/health").status_code == 200
    except httpx.TransportError:
        return False


def browser(address: str, session: str) -> httpx.Client:
    """Return a client with the session's and the forms' cookies."""
    token = secrets.token_hex(16)
    cookies = {settings.SESSION_COOKIE_NAME: session, settings.CSRF_COOKIE_NAME: token}
    return httpx.Client(base_url=address, cookies=cookies, headers={"X-CSRFToken": token})


def ask(client: httpx.Client, page: Page) -> httpx.Response:
    """Ask for a page as a browser does."""
    if page.form:
        return client.post(page.path, data=page.form, headers=page.headers)
    return client.get(page.path, headers=page.headers)


def time_pages(client: httpx.Client, server: psutil.Process, pages: list[Page]) -> None:
    """Ask for each page some times, and all again: what disturbs one disturbs the others."""
    for page in pages * TURNS:
        page.size = len(ask(client, page).raise_for_status().content)
        before = sum(server.cpu_times()[:2])
        for _ in range(IN_A_ROW):
            began = time.perf_counter()
            ask(client, page)
            page.seconds.append(time.perf_counter() - began)
        page.cpu += (sum(server.cpu_times()[:2]) - before) / IN_A_ROW / TURNS


def report(pages: list[Page]) -> str:
    """Return the table; times in milliseconds."""
    least = median(pages[0].seconds)
    heads = ("page", "queries", "least ms", "p50 ms", "p95 ms", "CPU ms", "KiB", "x health")
    return table(
        heads,
        [
            (
                page.name,
                page.queries,
                f"{min(page.seconds) * 1e3:.0f}",
                f"{median(page.seconds) * 1e3:.0f}",
                f"{percentile(page.seconds, 95) * 1e3:.0f}",
                f"{page.cpu * 1e3:.0f}",
                f"{page.size / 1024:.0f}",
                f"{median(page.seconds) / least:.1f}",
            )
            for page in pages
        ],
    )


def main() -> None:
    """Fill a database, measure, print."""
    ground.prepare()
    world, one = make_world()
    wanted = sys.argv[1:]
    pages = [
        p for p in pages_of(world, one) if not wanted or p.name.startswith(("health", *wanted))
    ]
    client = sign_in(world.user)
    for page in pages:
        count_queries(client, page)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    with web_server() as (address, server), browser(address, session) as visitor:
        time_pages(visitor, server, pages)
    print(report(pages))


if __name__ == "__main__":
    main()
