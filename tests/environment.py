"""What the tests start finds the same world however they were started: from `make`, under nohup, in the background."""

from __future__ import annotations

import os
import signal
import threading

GENERATED_SCRIPTS_READ = {"PYTHON", "NAME", "VERSION", "PORT", "BIND", "BASE", "MEMORY_MB", "KEEP", "TARGET", "DEBUG"}
KEPT = {"NEUROLOOM_HOME", "NEUROLOOM_TEST_SESSION"}


def a_plain_environment() -> None:
    """Forget variables that what is tested obeys, and the signals that nohup and `&` have set to be ignored.

    An ignored signal stays ignored in every process that is started; one with a handler, also one that does nothing,
    is back to its default there. So this process still ignores what it did, and a Ctrl-C test can send a Ctrl-C.
    """
    for name in list(os.environ):
        if name in GENERATED_SCRIPTS_READ or (name.startswith("NEUROLOOM_") and name not in KEPT):
            del os.environ[name]
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
