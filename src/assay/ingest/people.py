"""Names of people and places, which no pattern knows: found by Presidio, where it is installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Protocol

from assay.errors import ConfigError, ExtraMissing
from assay.ingest.patterns import Find

LEAST_SCORE = 0.5
"""How sure Presidio must be."""


class Analyzer(Protocol):
    """What is used of `presidio_analyzer.AnalyzerEngine`."""

    def analyze(self, text: str, language: str, entities: list[str]) -> Sequence[Any]: ...


class PeopleFinder:
    """Finds entities in a text. Their kinds are Presidio's names in small letters: `person`."""

    def __init__(self, analyzer: Analyzer, entities: Sequence[str], language: str) -> None:
        self._analyzer, self._entities, self._language = analyzer, list(entities), language
        self.kinds = tuple(entity.lower() for entity in entities)

    def find(self, text: str) -> list[Find]:
        results = self._analyzer.analyze(text=text, language=self._language, entities=self._entities)
        return [
            Find(one.start, one.end, one.entity_type.lower())
            for one in sorted(results, key=lambda one: (-one.score, one.start))
            if one.score >= LEAST_SCORE and one.entity_type in self._entities
        ]


def open_finder(entities: Sequence[str], language: str) -> PeopleFinder:
    """Presidio with its default model of the language: loading takes seconds and hundreds of megabytes.

    Raises ExtraMissing without the package, ConfigError without a model of that language."""
    if find_spec("presidio_analyzer") is None:
        raise ExtraMissing("redaction.entities needs Presidio: pip install 'assay[pii]'")
    from presidio_analyzer import AnalyzerEngine

    try:
        analyzer: Analyzer = AnalyzerEngine(supported_languages=[language])
    except (OSError, SystemExit, ValueError) as error:
        raise ConfigError(
            f"redaction.language = {language!r}: Presidio has no model of it; install spaCy's: {error}"
        ) from None
    return PeopleFinder(analyzer, entities, language)
