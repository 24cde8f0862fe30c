"""The words by which rules read a goal, a column's name and a label. It knows English first, and no data."""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\S+", text))


POSITIVE: tuple[frozenset[str], ...] = (
    _words("yes y true t 1 positive pos ja oui si"),
    _words("churned churn left exited fraud spam default defaulted bad failed failure"),
    _words("malignant disease sick died dead survived click clicked bought purchased"),
)
"""Labels that name what one looks for, the surest first."""
NEGATIVE = _words("no n false f 0 -1 negative neg nein non none never stayed ham good ok benign healthy normal")
SYNONYMS: tuple[frozenset[str], ...] = (
    _words("leave leaves leaving left churn churned exit exited attrition quit cancel cancelled"),
    _words("buy buys bought purchase purchased order ordered convert converted conversion"),
    _words("die dies died death survive survives survived survival"),
    _words("price prices cost costs value worth"),
    _words("income earn earns earning salary wage pay"),
    _words("default defaults defaulted repay repaid credit risk"),
    _words("ill sick disease diagnosis malignant cancer tumor tumour"),
    _words("fraud fraudulent scam"),
)
_QUANTITY = re.compile(
    r"\b(how (much|many|long|old|far|big)|amount|price|costs?|worth|revenue|sales|demand|salary|duration|"
    r"quantity|estimate|forecast|number of|regress\w*)\b"
)
_KIND = re.compile(
    r"\b(which|whether|who|classif\w*|class|classes|category|categories|kind|type|recogni[sz]e|detect|"
    r"identify|label|species|tell apart|digits?)\b"
)
_INPUTS_FOLLOW = re.compile(r"\b(from|based on|using|given|out of|with the help of)\b")


def asks_quantity(goal: str) -> bool:
    """Whether the goal speaks of how much or how many."""
    return bool(_QUANTITY.search(goal.lower()))


def asks_kind(goal: str) -> bool:
    """Whether the goal speaks of which, who or what kind."""
    return bool(_KIND.search(goal.lower()))


def named_in(goal: str, column: str) -> bool:
    """Whether the goal names the column: by the same stem, or by a known synonym.

    What follows "from", "based on" or "using" names inputs and does not count.
    """
    asked = _INPUTS_FOLLOW.split(goal.lower(), maxsplit=1)[0]
    spoken = set(re.findall(r"[a-z]{3,}", asked))
    named = set(re.findall(r"[a-z]{3,}", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column).lower()))
    return any(_related(a, b) for a in spoken for b in named)


def _related(a: str, b: str) -> bool:
    if a == b or any(a in group and b in group for group in SYNONYMS):
        return True
    stem = min(len(a), len(b))
    return stem >= 4 and a[:stem] == b[:stem] and abs(len(a) - len(b)) <= 3
