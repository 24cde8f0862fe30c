"""Bytes of a text file to UTF-8 bytes with plain newlines. It knows nothing of tables."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import DataError

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_PAIRS = re.compile(rb"[\xc3-\xf4][\x80-\xbf]")
_ODD_LINE = re.compile(rb"[^\n]*[\x80-\xff][^\n]*")
_CONTROLS = re.compile("[\x80-\x9f]")
_RUNS = re.compile(rb"[\x80-\xff]{3,}")  # western text has odd letters one by one, other alphabets in runs
_DOUBLE_BYTE = ["shift_jis", "gb18030", "big5", "euc_kr"]  # that these decode at all says much
_OTHERS = ["cp1250", "cp1251", "cp1253", "cp1255", "cp1256", "koi8_r", *_DOUBLE_BYTE]
_SAMPLE = 200_000


@dataclass(frozen=True)
class Text:
    r"""Decoded content: UTF-8, ``\n`` newlines, no byte order mark.

    Attributes:
        raw: The UTF-8 bytes.
        encoding: Name of the encoding found.
        bom: Whether a byte order mark was removed.
        crlf: Whether ``\r\n`` or ``\r`` became ``\n``.
    """

    raw: bytes
    encoding: str
    bom: bool
    crlf: bool


def decode(content: bytes, name: str) -> Text:
    """Finds the encoding: byte order mark, UTF-8, else the best single-byte guess of charset-normalizer.

    Raises:
        DataError: `input.encoding`, naming line and byte of the first undecodable place.
    """
    encoding = next((found for mark, found in _BOMS if content.startswith(mark)), None)
    bom = encoding is not None
    if encoding in (None, "utf-8"):
        raw = content.removeprefix(b"\xef\xbb\xbf")
        encoding = "utf-8"
        try:
            if not raw.isascii():
                raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raw, encoding = _guess(raw, error, name)
    else:
        raw = _utf8(content, encoding or "", name)
    crlf = b"\r" in raw
    if crlf:
        raw = raw.replace(b"\r\n", b"\n")
        if b"\n" not in raw:
            raw = raw.replace(b"\r", b"\n")
    return Text(raw, encoding or "", bom, crlf)


def _utf8(content: bytes, encoding: str, name: str) -> bytes:
    try:
        return content.decode(encoding).encode()
    except UnicodeDecodeError as error:
        raise _undecodable(name, content, error.start, encoding) from None


def _guess(raw: bytes, error: UnicodeDecodeError, name: str) -> tuple[bytes, str]:
    """Another encoding, unless the file is mostly good UTF-8 with some damage."""
    lines = b"\n".join(_ODD_LINE.findall(raw, 0, 50 * _SAMPLE))[:_SAMPLE]
    odd = sum(byte > 127 for byte in lines)
    if len(_PAIRS.findall(lines)) * 2 < odd:
        western = sum(map(len, _RUNS.findall(lines))) < 0.3 * odd
        for encoding in ["cp1252"] if western else _by_language(lines):
            try:
                text = raw.decode(encoding)
            except UnicodeDecodeError:
                continue
            if not _CONTROLS.search(text):
                return text.encode(), encoding
    raise _undecodable(name, raw, error.start, "utf-8")


def _by_language(lines: bytes) -> list[str]:
    """The encoding in which the text reads like a language, if there is one."""
    from charset_normalizer import from_bytes

    best = from_bytes(lines, cp_isolation=_OTHERS).best()
    if best is None or (best.coherence == 0 and (best.encoding not in _DOUBLE_BYTE or len(lines) < 40)):
        return []
    return [best.encoding.replace("_", "-")]


def _undecodable(name: str, raw: bytes, at: int, encoding: str) -> DataError:
    line = raw.count(b"\n", 0, at) + 1
    return DataError(
        f"{name!r} is not readable text: byte {raw[at]:#04x} in line {line} is not {encoding}, "
        "and no other encoding fits",
        "input.encoding",
        fix="save the file as UTF-8",
    )
