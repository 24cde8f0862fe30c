"""One named deployment: its listening socket, its server, and the changes from one version to the next.

The socket is held here and handed to each server, so that requests wait in it while no server accepts. A new version is
rehearsed on a private port before it sees a request of others. Which wishes arrive, and from whom, is not decided here.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from memory.errors import DeployError
from phases.supervisor import probe, records
from phases.supervisor.records import LIVE, Record
from phases.supervisor.request import DeployRequest
from phases.supervisor.server_process import ServerProcess

log = logging.getLogger("neuroloom.supervisor")
BACKLOG = 2048
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0  # seconds before a restart: the first, and the longest of a growing row
MOST_CRASHES = 8  # in a row; a server that lived for `STABLE_SECONDS` begins a new row
STABLE_SECONDS = 60.0
STARTS = 3  # of a new version whose starting server was killed by somebody
_LOG_LINES = 5


class Deployment:
    """A deployment that may be called from several tasks: changes wait for each other.

    Args:
        home: The state folder.
        record: What is known; its port is the deployment's for good.
    """

    def __init__(self, home: Path, record: Record) -> None:
        self.record = record
        self._home = home
        self._listener: socket.socket | None = None
        self._server: ServerProcess | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()
        self._unsaved = False
        self._proven = probe.Proof()

    @property
    def live(self) -> bool:
        """Whether it is wanted up."""
        return self.record.status in LIVE

    async def bring_up(self) -> None:
        """After a start of the supervisor: adopt the server that still runs, or start one."""
        async with self._lock:
            if not self.live or self.record.current is None:
                return
            self._server = ServerProcess.adopt(self.record.process)
            if self._server is not None:
                self._listener = self._server.listener(self.record.port)
                self._note(status="serving")
            self._keep_on()

    async def deploy(self, request: DeployRequest) -> dict[str, Any]:
        """Serve a version, once per intent; the view of the deployment after it.

        Raises:
            DeployError: The version is not fit to serve; what served before still does.
        """
        async with self._lock:
            if request.intent not in self.record.intents:
                await self._change_surely(request)
            elif self.record.current and self.record.current.intent == request.intent:
                await self._start_again()
            return self.record.view()

    async def rollback(self, of: str | None = None) -> dict[str, Any]:
        """Serve the version before; what served until now becomes the version before.

        Args:
            of: Only take the version of this intent out: it is no version to go back to either, another one that
                serves by now stays, and asked again this changes nothing.

        Raises:
            DeployError: `deploy.no_previous`: there is none; or it is not fit to serve any more.
        """
        async with self._lock:
            if of is not None and not self._is_current(of):
                self._drop_previous(of)
                return self.record.view()
            if self.record.previous is None:
                raise DeployError(
                    f"{self.record.name!r} has no previous version to go back to",
                    code="deploy.no_previous",
                    field="name",
                    fix="deploy the run that you want: neuroloom deploy RUN",
                )
            await self._change(self.record.previous, keep=of is None)
            return self.record.view()

    async def start(self) -> dict[str, Any]:
        """Serve the current version again after a stop or a failure."""
        async with self._lock:
            await self._start_again()
            return self.record.view()

    async def stop(self) -> bool:
        """Let the server finish its requests and stop serving; False when it was stopped already."""
        async with self._lock:
            return await self._stop()

    async def end(self, of: str | None = None) -> bool:
        """Stop for good; with `of`, only when the version of that intent serves. Whether it was done."""
        async with self._lock:
            if of is not None and not self._is_current(of):
                return False
            await self._stop()
            return True

    async def unused(self) -> bool:
        """Whether it never served anything; then it listens no more and its name is free."""
        async with self._lock:
            if self.record.current is None:
                self._close()
            return self.record.current is None

    async def leave(self) -> None:
        """The supervisor ends and the server lives on, to be adopted by the next one."""
        await self._rest()
        self._close()
        self.save_again()

    def save_again(self) -> None:
        """Write the record if that failed before, as on a full disk; it fails again quietly."""
        if self._unsaved:
            self._note()

    async def _stop(self) -> bool:
        was_live = self.live
        await self._rest()
        self._close()
        if self._server is not None:
            await self._server.stop(self._drain())
            self._server = None
        await asyncio.gather(*self._leaving)
        self._note(status="stopped", process=None)
        return was_live

    def _is_current(self, intent: str) -> bool:
        return self.record.current is not None and self.record.current.intent == intent

    def _drop_previous(self, intent: str) -> None:
        if self.record.previous is not None and self.record.previous.intent == intent:
            self._note(previous=None)

    async def _change_surely(self, request: DeployRequest) -> None:
        """Change to a version; a new server that somebody killed while it started says nothing of the version."""
        for left in reversed(range(STARTS)):
            try:
                return await self._change(request, keep=request.keep_previous)
            except DeployError as error:
                if error.code != "deploy.killed" or not left:
                    raise
                log.warning("a starting server of %r was killed; it is started again", self.record.name)

    async def _change(self, request: DeployRequest, keep: bool) -> None:
        if not Path(request.serve).is_file():
            raise DeployError(
                f"{request.serve!r} is gone: version {request.version!r} cannot be served",
                code="deploy.files_gone",
                fix="was its run removed? Deploy another one: neuroloom deploy RUN",
            )
        before = self.record.current
        await self._rest()
        try:
            if before is not None:  # the address is known: nothing unproven may answer there
                await self._rehearse(request)
            await (self._swap(request) if self._serving() else self._first(request))
            self._commit(request, before if keep else None)
        except OSError as error:
            raise DeployError(f"version {request.version!r} cannot be started: {error}") from error
        finally:
            self._keep_on()

    async def _start_again(self) -> None:
        if self._serving() or self.record.current is None:
            return
        await self._rest()
        try:
            await self._first(self.record.current)
            self._commit(self.record.current, self.record.previous)
        finally:
            self._keep_on()

    async def _swap(self, request: DeployRequest) -> None:
        """Start beside the old server on the same socket, then let the old one finish and go."""
        assert self._server is not None
        old = self._server
        if self._listener is None:  # adopted from an earlier supervisor, on a kernel that gives no copy of the socket
            await old.stop(self._drain())
        self._listen()
        fresh = await self._launched(request)
        self._server = fresh
        leaving = asyncio.create_task(old.stop(self._drain()))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def _first(self, request: DeployRequest) -> None:
        """Start where nothing serves; it is checked on its own address, of which nobody knows yet."""
        self._listen()
        fresh = await self._launched(request)
        try:
            await self._prove(self.record.port, request)
        except DeployError as error:
            await fresh.stop(0)
            raise self._with_log(error) from error
        self._server = fresh

    async def _prove(self, port: int, request: DeployRequest) -> None:
        answered = await probe.minimal_load(port, request)
        self._proven = probe.Proof(answered, *await probe.compare(port, request))

    async def _rehearse(self, request: DeployRequest) -> None:
        with _listening(0) as private:
            port = private.getsockname()[1]
            server = ServerProcess.start(self._home, request, private)
            try:
                await probe.until_ready(port, server, request.ready_seconds)
                await self._prove(port, request)
            except DeployError as error:
                raise self._with_log(error) from error
            finally:
                await server.stop(0)

    async def _launched(self, request: DeployRequest) -> ServerProcess:
        """A server on our socket that has answered; ended again when it does not."""
        assert self._listener is not None
        server = ServerProcess.start(self._home, request, self._listener)
        try:
            seconds = await probe.until_ready(self.record.port, server, request.ready_seconds)
        except BaseException as error:  # also a cancellation: no server may be left behind
            await server.stop(0)
            if isinstance(error, DeployError):
                raise self._with_log(error) from error
            raise
        self.record = self.record.model_copy(update={"ready_seconds": round(seconds, 3)})
        return server

    async def _keep(self) -> None:
        """Wait for the server's end and start it again, ever later, until it has failed too often in a row."""
        crashes = 0
        while self.record.current is not None:
            if self._server is not None:
                began = time.monotonic()
                why = await self._server.ended()
                self._server = None
                crashes = 1 if time.monotonic() - began > STABLE_SECONDS else crashes + 1
                self._crashed(why, crashes)
            if crashes > MOST_CRASHES:
                return
            if crashes:
                await asyncio.sleep(min(FIRST_PAUSE * 3 ** (crashes - 1), LONGEST_PAUSE))
            try:
                self._listen()
                self._server = await self._launched(self.record.current)
                self._note(status="serving", process=self._server.who, since=_now())
            except (DeployError, OSError) as error:
                crashes += 1
                self._crashed(str(error), crashes)

    def _crashed(self, why: str, crashes: int) -> None:
        """Note it; after too many in a row nothing listens any more, so that requests fail at once."""
        failed = crashes > MOST_CRASHES
        if failed:
            self._close()
            why = f"given up after {crashes} failures in a row: {why}"
        status = "failed" if failed else "restarting"
        self._note(status=status, process=None, error=why, restarts=self.record.restarts + (not failed))

    def _keep_on(self) -> None:
        if self.live:
            self._keeper = asyncio.create_task(self._keep())

    async def _rest(self) -> None:
        """Stop restarting, so that a change has the deployment for itself."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    def _serving(self) -> bool:
        return self._server is not None and self._server.alive()

    def _drain(self) -> float:
        return self.record.current.drain_seconds if self.record.current else 0.0

    def _commit(self, current: DeployRequest, previous: DeployRequest | None) -> None:
        assert self._server is not None
        self._note(
            status="serving",
            current=current,
            previous=previous,
            process=self._server.who,
            since=_now(),
            error=None,
            restarts=0,
            load_answered=self._proven.answered,
            proven_rows=self._proven.rows,
            differing_rows=self._proven.differing,
            intents=tuple(dict.fromkeys((*self.record.intents, current.intent)))[-records.INTENTS_KEPT :],
        )

    def _note(self, **changes: Any) -> None:
        """Change the record; a file that cannot be written now is written later, and nothing stops for it."""
        self.record = self.record.model_copy(update=changes)
        try:
            records.save(self._home, self.record)
        except OSError as error:
            if not self._unsaved:
                log.error("the record of %r is kept in memory for now: %s", self.record.name, error)
            self._unsaved = True
        else:
            self._unsaved = False

    def _listen(self) -> None:
        if self._listener is None:
            try:
                self._listener = _listening(self.record.port)
            except OSError as error:
                raise DeployError(
                    f"port {self.record.port} of {self.record.name!r} is used by another program",
                    code="deploy.port_taken",
                    fix=f"end that program (`ss -ltnp 'sport = :{self.record.port}'` names it), then deploy again",
                ) from error

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _with_log(self, error: DeployError) -> DeployError:
        return DeployError(error.message + self._log_end(), code=error.code, fix=f"neuroloom logs {self.record.name}")

    def _log_end(self) -> str:
        lines = tail(records.log_path(self._home, self.record.name), _LOG_LINES)
        return f"; its log ends:\n{lines}" if lines else ""


def new_record(home: Path, name: str, others: list[Record]) -> Record:
    """A record for a new name, with a port that is free now and no other deployment's.

    Raises:
        DeployError: `deploy.no_port`: every port of the range is taken.
    """
    for port in records.candidate_ports(home, name, [other.port for other in others]):
        try:
            _listening(port).close()
        except OSError:
            continue
        return Record(name=name, port=port)
    raise DeployError("no free port between 8100 and 8999", code="deploy.no_port", fix="neuroloom undeploy NAME")


def tail(path: Path, lines: int) -> str:
    """The last lines of a log, of at most its last 256 kB."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 262_144))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
