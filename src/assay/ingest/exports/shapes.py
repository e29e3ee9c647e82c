"""Which product an export is of, told by the names of its columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from assay.ingest.exports import langfuse, langsmith, mlflow, phoenix
from assay.ingest.exports.basket import Basket
from assay.ingest.rows import Row


class Shape(NamedTuple):
    """A product's exports. `fits` tells them by their columns, `unknown` names the columns that are not
    taken, `take` puts a row's spans and opinions into a basket."""

    fits: Callable[[set[str]], bool]
    unknown: Callable[[set[str]], set[str]]
    take: Callable[[Row, Basket], None]


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "langfuse": Shape(langfuse.fits, langfuse.unknown, langfuse.take),
        "langsmith": Shape(langsmith.fits, langsmith.unknown, langsmith.take),
        "phoenix": Shape(phoenix.fits, phoenix.unknown, phoenix.take),
        "mlflow": Shape(mlflow.fits, mlflow.unknown, mlflow.take),
    }
)
FORMATS = ("rows", "otlp", *SHAPES)

_OTLP = {"resourceSpans", "resource_spans", "resourceLogs", "resource_logs", "resourceMetrics"}


def recognise(columns: set[str]) -> str:
    """The format that these columns are of; `rows` where they are no product's."""
    if columns & _OTLP:
        return "otlp"
    return next((name for name, shape in SHAPES.items() if shape.fits(columns)), "rows")
