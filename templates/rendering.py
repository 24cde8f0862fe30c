"""Turns an artefact's name and its context into text. It writes no file and reads only templates."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel

from .catalogue import CONTEXTS
from .figures import FILTERS as FIGURES
from .figures import Sources
from .quoting import FILTERS, Quoted
from .report.context import FILTERS as REPORT

_HERE = Path(__file__).parent


@cache
def artefacts() -> dict[str, Path]:
    """Every artefact's name and its template.

    A folder with one template is named by the folder (`serve`); a folder with several by folder and ending
    (`monitoring.rules.yml`).
    """
    found: dict[str, Path] = {}
    for folder in sorted(CONTEXTS):
        templates = sorted((_HERE / folder).glob("template.*.j2"))
        for template in templates:
            ending = template.name.removeprefix("template.").removesuffix(".j2")
            found[folder if len(templates) == 1 else f"{folder}.{ending}"] = template
    return found


def render(artefact: str, context: BaseModel) -> str:
    """The text of one generated file.

    Args:
        artefact: a name of `artefacts()`, such as "serve" or "report.html".
        context: the frozen model of that artefact's folder.

    Raises:
        KeyError: no such artefact; the message lists those there are.
        TypeError: the context is another artefact's, or the template left a value unquoted.
        jinja2.UndefinedError: the template names something that the context lacks.
    """
    known = artefacts()
    if artefact not in known:
        raise KeyError(f"no artefact {artefact!r}; there are {', '.join(known)}")
    wanted = CONTEXTS[known[artefact].parent.name]
    if not isinstance(context, wanted):
        raise TypeError(f"{artefact!r} takes a {wanted.__name__}, not {type(context).__name__}")
    template = _environment().get_template(known[artefact].relative_to(_HERE).as_posix())
    values = {name: getattr(context, name) for name in type(context).model_fields}
    return template.render(**values, it=context, sources=Sources())


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        undefined=StrictUndefined,
        finalize=_quoted,
        autoescape=False,  # noqa: S701 - `_quoted` is stricter: each value passes the filter of its grammar
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        comment_start_string="{##",  # `{#` is a length in shell and a rule in CSS
        comment_end_string="##}",
    )
    environment.filters.update({**FILTERS, **FIGURES, **REPORT})
    return environment


def _quoted(value: object) -> object:
    if isinstance(value, Quoted) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise TypeError(f"a template wrote {type(value).__name__} {value!r} without a quoting filter")
