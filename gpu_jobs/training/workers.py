"""Several processes that train one network: forked ranks that sum their gradients with gloo on the loopback.

Only forks: ranks start from a process that has torch loaded, in milliseconds. Fork before that process has run a
backward pass or a parallel region; both leave threads that a fork does not have.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from .errors import TrainingError
from .group import Alone, Group

T = TypeVar("T")
TIMEOUT = timedelta(seconds=300)
"""Longest wait for another rank; a dead one is noticed at once, by its closed connection."""
GRACE = 5.0
"""Seconds that a rank gets to end after rank 0 has ended."""
_PR_SET_PDEATHSIG = 1


class GlooGroup:
    """The group of this process; made and closed by `together`."""

    def __init__(self, rank: int, world: int) -> None:
        self.rank = rank
        self.world = world

    def sum(self, tensor: Tensor) -> None:
        """All-reduce on the CPU: reduce-scatter, then all-gather, so that all ranks hold the same bits."""
        dist.all_reduce(tensor)

    def agree(self, value: Any) -> Any:
        """Broadcast rank 0's value (pickled; it comes from our own process)."""
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def echo(self, rank: int) -> float:
        """One number sent to `rank` and sent back by it."""
        word, began = torch.zeros(1), time.perf_counter()
        if self.rank == 0 and rank != 0:
            dist.send(word, rank)
            dist.recv(word, rank)
            return time.perf_counter() - began
        if self.rank == rank != 0:
            dist.recv(word, 0)
            dist.send(word, 0)
        return 0.0


def present(group: Group) -> list[int]:
    """Process id of every rank that takes part, by rank, as each of them said it."""
    pids = torch.zeros(group.world, dtype=torch.float64)  # ids are below 2^22: exact
    pids[group.rank] = os.getpid()
    group.sum(pids)
    return [int(pid) for pid in pids]


def together(world: int, folder: Path, work: Callable[[Group], T]) -> T:
    """Run `work` on `world` ranks at once and return rank 0's answer; rank 0 is this process.

    Args:
        world: number of ranks; 1 runs `work` here without any group.
        folder: where the rendezvous file lies while the ranks meet.
        work: called with the rank's group, the same code on every rank.

    Raises:
        TrainingError: a rank died (`training.worker`), naming it and how it ended.
    """
    if world == 1:
        return work(Alone())
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".ranks-", dir=folder) as meeting:
        store = Path(meeting) / "store"
        ranks = {rank: _fork(rank, world, store, work) for rank in range(1, world)}
        try:
            with _joined(0, world, store) as group:
                answer = work(group)
            _wait(ranks)
        except RuntimeError as error:
            raise _lost(ranks, error) from error
        finally:
            for pid in ranks.values():
                _kill(pid)
    return answer


@contextmanager
def _joined(rank: int, world: int, store: Path) -> Iterator[GlooGroup]:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world, timeout=TIMEOUT)
    try:
        yield GlooGroup(rank, world)
    finally:
        dist.destroy_process_group()


def _fork(rank: int, world: int, store: Path, work: Callable[[Group], T]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _rank(rank, world, store, work)
    return pid


def _rank(rank: int, world: int, store: Path, work: Callable[[Group], T]) -> NoReturn:
    """A forked rank's whole life; never returns into the frames it was forked from."""
    code = 1
    try:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with _joined(rank, world, store) as group:
            work(group)
        code = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stderr.flush()
        os._exit(code)


def _wait(ranks: dict[int, int]) -> None:
    """Wait for every rank; RuntimeError when one did not end well."""
    end = time.monotonic() + GRACE
    while ranks and time.monotonic() < end:
        for rank, pid in list(ranks.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                del ranks[rank]
                if status:
                    raise RuntimeError(f"worker {rank} ended with {_ending(status)}")
        time.sleep(0.005)


def _lost(ranks: dict[int, int], error: RuntimeError) -> TrainingError:
    """Who died, when rank 0 noticed only that the connection closed."""
    said = str(error).splitlines()[0]
    end = time.monotonic() + 1.0
    while ranks and time.monotonic() < end:
        for rank, pid in list(ranks.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                del ranks[rank]
                if os.WIFSIGNALED(status) or status:
                    said = f"worker {rank} (pid {pid}) ended with {_ending(status)}"
                    end = 0.0
        time.sleep(0.005)
    return TrainingError(
        f"training lost a worker: {said}",
        code="training.worker",
        field="workers",
        fix="start the job again: it goes on from its checkpoint",
    )


def _ending(status: int) -> str:
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"exit code {os.waitstatus_to_exitcode(status)}"


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        return
