"""The trend of a metric: one row a day, and the Vega-Lite specification that draws them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import Any, TypedDict

from assay.records import DayEstimate
from assay.web.numbers import NO_VALUE, count, interval, value

FONT = 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif'


class TrendRow(TypedDict):
    """One day. `run` numbers the stretches that one line may join; `alone`: a run of one day."""

    at: int
    day: str
    value: float | None
    low: float | None
    high: float | None
    raw: float | None
    estimate: str
    interval: str
    judge: str
    seen: str
    judged: str
    labelled: str
    version: str
    reason: str
    run: int
    alone: bool


def trend_rows(days: Sequence[DayEstimate]) -> list[TrendRow]:
    """The days in order. A line breaks where the metric's version changes or a day has no value,
    so that a change of the yardstick is never read as a change of the application."""
    rows: list[TrendRow] = []
    run, before = 0, None
    for entry in sorted(days, key=lambda entry: entry.day):
        state = entry.estimate.metric_version if entry.estimate.value is not None else None
        run += state != before
        before = state
        rows.append(_row(entry, run))
    lengths = Counter(row["run"] for row in rows)
    for row in rows:
        row["alone"] = lengths[row["run"]] == 1
    return rows


def trend_spec(rows: Sequence[TrendRow], width: int) -> dict[str, Any]:
    """The specification, `width` pixels wide with everything in it."""
    import altair as alt

    wide = width > 500
    known = [row for row in rows if row["value"] is not None]
    every = max(1, -(-len(rows) // (14 if wide else 5)))
    x = alt.X(
        "at:T",
        scale=alt.Scale(type="utc", padding=14),
        axis=alt.Axis(
            format="%-d %b", title=None, values=[_date_time(alt, row["at"]) for row in rows[::every]]
        ),
    )
    scale, axis = (
        alt.Scale(domain=_domain(known), nice=False),
        alt.Axis(labelExpr="round(datum.value * 100) + ' %'", title=None, tickCount=5),
    )
    detail = alt.Detail("run:N")
    base = alt.Chart(alt.InlineData(values=known))
    every_day = alt.Chart(alt.InlineData(values=list(rows)))

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", scale=scale, axis=axis)

    band = {"x": x, "y": y("low"), "y2": "high:Q"}
    layers: list[alt.Chart] = [
        base.mark_area(color="var(--chart-band)", opacity=1).encode(detail=detail, **band)
    ]
    if alone := [row for row in known if row["alone"]]:
        days = alt.Chart(alt.InlineData(values=alone))
        layers.append(days.mark_rule(color="var(--chart-band)", strokeWidth=8, opacity=1).encode(**band))
    if with_raw := [row for row in known if row["raw"] is not None]:
        judge = alt.Chart(alt.InlineData(values=with_raw))
        judge = judge.mark_line(color="var(--chart-raw)", strokeDash=[4, 3], strokeWidth=1.5)
        layers.append(judge.encode(x=x, y=y("raw"), detail=detail))
    layers += [
        base.mark_line(color="var(--chart-line)", strokeWidth=2).encode(x=x, y=y("value"), detail=detail),
        base.mark_circle(color="var(--chart-line)", size=30, opacity=1).encode(x=x, y=y("value")),
        every_day.mark_rule(color="var(--chart-line)", opacity=0, strokeWidth=width / max(len(rows), 2) * 0.9)
        .encode(x=x, y=alt.value(0), y2=alt.value("height"), tooltip=_tooltip(alt, rows)),
    ]  # fmt: skip
    chart = alt.layer(*layers, width=width, height=260 if wide else 220)
    chart = chart.properties(autosize=alt.AutoSizeParams(type="fit", contains="padding"), padding=2)
    spec: dict[str, Any] = chart.configure(**_theme()).to_dict()
    return spec


def _date_time(alt: Any, at: int) -> Any:
    day = datetime.fromtimestamp(at / 1000, tz=UTC)
    return alt.DateTime(year=day.year, month=day.month, date=day.day, utc=True)


def _row(entry: DayEstimate, run: int) -> TrendRow:
    estimate = entry.estimate
    raw = estimate.raw
    return TrendRow(
        at=int(datetime.combine(entry.day, time(), tzinfo=UTC).timestamp() * 1000),
        day=f"{entry.day:%a} {entry.day.day} {entry.day:%b %Y}",
        value=estimate.value,
        low=estimate.value if estimate.low is None else estimate.low,
        high=estimate.value if estimate.high is None else estimate.high,
        raw=None if raw is None else raw.value,
        estimate=value(estimate),
        interval=interval(estimate),
        judge=NO_VALUE if raw is None else value(raw),
        seen=count(estimate.n_seen),
        judged=count(estimate.n_judged),
        labelled=count(estimate.n_labelled),
        version=estimate.metric_version or NO_VALUE,
        reason=estimate.reason or NO_VALUE,
        run=run,
        alone=False,
    )


def _domain(known: Sequence[TrendRow]) -> list[float]:
    """Round ends around every interval, at least ten points apart, inside [0, 1]."""
    ends = [
        end for row in known for end in (row["low"], row["high"], row["value"], row["raw"]) if end is not None
    ]
    low = max(0.0, int(min(ends) * 20 - 1e-9) / 20)
    high = min(1.0, (int(max(ends) * 20 - 1e-9) + 1) / 20)
    if high - low < 0.1:
        low, high = (low, low + 0.1) if low + 0.1 <= 1 else (0.9, 1.0)
    return [round(low, 4), round(high, 4)]


def _tooltip(alt: Any, rows: Sequence[TrendRow]) -> list[Any]:
    fields = [("day", "Day"), ("estimate", "Estimate"), ("interval", "Interval")]
    fields += [("judge", "Judge alone")] if any(row["raw"] is not None for row in rows) else []
    fields += [("seen", "Seen"), ("judged", "Judged"), ("labelled", "Labelled"), ("version", "Version")]
    fields += [("reason", "Note")] if any(row["reason"] != NO_VALUE for row in rows) else []
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in fields]


def _theme() -> dict[str, Any]:
    axis = {
        "labelColor": "var(--text-muted)",
        "labelFont": FONT,
        "labelFontSize": 12,
        "labelPadding": 8,
        "domain": False,
        "ticks": False,
        "gridColor": "var(--chart-grid)",
    }
    return {
        "aria": False,
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "axis": axis,
        "axisX": {"grid": False},
    }
