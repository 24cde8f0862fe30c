"""Accelerators are found by the tool or the driver's files, and their absence is an empty list."""

from __future__ import annotations

from pathlib import Path

from gpu_jobs.backends.devices import find_devices


def tool(folder: Path, script: str) -> str:
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_no_driver_and_no_tool_is_no_device(tmp_path: Path) -> None:
    assert find_devices(tmp_path / "absent", tool="") == []


def test_the_driver_lists_devices_by_name(tmp_path: Path) -> None:
    for bus, name in (("0000:01:00.0", "NVIDIA H200"), ("0000:02:00.0", "NVIDIA L4")):
        (tmp_path / bus).mkdir()
        (tmp_path / bus / "information").write_text(f"Model: \t\t {name}\nIRQ: 3\n")
    found = find_devices(tmp_path, tool="")
    assert [(device.device, device.name) for device in found] == [("cuda:0", "NVIDIA H200"), ("cuda:1", "NVIDIA L4")]


def test_the_tool_adds_memory_which_it_tells_in_units_of_two_to_the_twenty(tmp_path: Path) -> None:
    found = find_devices(tmp_path / "absent", tool(tmp_path, "echo '0, NVIDIA H200, 143771'"))
    assert [(device.name, device.memory_mb) for device in found] == [("NVIDIA H200", 150_754)]


def test_a_tool_that_fails_leaves_it_to_the_driver(tmp_path: Path) -> None:
    assert find_devices(tmp_path / "absent", tool(tmp_path, "echo 'no driver'; exit 9")) == []
