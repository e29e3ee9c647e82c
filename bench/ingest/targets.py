"""The tables of the experiments, each figure beside its target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bench.ingest.system import QUESTIONS

Tree = Mapping[str, Any]
PER_DAY: Final = ("mean latency per day", "count by status per day")
SEARCHES: Final = ("attribute filter", "text search")


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def verdict(name: str, value: float, target: float, *, least: bool, form: str = "{:,.2f}") -> list[str]:
    """A row of a table of targets: what was reached, what was asked for, passed or not."""
    passed = value >= target if least else value <= target
    sign = "≥" if least else "≤"
    return [name, form.format(value), f"{sign} {form.format(target)}", "passed" if passed else "FAILED"]


VERDICTS: Final = ("", "measured", "target", "")


def taking(ours: Sequence[Tree], mlflow: Tree | None, phoenix: Tree | None) -> str:
    """A1 and A2. `ours` are medians by size and variant, the largest plain one last."""
    peers = [peer for peer in (mlflow, phoenix) if peer]
    rows = [
        [
            f"{run['system']}, {run['variant']}",
            f"{run['spans']:,.0f}",
            f"{run['spans'] / run['taking_s']:,.0f}",
            f"{run['spans'] / run['ack_cpu_s']:,.0f}",
            f"{run['parse_s'] / run['ack_cpu_s']:.3f}",
            f"{run['spans'] / run['taking_cpu_s']:,.0f}",
            f"{run['queryable_s']:.1f}",
            f"{run['spans'] / run['cpu_s']:,.0f}",
            f"{run['table_s'] / run['cpu_s']:.3f}",
            f"{run['spans'] / run['settled_cpu_s']:,.0f}",
            f"{run['peak_mb']:,.0f}",
            f"{run['disk_bytes'] / run['spans']:,.0f}",
            f"{run['slow_ms']:,.0f}",
            f"{run['load']:.1f}",
        ]
        for run in (*ours, *peers)
    ]
    head = (
        "system",
        "spans",
        "acked/s",
        "acked/CPU-s, its path",
        "of parsing alone",
        "acked/CPU-s, whole server",
        "queryable after s",
        "queryable/CPU-s",
        "of ptars alone",
        "with signals/CPU-s",
        "peak MB",
        "disk B/span",
        "p99 request ms",
        "load",
    )
    return table(head, rows) + "\n\n" + table(VERDICTS, _taking_verdicts(ours, mlflow, phoenix))


def _taking_verdicts(ours: Sequence[Tree], mlflow: Tree | None, phoenix: Tree | None) -> list[list[str]]:
    plain = [run for run in ours if run["variant"] == "plain"]
    large = plain[-1]
    acked = large["spans"] / large["ack_cpu_s"]
    asked = large["spans"] / large["cpu_s"]
    rows = [
        verdict("A1 of parsing alone", large["parse_s"] / large["ack_cpu_s"], 0.12, least=True, form="{:.3f}")
    ]
    for packed in (run for run in ours if run["variant"] == "gzip"):
        same = next(run for run in plain if run["spans"] == packed["spans"])
        rows.append(verdict("A1 gzip of plain", same["ack_cpu_s"] / packed["ack_cpu_s"], 0.6, least=True))
    if mlflow:
        rate = mlflow["spans"] / mlflow["ack_cpu_s"]
        rows.append(verdict("A1 times MLflow", acked / rate, 20, least=True, form="{:,.1f}"))
        rate = mlflow["spans"] / mlflow["cpu_s"]
        rows.append(verdict("A2 times MLflow", asked / rate, 15, least=True, form="{:,.1f}"))
        rows.append(
            verdict("A2 peak memory of MLflow's", large["peak_mb"] / mlflow["peak_mb"], 0.5, least=False)
        )
    if phoenix:
        rate = phoenix["spans"] / phoenix["cpu_s"]
        rows.append(verdict("A2 times Phoenix", asked / rate, 80, least=True, form="{:,.1f}"))
    rows.append(
        verdict("A2 of ptars alone", large["table_s"] / large["cpu_s"], 0.10, least=True, form="{:.3f}")
    )
    rows.append(verdict("A2 peak memory, MB", large["peak_mb"], 1200, least=False, form="{:,.0f}"))
    disks = [peer["disk_bytes"] / peer["spans"] for peer in (mlflow, phoenix) if peer]
    if disks:
        share = large["disk_bytes"] / large["spans"] / min(disks)
        rows.append(verdict("A2 disk of the smaller peer", share, 0.35, least=False))
    return rows


def lag(found: Tree) -> str:
    head = ("spans/s sent", "asked for", "p50 s", "p99 s", "most s", "of a core", "peak MB", "statuses")
    row = [
        f"{found['reached']:,.0f}",
        found["seen"],
        *(f"{found[key]:.2f}" for key in ("p50_s", "p99_s", "most_s", "cpu_share")),
        f"{found['peak_mb']:,.0f}",
        found["statuses"],
    ]
    asked = [verdict("A2 p99 from acknowledged to queryable, s", found["p99_s"], 2.0, least=False)]
    asked.append(
        verdict("A2 sent, spans/s", found["reached"], 0.98 * found["rate"], least=True, form="{:,.0f}")
    )
    return table(head, [row]) + "\n\n" + table(VERDICTS, asked)


def crash(kept: Tree, controls: Mapping[str, Tree]) -> str:
    rows = [
        [
            f"assay, {kept['rounds']} kills",
            kept["acknowledged"],
            kept["acknowledged"] - kept["lost"],
            kept["doubled"],
        ],
        *(
            [f"{name}, one kill", told["acknowledged"], told["stored"], "-"]
            for name, told in controls.items()
        ),
    ]
    asked = [
        verdict("A3 acknowledged spans lost", kept["lost"], 0, least=False, form="{:,.0f}"),
        verdict("A3 rows doubled", kept["doubled"], 0, least=False, form="{:,.0f}"),
        verdict("A3 longest start, s", kept["restart_s"], 5, least=False, form="{:.1f}"),
    ]
    head = ("", "acknowledged", "stored after the restart", "doubled")
    return f"{table(head, rows)}\n\n{table(VERDICTS, asked)}\n\nStatuses while killed: {kept['statuses']}"


def queries(answers: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """A4: milliseconds, idle / while ingesting (rows)."""
    names = list(answers)
    rows = [[question, *(_cell(answers[name][question]) for name in names)] for question in QUESTIONS]
    text = table(["question", *names], rows)
    ours, peers = answers.get("assay"), {name: told for name, told in answers.items() if name != "assay"}
    if not ours or not peers:
        return text
    asked = []
    for question in QUESTIONS:
        best = min(told[question][0] for told in peers.values())
        factor = 0.1 if question in PER_DAY else 0.5
        if question in SEARCHES and "Phoenix" in peers:
            best, factor = peers["Phoenix"][question][0], 0.1
        most = min(500.0, factor * best)
        asked.append(verdict(f"A4 {question}, ms", ours[question][0], most, least=False, form="{:,.0f}"))
        twice = 2 * max(ours[question][0], 10.0)
        asked.append(
            verdict(f"A4 {question}, busy, ms", ours[question][1], twice, least=False, form="{:,.0f}")
        )
    return f"{text}\n\n{table(VERDICTS, asked)}"


def _cell(told: Sequence[float]) -> str:
    idle, busy = (f"{ms:,.0f}" if ms < 1e9 else "no answer" for ms in told[:2])
    return f"{idle} / {busy} ({told[2]:.0f})"


def probes(found: Mapping[str, Mapping[str, Tree]]) -> str:
    """A6: what each system did, bold where it was not right."""
    names = list(found)
    rows: list[list[str]] = []
    for probe in next(iter(found.values())):
        cells = [found[name].get(probe, {"text": "", "passed": False}) for name in names]
        rows.append([probe, *(cell["text"] if cell["passed"] else f"**{cell['text']}**" for cell in cells)])
    passed = [f"{sum(o['passed'] for o in found[name].values())} of {len(found[name])}" for name in names]
    return table(["probe", *names], [*rows, ["right", *passed]])
