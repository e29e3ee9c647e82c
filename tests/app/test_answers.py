"""Estimates and the report, of what the metric's policy covers."""

from __future__ import annotations

import json

from tests.app.conftest import Open

from assay.app.application import Application
from assay.app.requests import EstimateRequest, EvaluateRequest, ReportRequest, SampleRequest, SettleRequest

METRICS = """
import assay

@assay.metric(unit="conversation")
def short(log: assay.Log) -> bool:
    return log.log_id[-1] in "02468ace"
"""
SETTINGS = """
[policies.daily]
where = 'version = "v2"'
rate = 1.0
label_rate = 0.5
"""


def take_in(project: Application, versions: list[str]) -> None:
    """One conversation a version, settled, drawn and checked."""
    resources = [
        {
            "resource": {
                "attributes": [{"key": "service.version", "value": {"stringValue": version}}],
            },
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": f"{number:032x}",
                            "spanId": f"{number:016x}",
                            "name": "chat",
                            "startTimeUnixNano": "1763636400000000000",
                            "endTimeUnixNano": "1763636401000000000",
                            "attributes": [
                                {"key": "assay.attr.half", "value": {"stringValue": "ab"[number % 2]}}
                            ],
                        }
                    ]
                }
            ],
        }
        for number, version in enumerate(versions, start=1)
    ]
    project.receive(json.dumps({"resourceSpans": resources}).encode(), "application/json", "")
    project.settle(SettleRequest(even_active=True))
    project.sample(SampleRequest())
    project.evaluate(EvaluateRequest())


def test_focus_counts_the_logs_that_the_policy_covers(open_project: Open) -> None:
    project = open_project(METRICS, SETTINGS)
    take_in(project, ["v1"] * 40 + ["v2"] * 30)
    (metric,) = project.report(ReportRequest()).metrics
    assert metric.overall.n_seen == 30
    assert {row.name: (row.logs, row.share) for row in metric.focus} == {
        "empty_output": (30, 1.0),
        'attr["half"] = a': (15, 0.5),
        'attr["half"] = b': (15, 0.5),
    }


def test_a_filter_by_scores_says_that_it_holds_of_scored_logs_alone(open_project: Open) -> None:
    project = open_project(METRICS, SETTINGS)
    take_in(project, ["v2"] * 30)
    known = project.estimate(EstimateRequest(metric="short", where='attr["half"] = "a"'))
    assert known.reason == ""
    asked = project.estimate(EstimateRequest(metric="short", where="score.short < 0.5"))
    assert asked.value == 0.0
    assert (
        asked.reason
        == "the filter asks for scores, labels or what was drawn: logs without them are not counted"
    )
