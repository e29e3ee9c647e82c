"""Signals: cheap facts that are computed for every log."""

from assay.signals.catalogue import Thresholds, catalogue, define
from assay.signals.parsed import parse_signals
from assay.signals.words import load_words

__all__ = ["Thresholds", "catalogue", "define", "load_words", "parse_signals"]
