"""The rules reasoner, one file per decision. It needs no key, and the same context always gives the same decision."""

from agents.reasoners.rules.reasoner import RulesReasoner

__all__ = ["RulesReasoner"]
