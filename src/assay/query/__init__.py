"""The filter language: one way to say which logs, for people, policies and signals alike."""

from assay.query.complain import suggest
from assay.query.evaluate import holds, phrases_of
from assay.query.fields import FIELDS, FieldInfo
from assay.query.parse import Names, parse
from assay.query.text import fold, fold_words, quote, to_text
from assay.query.tree import (
    And,
    Attribute,
    Compare,
    Condition,
    Contains,
    Field,
    HasScore,
    InList,
    Last,
    Mentions,
    Not,
    Operator,
    Or,
    ScoreIs,
    SignalIs,
    Subject,
    walk,
)

__all__ = [
    "FIELDS",
    "And",
    "Attribute",
    "Compare",
    "Condition",
    "Contains",
    "Field",
    "FieldInfo",
    "HasScore",
    "InList",
    "Last",
    "Mentions",
    "Names",
    "Not",
    "Operator",
    "Or",
    "ScoreIs",
    "SignalIs",
    "Subject",
    "fold",
    "fold_words",
    "holds",
    "parse",
    "phrases_of",
    "quote",
    "suggest",
    "to_text",
    "walk",
]
