"""Settings of the chat door: none is there that nothing reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from mcp_server.settings import ChatSettings

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for part in ("mcp_server", "app") for path in sorted((ROOT / part).rglob("*.py"))]


@pytest.mark.parametrize("name", ChatSettings.model_fields)
def test_every_setting_is_read(name: str) -> None:
    read = re.compile(rf"(?:settings|chat|self)\.{name}\b")
    assert [path for path in SOURCES if read.search(path.read_text(encoding="utf-8"))]


def test_a_setting_that_nothing_reads_is_refused() -> None:
    with pytest.raises(ValidationError):
        ChatSettings.model_validate({"upload_mib": 1})
