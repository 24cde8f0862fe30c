"""Ports for servers that a test starts by number: outside the range from which the kernel gives clients theirs."""

from __future__ import annotations

import random
import socket
from pathlib import Path


def free_port() -> int:
    """A loopback port that is free now and that no client of another test is given meanwhile.

    Raises:
        OSError: hundreds of ports were tried and all were taken.
    """
    least = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    tried = random.sample(range(10_000, max(least, 10_500)), 300)
    for port in tried:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"none of {len(tried)} ports is free")
