"""Tells the person who is away from the chat that a run ended or asks: desktop, webhook (Slack-like), mail.

Each attempt is recorded as it went, once per notice and channel. It never raises into a run, and neither the webhook's
address nor the password is ever part of what it records or logs.
"""

from __future__ import annotations

import asyncio
import json
import logging
import smtplib
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import EmailMessage

from memory.errors import NeuroloomError
from memory.store import Memory
from phases.clock import now
from phases.notices import Notice
from phases.settings import NotifySettings

log = logging.getLogger("neuroloom.notify")
SUBJECT = "Neuroloom: run {run} {kind}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A webhook that points elsewhere has not taken the message."""

    def redirect_request(self, *_: object) -> None:
        return None


async def tell(settings: NotifySettings, memory: Memory, notice: Notice) -> None:
    """Send the notice through every channel that is set up and record how each attempt went.

    An attempt that is on record is not made again; a runner killed between the two leaves no record, and its successor
    tries again.
    """
    await asyncio.gather(*(_channel(settings, memory, notice, name) for name in settings.channels()))


async def _channel(settings: NotifySettings, memory: Memory, notice: Notice, channel: str) -> None:
    mark = f"{notice.id}:{channel}"
    try:
        known = await memory.get(notice.run, "notified")
        if known is not None and any(one["id"] == mark for one in known.value):
            return
        outcome, why = await _sent(_SENDERS[channel], settings, notice)
        record = {"channel": channel, "about": notice.kind, "outcome": outcome, "why": why, "at": now()}
        await memory.append(notice.run, "notified", {"id": mark, **record}, by="runner", write_id=mark)
        await memory.emit(notice.run, {"type": "notified", **record}, event_id=f"notified:{mark}")
    except NeuroloomError as trouble:
        log.warning("run %s: the notification by %s is not on record: %s", notice.run, channel, trouble.code)


async def _sent(
    send: Callable[[NotifySettings, Notice], None], settings: NotifySettings, notice: Notice
) -> tuple[str, str | None]:
    """`ok`, or `failed` and why, in words that name no address. A thread that hangs is left behind after the time."""
    try:
        await asyncio.wait_for(asyncio.to_thread(send, settings, notice), settings.seconds + 1)
    except TimeoutError:
        return "failed", f"no answer within {settings.seconds:g} s"
    except urllib.error.HTTPError as refused:
        refused.close()
        return "failed", f"HTTP status {refused.code}"
    except smtplib.SMTPResponseException as refused:
        return "failed", f"the mail server answered {refused.smtp_code}"
    except subprocess.CalledProcessError as refused:
        return "failed", f"notify-send ended with {refused.returncode}"
    except Exception as trouble:  # a notification is never worth a run
        return "failed", _reason(trouble)
    return "ok", None


def _reason(trouble: Exception) -> str:
    """The kind of an exception: its text may hold an address."""
    inner = trouble.reason if isinstance(trouble, urllib.error.URLError) else trouble
    if isinstance(inner, TimeoutError | subprocess.TimeoutExpired):
        return "no answer in time"
    words = getattr(inner, "strerror", None) if isinstance(inner, OSError) else None
    return type(inner).__name__ + (f": {words}" if isinstance(words, str) else "")


def _desktop(settings: NotifySettings, notice: Notice) -> None:
    words = ["notify-send", "--app-name=Neuroloom", "--", _subject(notice), notice.line()]
    subprocess.run(words, check=True, timeout=settings.seconds, capture_output=True, stdin=subprocess.DEVNULL)


def _webhook(settings: NotifySettings, notice: Notice) -> None:
    body = json.dumps({"text": f"{_subject(notice)}\n{notice.line()}"}).encode()
    headers = {"content-type": "application/json", "user-agent": "neuroloom"}
    request = urllib.request.Request(str(settings.webhook), body, headers)  # noqa: S310 - http or https by its setting
    opener = urllib.request.build_opener(_NoRedirect)
    with opener.open(request, timeout=settings.seconds) as answer:
        answer.read(1024)


def _mail(settings: NotifySettings, notice: Notice) -> None:
    message = EmailMessage()
    message["Subject"], message["To"] = _subject(notice), settings.mail_to
    message["From"] = settings.mail_from or settings.mail_to
    message.set_content(notice.line())
    place, encryption = (settings.smtp_host, settings.smtp_port), ssl.create_default_context()
    server: smtplib.SMTP
    if settings.smtp_security == "tls":
        server = smtplib.SMTP_SSL(*place, timeout=settings.seconds, context=encryption)
    else:
        server = smtplib.SMTP(*place, timeout=settings.seconds)
    with server:
        if settings.smtp_security == "starttls":
            server.starttls(context=encryption)
        if settings.smtp_user and settings.smtp_password:
            server.login(settings.smtp_user, settings.smtp_password)
        server.send_message(message)


def _subject(notice: Notice) -> str:
    return SUBJECT.format(run=notice.run, kind=notice.kind)


_SENDERS: dict[str, Callable[[NotifySettings, Notice], None]] = {
    "desktop": _desktop,
    "webhook": _webhook,
    "mail": _mail,
}
