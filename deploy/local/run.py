"""`make run`: all of Slipway on one machine, under one supervisor, from nothing to a login page."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import httpx

from deploy.local.assets import Assets
from deploy.local.checks import (
    check_database_url,
    check_ports,
    check_redis_url,
    prepare_data_dir,
)
from deploy.local.config import Config, read_config
from deploy.local.dev import dismiss_idle_servers
from deploy.local.instances import stop_containers, stop_processes
from deploy.local.keys import load_or_make_keys
from deploy.local.lock import SupervisorLock, is_held
from deploy.local.output import Output
from deploy.local.problems import CannotStart
from deploy.local.servers import LocalServer, servers_to_start
from deploy.local.stack import SERVING, STORING, WORKING, Catalogue
from deploy.local.supervisor import Supervisor

SERVER_SECONDS = 30.0
READY_SECONDS = 120.0
# Together under five seconds, the longest that Ctrl-C may take.
WORKING_GRACE = 1.2
SERVING_GRACE = 1.5
STORING_GRACE = 1.5


class Run:
    """One run of the stack, from the first server to the last one stopped."""

    def __init__(self, config: Config, output: Output) -> None:
        self.config = config
        self.output = output
        self.supervisor = Supervisor(output)
        self.servers = servers_to_start(config.data_dir)
        self.catalogue = Catalogue(config, self._environment())
        self.first_password: list[str] = []

    def _environment(self) -> dict[str, str]:
        own_urls = {variable: server.url for variable, server in self.servers.items()}
        return {**self.config.environment(), **load_or_make_keys(self.config.data_dir), **own_urls}

    async def start(self) -> None:
        """Bring everything up; raise CannotStart with what a person can do."""
        await asyncio.gather(*(self._start_server(server) for server in self.servers.values()))
        bootstrap = self.config.gateway_dir / "bootstrap.json"
        await asyncio.gather(
            self._prepare_database(),
            self._collect_assets(),
            self._manage("gateway", "write_gateway_bootstrap", "--output", str(bootstrap)),
        )
        for program in self.catalogue.serving(bootstrap):
            self.supervisor.start(program)
        await wait_for("The console", self._web_answers, READY_SECONDS)
        await wait_for("The gateway", self._gateway_listens, READY_SECONDS)
        self.show_first_password()
        self.output.announce(f"ready at {self.config.web_url}")

    def show_first_password(self) -> None:
        """Print the generated password of the first administrator, once."""
        while self.first_password:
            self.output.announce(self.first_password.pop(0))

    async def _start_server(self, server: LocalServer) -> None:
        await asyncio.to_thread(server.prepare)
        program = server.program()
        self.supervisor.start(program)

        async def ready() -> bool:
            return await asyncio.to_thread(server.is_ready)

        await wait_for(program.name, ready, SERVER_SECONDS)

    async def _prepare_database(self) -> None:
        await self._manage("migrate", "migrate", "--noinput", "--verbosity", "1")
        await self._manage("defaults", "load_defaults")
        await self._manage("recover", "recover")

    async def _collect_assets(self) -> None:
        assets = Assets(self.config.data_dir)
        found = assets.fingerprint()
        if assets.collected() == found:
            return
        # The browsable API, which these files belong to, is not served.
        skipped = ("--ignore", "rest_framework")
        await self._manage("static", "collectstatic", "--noinput", "--clear", *skipped, "-v", "0")
        assets.mark(found)

    async def _manage(self, name: str, *arguments: str) -> None:
        def read_line(line: str) -> None:
            if name == "defaults" and "password" in line.lower():
                self.first_password.append(line)
            else:
                self.output.line(name, line)

        code = await self.supervisor.run(self.catalogue.manage(name, *arguments), read_line)
        if code:
            raise CannotStart(
                f"`manage.py {arguments[0]}` failed; its lines are above: correct what they name "
                "and run again."
            )

    async def _web_answers(self) -> bool:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            try:
                answer = await client.get(f"{self.config.web_url}/health")
            except httpx.TransportError:
                return False
        return answer.status_code == httpx.codes.OK

    async def _gateway_listens(self) -> bool:
        host = self.config.gateway_url.removeprefix("http://").rpartition(":")[0]
        try:
            _, writer = await asyncio.open_connection(host, self.config.gateway_port)
        except OSError:
            return False
        writer.close()
        return True

    async def stop(self) -> None:
        """Stop everything: what could start something new first, what remembers last."""
        await self.supervisor.stop(WORKING, WORKING_GRACE)
        _, problems, _ = await asyncio.gather(
            asyncio.to_thread(stop_processes, self.config.run_dir, SERVING_GRACE),
            asyncio.to_thread(stop_containers, self.config.installation),
            self.supervisor.stop(SERVING, SERVING_GRACE),
        )
        for problem in problems:
            self.output.say(problem)
        await self.supervisor.stop(STORING, STORING_GRACE)
        self.output.say("all stopped")


async def wait_for(what: str, check: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Wait until the check holds; raise CannotStart after so many seconds."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    while not await check():
        if clock() > deadline:
            raise CannotStart(
                f"{what} has not answered within {seconds:g} s; its lines are above: correct "
                "what they name and run again."
            )
        await asyncio.sleep(0.05)


async def run_until_stopped(run: Run) -> None:
    """Start, then wait for a signal; whatever happens, leave nothing behind."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    starting = asyncio.create_task(run.start())
    waiting = asyncio.create_task(stopped.wait())
    broken = asyncio.create_task(run.supervisor.failed())
    try:
        await asyncio.wait({starting, waiting, broken}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await asyncio.wait({waiting, broken}, return_when=asyncio.FIRST_COMPLETED)
        if broken.done():
            broken.result()
    finally:
        for task in (starting, waiting, broken):
            task.cancel()
        await asyncio.gather(starting, waiting, broken, return_exceptions=True)
        run.show_first_password()
        await run.stop()


def check(config: Config) -> None:
    """Look at everything that is known to go wrong before anything is started."""
    given = {"DATABASE_URL": check_database_url, "REDIS_URL": check_redis_url}
    for variable, check_url in given.items():
        if os.environ.get(variable):
            check_url(os.environ[variable])
    check_ports(config, gateway_runs=is_held(config.gateway_dir / "keeper.lock"))


def main() -> int:
    """Run the stack and return the exit code."""
    try:
        config = read_config(sys.argv[1:], os.environ)
        prepare_data_dir(config.data_dir)
        dismiss_idle_servers(config.data_dir)
        lock = SupervisorLock(config.data_dir).acquire("make run")
        for folder in (config.gateway_dir, config.data_dir / "static"):
            folder.mkdir(exist_ok=True)
        check(config)
        asyncio.run(run_until_stopped(Run(config, Output())))
    except CannotStart as problem:
        sys.stderr.write(f"slipway: {problem}\n")
        return 1
    lock.release()
    return 0


if __name__ == "__main__":
    sys.exit(main())
