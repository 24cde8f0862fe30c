"""A server's listening socket is found whatever else the server opens and closes meanwhile."""

from __future__ import annotations

import socket
import subprocess
import sys

from gpu_jobs.host import processes
from phases.supervisor.server_process import ServerProcess

BUSY = """
import os, socket, sys
listener = socket.socket(fileno=int(sys.argv[1]))
print("up", flush=True)
while True:
    many = [socket.socket() for _ in range(200)]
    for one in many:
        one.close()
"""


def test_the_listening_socket_is_copied_from_a_server_whose_connections_come_and_go() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        command = [sys.executable, "-P", "-c", BUSY, str(listener.fileno())]
        busy = subprocess.Popen(command, pass_fds=[listener.fileno()], stdout=subprocess.PIPE)
        try:
            assert busy.stdout is not None and busy.stdout.readline() == b"up\n"
            server = ServerProcess(processes.identity(busy.pid))
            for _ in range(50):
                found = server.listener(port)
                assert found is not None and found.getsockname()[1] == port
                found.close()
        finally:
            busy.kill()
            busy.communicate()
    assert server.listener(port) is None, "a dead process holds no socket"
