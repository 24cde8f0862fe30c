"""The spool: what hooks leave while nobody looks is in memory once, whoever is killed while taking it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from memory.store import Memory
from phases import spool
from phases.identity import workspace_id
from phases.request import RunRequest
from phases.services.notes import Notes
from phases.services.runs import Runs

TAKER = Path(__file__).with_name("mortal_taker.py")


async def told(memory: Memory, run: str) -> list[dict[str, Any]]:
    found = [event for _, event in await memory.events(run)]
    return [event for event in found if event["type"].startswith("hook_")]


async def test_a_claim_before_the_first_run_moves_into_it(
    memory: Memory, home: Path, runs: Runs, request_of: RunRequest, tmp_path: Path
) -> None:
    assert spool.append(home, spool.claim(spool.whereabouts(tmp_path, "test"), "config", {"epochs": 3}))
    assert await spool.take(home, memory) == 1
    run = (await runs.start(request_of)).run_id
    found = await memory.asserted(workspace_id(tmp_path), run)
    assert found["config"].value == {"epochs": 3}
    assert found["config"].provenance is not None and found["config"].provenance["kind"] == "asserted"


async def test_an_entry_belongs_to_the_run_that_was_the_latest_when_it_was_written(
    memory: Memory, home: Path, runs: Runs, request_of: RunRequest, tmp_path: Path
) -> None:
    first = (await runs.start(request_of)).run_id
    spool.append(home, spool.event(spool.whereabouts(tmp_path, "test"), "edited", file="neural/a"))
    second = (await runs.start(request_of)).run_id
    await spool.take(home, memory)
    assert [event["file"] for event in await told(memory, first)] == ["neural/a"]
    assert await told(memory, second) == []


async def test_takers_killed_half_way_neither_lose_nor_double_an_entry(
    memory: Memory, home: Path, runs: Runs, request_of: RunRequest, tmp_path: Path
) -> None:
    run = (await runs.start(request_of)).run_id
    place = spool.whereabouts(tmp_path, "test")
    for number in range(60):
        spool.append(home, spool.claim(place, "config", number))
        spool.append(home, spool.event(place, "edited", file=str(number)))
    for writes in (1, 17, 50):
        taker = await asyncio.create_subprocess_exec(sys.executable, "-P", str(TAKER), str(home), str(writes))
        assert await taker.wait() == -signal.SIGKILL
        assert list((home / "spool").glob("taking-*")), "the file that was being taken is still there"
        spool.append(home, spool.event(place, "edited", file=f"after {writes}"))
    assert await spool.take(home, memory) == 123
    found = (await memory.asserted(workspace_id(tmp_path), run))["config"]
    assert (found.version, found.value) == (60, 59)
    files = Counter(event["file"] for event in await told(memory, run))
    assert len(files) == 63 and set(files.values()) == {1}
    assert await spool.take(home, memory) == 0


async def test_lines_written_while_others_take_arrive_once(
    memory: Memory, home: Path, runs: Runs, request_of: RunRequest, tmp_path: Path
) -> None:
    run = (await runs.start(request_of)).run_id
    code = (
        "import sys; from pathlib import Path; from phases import spool\n"
        "place = spool.whereabouts(Path(sys.argv[2]), 'test')\n"
        "for n in range(300): spool.append(Path(sys.argv[1]), spool.event(place, 'edited', file=f'{sys.argv[3]}-{n}'))"
    )
    command = [sys.executable, "-P", "-c", code, str(home), str(tmp_path)]
    writers = [await asyncio.create_subprocess_exec(*command, name) for name in "abc"]
    try:
        while any(writer.returncode is None for writer in writers):
            await asyncio.gather(spool.take(home, memory), spool.take(home, memory))
            await asyncio.sleep(0)
        assert [writer.returncode for writer in writers] == [0, 0, 0]
    finally:
        for writer in writers:
            if writer.returncode is None:
                writer.kill()
            await writer.wait()
    await spool.take(home, memory)
    files: Counter[str] = Counter()
    after = "0"
    while page := await memory.events(run, after):
        after = page[-1][0]
        files.update(event["file"] for _, event in page if event["type"] == "hook_edited")
    assert len(files) == 900 and set(files.values()) == {1}


async def test_a_line_that_cannot_be_taken_is_set_aside_with_the_reason(
    memory: Memory, home: Path, tmp_path: Path
) -> None:
    place = spool.whereabouts(tmp_path, "test")
    spool.append(home, spool.claim(place, "before", 1))
    with (home / "spool" / "events.jsonl").open("ab") as file:
        file.write(b'{"torn\n\xff\xfe\n[1]\n{"id": "x", "kind": "claim"}\n')
    spool.append(home, spool.claim(place, "No Such Key!", 1))
    spool.append(home, spool.claim(place, "after", 2))
    assert await spool.take(home, memory) == 2
    kept = await memory.asserted(workspace_id(tmp_path), None)
    assert {name: one.value for name, one in kept.items()} == {"before": 1, "after": 2}
    aside = list(spool.set_aside(home))
    assert len(aside) == 5 and all(one["why"] for one in aside)
    assert "No Such Key!" in aside[-1]["line"]


async def test_a_door_that_stays_open_reads_what_hooks_left_since(
    memory: Memory, home: Path, runs: Runs, tmp_path: Path
) -> None:
    notes = Notes(memory, runs)
    assert await notes.list("latest") == []
    spool.append(home, spool.claim(spool.whereabouts(tmp_path, "test"), "config", {"epochs": 3}))
    assert await notes.get("latest", "neural/config") == {"epochs": 3}


def test_the_spool_is_private_and_bounded(tmp_path: Path) -> None:
    place = spool.whereabouts(tmp_path, "test")
    assert spool.append(tmp_path, spool.event(place, "edited", file="a"))
    path = tmp_path / "spool" / "events.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    assert not spool.append(tmp_path, spool.event(place, "edited", file="x" * spool.MOST_LINE))
    os.truncate(path, spool.MOST_BYTES)
    assert not spool.append(tmp_path, spool.event(place, "edited", file="b"))
    assert path.stat().st_size == spool.MOST_BYTES


def test_an_entry_is_one_line_of_json_whatever_is_in_it(tmp_path: Path) -> None:
    spool.append(tmp_path, spool.event(spool.whereabouts(tmp_path, "test"), "edited", file="a\nb\u2028c"))
    lines = (tmp_path / "spool" / "events.jsonl").read_bytes().splitlines()
    assert len(lines) == 1 and json.loads(lines[0])["fields"]["file"] == "a\nb\u2028c"


async def test_a_line_that_was_cut_is_told_and_takes_no_other_with_it(
    memory: Memory, home: Path, tmp_path: Path
) -> None:
    place = spool.whereabouts(tmp_path, "test")
    spool.append(home, spool.claim(place, "before", 1))
    path = home / "spool" / "events.jsonl"
    room = path.stat().st_size + 40
    code = (
        "import resource, sys; from pathlib import Path; from phases import spool\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
        "try: spool.append(Path(sys.argv[1]), spool.claim(spool.whereabouts(Path('.'), 'test'), 'cut', 'x' * 999))\n"
        "except OSError as error: print(error)"
    )
    command = [sys.executable, "-P", "-c", code, str(home)]
    cut = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert b"only 40 of" in (await cut.communicate())[0] and path.stat().st_size == room
    assert spool.append(home, spool.claim(place, "after", 2))
    assert await spool.take(home, memory) == 2
    kept = await memory.asserted(workspace_id(tmp_path), None)
    assert {name: one.value for name, one in kept.items()} == {"before": 1, "after": 2}
    assert [len(one["line"]) for one in spool.set_aside(home)] == [40]
