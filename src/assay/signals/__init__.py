"""Signals: cheap facts that are computed for every log."""

from assay.signals.catalogue import Thresholds, catalogue, define
from assay.signals.parsed import parse_signals
from assay.signals.words import find_stems, load_languages, load_words

__all__ = [
    "Thresholds",
    "catalogue",
    "define",
    "find_stems",
    "load_languages",
    "load_words",
    "parse_signals",
]
