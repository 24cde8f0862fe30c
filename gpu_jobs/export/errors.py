"""The one error of the export code; it does not import the product's error tree, because it also runs standalone.

Codes: `export.parity` (the exported graph answers otherwise than the network), `export.session` (a graph that ONNX
Runtime does not load).
"""

from __future__ import annotations


class ExportError(Exception):
    """A network that cannot be exported, or a graph that cannot be run.

    Attributes:
        message: what is wrong, naming the culprit.
        code: stable, one of the module's list.
        field: always None here; kept for the error's common form.
        fix: what would be right, or None.
    """

    def __init__(self, message: str, *, code: str, field: str | None = None, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.field = field
        self.fix = fix
