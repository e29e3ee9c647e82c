"""Trends break where they must, are drawn once, and their script needs no evaluation."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from dataclasses import replace

from starlette.testclient import TestClient
from tests.web.fake import estimate, trend

from assay.records import DayEstimate
from assay.web.charts import Charts
from assay.web.trend import trend_rows, trend_spec


def test_lines_break_at_a_new_version_and_at_a_gap() -> None:
    rows = trend_rows(list(reversed(trend())))
    assert [row["run"] for row in rows] == [1] * 7 + [2] * 2 + [3] + [4] * 4
    assert rows[9]["value"] is None
    assert rows[9]["estimate"] == "–"
    assert rows[9]["reason"] == "nothing was judged on this day"


def test_a_day_alone_is_marked(charts: Charts) -> None:
    days = list(trend())
    days[1] = replace(days[1], estimate=replace(days[1].estimate, metric_version="other"))
    rows = trend_rows(days)
    assert [row["alone"] for row in rows[:4]] == [True, True, False, False]
    assert charts.trend(days) is not None


def test_unknown_days_keep_their_place_but_have_no_mark() -> None:
    spec = trend_spec(trend_rows(trend()), 960)
    lines = [layer for layer in spec["layer"] if layer["mark"]["type"] == "line"]
    hover = spec["layer"][-1]
    sizes = {name: len(rows) for name, rows in spec["datasets"].items()}
    assert sizes[hover["data"]["name"]] == 14
    assert {sizes[layer["data"]["name"]] for layer in lines} == {13}


def test_nothing_known_is_no_chart(charts: Charts) -> None:
    assert charts.trend([]) is None
    assert charts.trend([DayEstimate(day=trend()[0].day, estimate=estimate(None))]) is None


def test_extreme_rates_are_drawn(charts: Charts) -> None:
    for value in (0.0, 1.0):
        chart = charts.trend([DayEstimate(day=trend()[0].day, estimate=estimate(value, 0.0))])
        assert chart is not None
        assert "NaN" not in chart.wide.svg


def test_a_drawing_is_remembered_and_forgotten() -> None:
    charts = Charts(remembered=1)
    day = trend()[0]
    first = charts.trend([day])
    assert charts.trend([day]) is first
    charts.trend([DayEstimate(day=day.day, estimate=estimate(0.3))])
    assert charts.trend([day]) is not first


def test_drawings_follow_the_theme_and_the_policy(charts: Charts) -> None:
    chart = charts.trend(trend())
    assert chart is not None
    for svg in (chart.wide.svg, chart.narrow.svg):
        assert "var(--chart-line)" in svg
        assert "style=" not in svg
        assert "<script" not in svg
        assert "7 Nov" in svg


def test_hostile_versions_stay_text(charts: Charts) -> None:
    days = [
        DayEstimate(day=entry.day, estimate=replace(entry.estimate, metric_version="</svg><b>"))
        for entry in trend()
    ]
    chart = charts.trend(days)
    assert chart is not None
    assert "<b>" not in chart.wide.svg


def test_threads_share_one_drawing(charts: Charts) -> None:
    drawn = []
    threads = [threading.Thread(target=lambda: drawn.append(charts.trend(trend()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drawn) == 4
    assert len({str(chart.wide.svg) for chart in drawn if chart is not None}) == 1


def test_the_chart_script_is_served_zipped_and_plain(client: TestClient) -> None:
    zipped = client.get("/static/vega.js", headers={"Accept-Encoding": "gzip"})
    assert zipped.headers["content-encoding"] == "gzip"
    plain = client.get("/static/vega.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == zipped.text
    assert "window.vegaEmbed" in plain.text


def test_a_chart_waits_for_a_half_imported_pandas() -> None:
    script = """
        import sys, threading
        from datetime import date
        import altair, vl_convert
        from assay.records import DayEstimate, Estimate
        from assay.web.charts import Charts
        estimate = Estimate(metric="m", value=0.5, low=0.4, high=0.6, level=0.95, method="", n_seen=1,
                            n_judged=1, n_labelled=1)
        assert "pandas" not in sys.modules
        threading.Thread(target=lambda: __import__("pandas")).start()
        while "pandas" not in sys.modules:
            pass
        assert not hasattr(sys.modules["pandas"], "Timestamp")
        assert Charts().trend([DayEstimate(day=date(2025, 1, 1), estimate=estimate)]) is not None
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
