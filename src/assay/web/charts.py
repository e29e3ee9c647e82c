"""Charts: an Altair chart becomes a Vega-Lite specification, and that an SVG inside the page.

The page is complete without JavaScript; with it, `static/charts.js` draws the same specification
again, with tooltips. Colours are CSS custom properties, so one drawing serves both themes."""

from __future__ import annotations

import gzip
import hashlib
import importlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta
from typing import Any, NamedTuple

import msgspec
from markupsafe import Markup

from assay.records import DayEstimate, Estimate
from assay.web.trend import TrendRow, trend_rows, trend_spec

WIDE, NARROW = 1040, 350
SNIPPET = "window.vegaEmbed = vegaEmbed;"


class Drawing(NamedTuple):
    """A specification for the browser, and the SVG that is shown until it has been drawn there."""

    spec: dict[str, Any]
    svg: Markup


class Chart(NamedTuple):
    """One chart twice, the style sheet shows the one that fits; and its rows, for the table."""

    wide: Drawing
    narrow: Drawing
    rows: list[TrendRow]


class Bundle(NamedTuple):
    """The JavaScript that draws specifications in the browser, and its gzip form."""

    plain: bytes
    zipped: bytes


class Charts:
    """Draws and remembers. Thread-safe; the first drawing in a process takes about two seconds,
    which is what `warm` is for."""

    def __init__(self, remembered: int = 64) -> None:
        self._remembered = remembered
        self._drawn: OrderedDict[str, Chart] = OrderedDict()
        self._lock = threading.Lock()
        self._drawing = threading.Lock()
        self._bundle: Bundle | None = None

    def trend(self, days: Sequence[DayEstimate]) -> Chart | None:
        """The metric by day with its interval; None where no day has a value."""
        rows = trend_rows(days)
        if all(row["value"] is None for row in rows):
            return None
        key = hashlib.sha256(msgspec.json.encode(rows)).hexdigest()
        with self._lock:
            if key in self._drawn:
                self._drawn.move_to_end(key)
                return self._drawn[key]
        with self._drawing:
            _finish_imports()
            chart = Chart(_draw(trend_spec(rows, WIDE)), _draw(trend_spec(rows, NARROW)), rows)
        with self._lock:
            self._drawn[key] = chart
            while len(self._drawn) > self._remembered:
                self._drawn.popitem(last=False)
        return chart

    def bundle(self) -> Bundle:
        """Vega, Vega-Lite and Vega-Embed as one script, made once and kept in memory."""
        with self._drawing:
            if self._bundle is None:
                import vl_convert

                script: str = vl_convert.javascript_bundle(SNIPPET, _version())
                plain = script.encode()
                self._bundle = Bundle(plain, gzip.compress(plain, 6, mtime=0))
            return self._bundle

    def warm(self) -> None:
        """Do the slow first steps ahead of the first request."""
        estimate = Estimate(
            metric="warm",
            value=0.5,
            low=0.4,
            high=0.6,
            level=0.95,
            method="",
            n_seen=0,
            n_judged=0,
            n_labelled=0,
        )
        day = date(2024, 1, 1)
        self.trend([DayEstimate(day=day + timedelta(days=n), estimate=estimate) for n in range(2)])
        self.bundle()


def _finish_imports() -> None:
    """Altair takes pandas from `sys.modules`, where it breaks on one that another thread is only
    half through importing. Importing it waits for that thread."""
    with suppress(ImportError):
        importlib.import_module("pandas")


def _draw(spec: dict[str, Any]) -> Drawing:
    import vl_convert

    svg: str = vl_convert.vegalite_to_svg(spec, vl_version=_version())
    return Drawing(spec, Markup(svg))  # noqa: S704  our own specification; Vega escapes its text


def _version() -> str:
    """The Vega-Lite version that Altair writes, as vl-convert names it: `6.4`."""
    import altair

    return ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
