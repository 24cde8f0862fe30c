"""The one gate between what is stored and what a door tells: it lets through what is listed, at the level that is set.

Doors other than the command line ask it for each run, sentence, event, memory value, file and report. It reads nothing.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from memory.errors import NeuroloomError, PrivacyRefused
from phases.privacy.artifacts import holds_no_cells, inside, names_classes
from phases.privacy.catalogue import COMPARISON, DEPLOYMENT, ERROR, EVENTS, MEMORY, PREDICTIONS, RUN
from phases.privacy.level import Level, allows
from phases.privacy.profile import PROFILE
from phases.privacy.report import chat_report
from phases.privacy.schema import Column, Schema
from phases.privacy.shapes import DROPPED, LONGEST_NAME, Known, Shape
from phases.privacy.words import LONGEST
from phases.views import DeploymentView, RunView

REPORT_KEYS = ("dataset", "validation", "candidate-scores", "decisions", "request")
FIX = "look at it on the machine itself, or set privacy.level to 'samples' (NEUROLOOM_PRIVACY_LEVEL=samples)"
ASSERTED = "asserted/"
LONGEST_ASSERTED = 4000
_OF_ATTEMPT = re.compile(r"(nodes|phase[1-5]-complete)-\d+")
_OWN_WORDS = re.compile(
    r"input\.(missing_file|directory|not_a_file|not_a_table|no_such_(run|column|target|key|deployment|dataset|upload)|ambiguous_run"
    r"|name|workspace|outside_roots|dataset_\w+|upload_\w+|no_report|no_model)|(usage|memory|privacy)\.\w+"
    r"|run\.(waiting|ended|alive|door|no_question|no_model|served)"
)


class Privacy:
    """What may leave at one level, given what is known of one table.

    Args:
        level: How much may leave.
        schema: The table's columns and classes, as recorded; nothing of a table is known without it.
        said: Names that the caller gave itself (paths, datasets, columns), which may be told back.
    """

    def __init__(self, level: Level, schema: Schema | None = None, said: Iterable[str] = ()) -> None:
        self.level, self.schema = level, schema or Schema()
        self.known = Known(level, self.schema, frozenset(said))

    def knowing(self, *said: str) -> Privacy:
        """The same, with further names that the caller gave itself."""
        return Privacy(self.level, self.schema, {*self.known.said, *said})

    def run(self, view: RunView) -> dict[str, Any]:
        """The run without cells, as plain data; its example row is made up below `samples`."""
        found: dict[str, Any] = self._allowed(RUN, view.model_dump(mode="json"))
        return found

    def deployment(self, view: DeploymentView) -> dict[str, Any]:
        """A deployment without cells; give it the `Privacy` of its run for an example row."""
        found: dict[str, Any] = self._allowed(DEPLOYMENT, view.model_dump(mode="json"))
        return found

    def profile(self, found: Any) -> dict[str, Any]:
        """A `DatasetProfile` as plain data: kinds and counts at `schema`, rounded statistics from `aggregates` on."""
        document = found.model_dump(mode="json")
        columns = tuple(
            Column(name=one["name"], kind=one["kind"], personal=one["personal"]) for one in document["columns"]
        )
        classes = tuple(str(one["label"]) for one in document["classes"])
        schema = Schema(columns=columns, target=document["target"], classes=classes)
        told: dict[str, Any] = PROFILE(document, Known(self.level, schema, self.known.said))
        return told

    def predictions(self, found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """A model's predictions; the names of classes that are personal data are masked at every level."""
        told: list[dict[str, Any]] = self._allowed(PREDICTIONS, found)
        return told

    def comparison(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Runs side by side, without cells."""
        told: dict[str, Any] = self._allowed(COMPARISON, found)
        return told

    def text(self, message: str) -> str:
        """A sentence of ours in which what is quoted and not known is `'<cell>'`; on one line, cut."""
        return self.known.text(message, LONGEST)

    def error(self, error: NeuroloomError | Mapping[str, Any]) -> dict[str, Any]:
        """An error as the document `{code, message, field, fix}`; one that only repeats what the caller said stays."""
        document = error.as_dict() if isinstance(error, NeuroloomError) else dict(error)
        if _OWN_WORDS.fullmatch(str(document.get("code"))):
            return {key: one[:LONGEST] if isinstance(one, str) else one for key, one in document.items()}
        found: dict[str, Any] = self._allowed(ERROR, document)
        return found

    def event(self, event: Mapping[str, Any]) -> dict[str, Any] | None:
        """What may leave of a run's event, or None where its kind is not listed."""
        shape = EVENTS.get(str(event.get("type")))
        return None if shape is None else self._allowed(shape, event)

    def memory(self, name: str, value: Any) -> Any:
        """What may leave of a value of a run's memory; what a person asserted (`asserted/…`) leaves as it is, bounded.

        Raises:
            PrivacyRefused: the name is not listed, so it may hold cells.
        """
        plain = name.removeprefix("neural/")
        if plain.startswith(ASSERTED):
            return _bounded(value)
        shape = MEMORY.get(_OF_ATTEMPT.sub(lambda found: found.group(1), plain))
        if shape is not None:
            return self._allowed(shape, value)
        if allows(self.level, "samples") and not self.schema.personal:
            return _bounded(value)
        raise PrivacyRefused(
            f"memory key {name!r} is not among those that may leave at privacy level {self.level!r}",
            field="key",
            fix=FIX,
        )

    def artifact(self, path: str) -> None:
        """Let a file of a run's folder pass, by its relative path.

        Raises:
            PrivacyRefused: it may hold cells, or personal data.
        """
        if not inside(path):
            raise PrivacyRefused(f"{path[:LONGEST_NAME]!r} is no path inside a run's folder", field="path")
        kind = self.schema.personal.get(self.schema.target or "")
        if names_classes(path) and kind is not None:
            told = f"{path!r} names the classes of the target, which are personal data ({kind})"
            raise PrivacyRefused(told, field="path", fix="look at it on the machine itself")
        if holds_no_cells(path):
            return
        if not allows(self.level, "samples"):
            told = f"{path[:LONGEST_NAME]!r} may hold cells of the table: it does not leave at level {self.level!r}"
            raise PrivacyRefused(told, field="path", fix=FIX)
        if self.schema.personal or not self.schema.columns:
            what = "personal data" if self.schema.personal else "personal data, for all that is known"
            raise PrivacyRefused(
                f"{path[:LONGEST_NAME]!r} may hold {what}, which a file cannot mask",
                field="path",
                fix="look at it on the machine itself",
            )

    def report(self, view: RunView, documents: Mapping[str, Any]) -> str:
        """The run's report for a chat, in Markdown.

        Args:
            view: The run.
            documents: Values of the memory keys `REPORT_KEYS` that are there, by name.
        """
        allowed = {name: self.memory(name, documents[name]) for name in REPORT_KEYS if documents.get(name)}
        return chat_report(self.run(view), allowed)

    def _allowed(self, shape: Shape, value: Any) -> Any:
        found = shape(value, self.known)
        return None if found is DROPPED else found


def _bounded(value: Any) -> Any:
    """A value cut to what a chat can take."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST_ASSERTED else f"{value[: LONGEST_ASSERTED - 1]}…"
    if isinstance(value, Mapping):
        return {str(key)[:LONGEST_NAME]: _bounded(one) for key, one in list(value.items())[:LONGEST_NAME]}
    if isinstance(value, list | tuple):
        return [_bounded(one) for one in value[:LONGEST_NAME]]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _bounded(dataclasses.asdict(value))
    return value
