"""Secrets taken out of everything that the chat door sends. It finds none by itself: they are given to it.

Known values are found as they are, URL-encoded and in base64 (also in the middle of a longer base64 text), and so are
the shapes of well-known tokens. Keys of a structure are never touched.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

import orjson

if TYPE_CHECKING:
    from app.settings import Settings

MARK = "[redacted]"
SHORTEST = 6
SECRET_NAME = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|APIKEY|DSN|WEBHOOK|(?:API|ACCESS|PRIVATE|SIGNING|"
    r"ENCRYPTION|ACCOUNT)_?KEY|KEY)(?:_|$)",
    re.IGNORECASE,
)
NOT_SECRET = frozenset({"true", "false", "none", "null", "default", "disabled", "enabled"})
_START = r"(?<![A-Za-z0-9])"
SHAPES = (
    _START + r"sk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{20,}",
    _START + r"gh[pousr]_[A-Za-z0-9]{30,}",
    _START + r"github_pat_[A-Za-z0-9_]{40,}",
    _START + r"glpat-[A-Za-z0-9_-]{20,}",
    _START + r"hf_[A-Za-z0-9]{30,}",
    _START + r"e2b_[a-f0-9]{40}",
    _START + r"nlm_[A-Za-z0-9_-]{43}",
    _START + r"xox[abeprs]-[A-Za-z0-9-]{10,}",
    _START + r"AIza[A-Za-z0-9_-]{35}",
    _START + r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    _START + r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}",
    r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]{20,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.|\n)*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    r"(?<=://)[^/\s:@\"']*:[^/\s@\"']+(?=@)",
)
HINTS = (
    *(
        b"sk-",
        b"ghp_",
        b"gho_",
        b"ghu_",
        b"ghs_",
        b"ghr_",
        b"github_pat_",
        b"glpat-",
        b"hf_",
        b"e2b_",
        b"nlm_",
        b"xox",
        b"AIza",
        b"AKIA",
        b"ASIA",
        b"eyJ",
    ),
    *(b"hooks.slack.com/", b"PRIVATE KEY-----"),
)
"""One of these is in every text that has one of the shapes, logins of addresses apart; looking is much cheaper."""
_SHAPE = re.compile("|".join(SHAPES))
_SHAPE_BYTES = re.compile("|".join(SHAPES).encode())


class Redactor:
    """Takes known secrets and token shapes out of answers.

    Args:
        secrets: Values; those shorter than six characters are left out, since replacing them would spoil every text.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
        self._known = re.compile("|".join(re.escape(form) for form in known)) if known else None
        self._needles = [orjson.dumps(form)[1:-1] for form in known]

    def clean(self, value: Any) -> Any:
        """The value without secrets; the very same object when it holds none.

        Args:
            value: What JSON can say: dicts, lists, strings, numbers.
        """
        return self._walked(value) if self._suspect(value) else value

    def text(self, text: str) -> str:
        """One text without secrets."""
        once = self._known.sub(MARK, text) if self._known is not None else text
        return _SHAPE.sub(MARK, once)

    def _suspect(self, value: Any) -> bool:
        """One look at the whole, in which nearly every answer is found clean."""
        try:
            whole = orjson.dumps(value)
        except (TypeError, ValueError):  # integers over 64 bits, lone surrogates: look at each text
            return True
        if any(needle in whole for needle in self._needles):
            return True
        hinted = any(hint in whole for hint in HINTS) or (b"://" in whole and b"@" in whole)
        return hinted and _SHAPE_BYTES.search(whole.replace(b"\\n", b"\n")) is not None

    def _walked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self._walked(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._walked(inner) for inner in value]
        return value


class RedactedLogs(logging.Filter):
    """Takes secrets out of log records, tracebacks too: `handler.addFilter(RedactedLogs(redactor))`."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record, without secrets."""
        record.msg, record.args = self._redactor.text(record.getMessage()), ()
        if record.exc_info and record.exc_info[0] is not None:
            told = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            record.exc_text, record.exc_info = self._redactor.text(told), None
        return True


def known_secrets(settings: Settings, environ: Mapping[str, str], logins: Iterable[str]) -> list[str]:
    """Every secret that this installation knows: of its settings, its environment and its kept logins.

    Args:
        settings: All settings.
        environ: The environment, from `app.settings.environment`.
        logins: Names of the logins that may be in the system's keyring; those in the file are found anyway.
    """
    from app.credentials import Credentials

    kept = Credentials(settings.home).every(logins)
    return [*_of_settings(settings.model_dump(exclude={"sources"})), *secret_values(environ), *kept]


def secret_values(environ: Mapping[str, str]) -> list[str]:
    """Values of variables whose names say that they are secret, and the passwords in addresses."""
    named = [value for name, value in environ.items() if SECRET_NAME.search(name) and not _plain(value)]
    return [*named, *(found for value in environ.values() for found in passwords(value))]


def passwords(address: str) -> list[str]:
    """The password in an address, as it is written and as it is meant; none where there is none."""
    if "://" not in address or "@" not in address:
        return []
    try:
        found = urlsplit(address).password
    except ValueError:
        return []
    return [found, unquote(found)] if found else []


def _of_settings(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _of_settings(value)
        elif isinstance(value, str):
            yield from passwords(value)
            if SECRET_NAME.search(name):
                yield value


def _plain(value: str) -> bool:
    """A value that is no secret whatever its name says: a switch, a number, a path."""
    return value.lower() in NOT_SECRET or value.isdigit() or value.startswith(("/", "./", "~"))


def _forms(secret: str) -> set[str]:
    """Every way in which a secret may be written."""
    secret = secret.strip()
    if len(secret) < SHORTEST:
        return set()
    plain = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
    return plain | {form for form in _base64_forms(secret.encode()) if len(form) >= SHORTEST}


def _base64_forms(secret: bytes) -> set[str]:
    """The characters of base64 that the secret alone decides, wherever in a longer text it begins."""
    forms = set()
    for offset, undecided in ((0, 0), (1, 2), (2, 3)):
        whole = base64.b64encode(b"\0" * offset + secret).decode()
        uneven = (offset + len(secret)) % 3
        decided = whole[undecided : len(whole) - (0, 3, 2)[uneven]]
        forms |= {decided, decided.replace("+", "-").replace("/", "_")}
    return forms
