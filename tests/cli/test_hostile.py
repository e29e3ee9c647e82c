"""A report quotes values of logs in commands that people copy: they must stay what they are."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest
from tests.web.fake import REPORT

from assay.cli.report import show_report
from assay.query import quote
from assay.records import Report

EVIL = "v1'; rm -rf ~; echo $(id) `id` \x1b[31m\u202e [/b]"


def evil_report() -> Report:
    """The fake project's report, its first finding about a version of that name."""
    metric = REPORT.metrics[0]
    said = f"version = {quote(EVIL)}"
    row = replace(metric.focus[0], filter=said, failing_filter=said)
    return replace(REPORT, metrics=(replace(metric, focus=(row,)),))


def test_a_command_to_copy_is_one_command(capsys: pytest.CaptureFixture[str]) -> None:
    show_report(evil_report())
    shown = capsys.readouterr().out
    (line,) = [line for line in shown.splitlines() if line.strip().startswith("assay logs ")]
    command, logs, said = shlex.split(line)
    assert (command, logs) == ("assay", "logs")
    assert said.startswith("version = \"v1'; rm -rf ~; echo $(id) `id` ")
    assert all(c.isprintable() or c == "\n" for c in shown)
