"""Which accelerators this machine has, found without importing torch. It does not say whether torch can use them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

DRIVER = Path("/proc/driver/nvidia/gpus")


class Device(BaseModel):
    """One accelerator.

    Attributes:
        device: How a job names it, as `cuda:0`.
        kind: What runs it.
        name: The maker's name for it.
        memory_mb: Its memory in MB (10^6 bytes), where that can be seen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    kind: Literal["cuda"]
    name: str
    memory_mb: int | None = None


def find_devices(driver: Path = DRIVER, tool: str | None = None) -> list[Device]:
    """The NVIDIA devices of this machine; none is an empty list, never an error.

    Args:
        driver: Where the kernel driver lists its devices.
        tool: `nvidia-smi`; looked for on the path when None, not used when empty.

    Returns:
        Devices in the driver's order, with memory where `nvidia-smi` answers.
    """
    smi = shutil.which("nvidia-smi") if tool is None else tool
    return (_from_tool(smi) if smi else []) or _from_driver(driver)


def _from_tool(tool: str) -> list[Device]:
    query = [tool, "--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    found = []
    for line in done.stdout.splitlines() if done.returncode == 0 else []:
        index, name, memory = (part.strip() for part in line.split(",", 2))
        size = int(memory) * 2**20 // 1_000_000 if memory.isdigit() else None
        found.append(Device(device=f"cuda:{index}", kind="cuda", name=name, memory_mb=size))
    return found


def _from_driver(driver: Path) -> list[Device]:
    found = []
    folders = sorted(driver.iterdir()) if driver.is_dir() else []
    for index, folder in enumerate(folders):
        text = (folder / "information").read_text() if (folder / "information").exists() else ""
        models = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("Model:")]
        found.append(Device(device=f"cuda:{index}", kind="cuda", name=models[0] if models else "unknown"))
    return found
