"""What signals tell: how often each is raised where things went wrong, and how well each knows its own.

    python -m bench.signals FOLDER [--write docs/explain/signals.md] [--data ../shared/data]

Brings every labelled set in by `assay import` (`bench.sets`), settles it, and joins signals and labels. With
`--write` the tables stand in that page between their marks; without, they are printed."""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from bench.own_sets import OWN, read_own
from bench.sets import DATA, DEMO, labelled_sets, prepare
from scipy.stats import norm

from assay.records import Signal
from assay.signals import Thresholds, catalogue

FEWEST = 10
"""Raised on fewer logs than this, a signal tells nothing of a set."""

Z = float(norm.ppf(0.975))


class Cell(NamedTuple):
    """A signal on a set: `groups` counts what is independent among the logs that raised it."""

    logs: int
    failed: int
    raised: int
    both: int
    groups: int

    @property
    def base(self) -> float:
        return self.failed / self.logs

    @property
    def rate(self) -> float:
        return self.both / self.raised


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", type=Path, help="the page that has the tables between marks")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", default="", help="these sets, separated by commas")
    given = parser.parse_args()
    names = given.only.split(",") if given.only else [DEMO, *labelled_sets(given.data)]
    found = {name: read_cells(given.folder, name, given.data) for name in names}
    tables = {
        "sets": sets_table(found),
        "summary": summary_table(found),
        "lift": lift_table(found),
        "precision": precision_table(given.folder, given.data),
    }
    if given.write:
        write(given.write, tables)
    else:
        print("\n\n".join(f"{name}\n\n{table}" for name, table in tables.items()))


def write(page: Path, tables: dict[str, str]) -> None:
    """Put each table between its marks, `<!-- NAME -->` and `<!-- /NAME -->`."""
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text, count = pattern.subn(lambda match: f"{match[1]}\n{table}\n\n{match[2]}", text)  # noqa: B023
        if count != 1:
            raise SystemExit(f"{page} has no place for {name}")
    page.write_text(text, encoding="utf-8")


def read_cells(folder: Path, name: str, data: Path) -> dict[str, Cell]:
    """Each signal on the set; "" stands for all its logs."""
    table = prepare(folder, name, data)
    failed = np.asarray(table["failed"].to_pylist(), dtype=float)
    groups = np.asarray(table["group"].to_pylist())
    carried: list[Any] = table["x_signals"].to_pylist()
    rows: dict[str, list[int]] = defaultdict(list)
    for row, signals in enumerate(carried):
        for signal in signals:
            rows[signal].append(row)
    rows[""] = list(range(len(carried)))
    return {
        signal: Cell(
            logs=len(carried),
            failed=int(failed.sum()),
            raised=len(some),
            both=int(failed[some].sum()),
            groups=len(set(groups[some].tolist())),
        )
        for signal, some in rows.items()
    }


def sets_table(found: dict[str, dict[str, Cell]]) -> str:
    lines = ["| set | logs | failed | signals raised on 10 logs or more |", "|---|---:|---:|---:|"]
    for name, cells in found.items():
        every = cells[""]
        told = sum(_tells(cells, signal) for signal in catalogue(Thresholds()))
        lines.append(f"| {name} | {every.logs:,} | {every.base:.1%} | {told} |")
    return "\n".join(lines)


def summary_table(found: dict[str, dict[str, Cell]]) -> str:
    """A line a signal: its prevalence and lift on the demo, and over the real sets together."""
    lines = [
        "| signal | severity | raised, demo | lift, demo | sets | raised, sets | ratio, sets |",
        "|---|---|---:|---|---:|---:|---|",
    ]
    for signal in catalogue(Thresholds()):
        real = [cells[signal.name] for name, cells in found.items() if name != DEMO and _tells(cells, signal)]
        demo = found.get(DEMO, {}).get(signal.name)
        if not real and demo is None:
            continue
        shares = [cell.raised / cell.logs for cell in real]
        span = (
            f"{min(shares):.1%} to {max(shares):.1%}"
            if len(shares) > 1
            else "".join(f"{s:.1%}" for s in shares)
        )
        shown = "" if demo is None else f"{demo.raised / demo.logs:.1%}"
        lift = "" if demo is None or demo.raised < FEWEST else lift_text(demo)
        lines.append(
            f"| `{signal.name}` | {signal.severity} | {shown} | {lift} | {len(real) or ''} | {span} "
            f"| {ratio_text(real)} |"
        )
    never = [
        signal.name
        for signal in catalogue(Thresholds())
        if not any(_tells(cells, signal) for cells in found.values())
    ]
    told = ", ".join(f"`{name}`" for name in never)
    return "\n".join(lines) + f"\n\nRaised on fewer than {FEWEST} logs of every set: {told}."


def _tells(cells: dict[str, Cell], signal: Signal) -> bool:
    """Raised on enough logs of the set, and not on all of them: then what it listens to is not recorded."""
    cell = cells.get(signal.name)
    return cell is not None and FEWEST <= cell.raised < cell.logs


def lift_table(found: dict[str, dict[str, Cell]]) -> str:
    """A line a signal and set, for every set on which it tells anything."""
    lines = ["| signal | set | raised | failed, where raised | lift |", "|---|---|---:|---:|---|"]
    for signal in catalogue(Thresholds()):
        for name, cells in found.items():
            if _tells(cells, signal):
                cell = cells[signal.name]
                lines.append(
                    f"| `{signal.name}` | {name} | {cell.raised:,} ({cell.raised / cell.logs:.1%}) "
                    f"| {cell.rate:.1%} | {lift_text(cell)} |"
                )
    return "\n".join(lines)


def lift_text(cell: Cell) -> str:
    """The failure rate where it is raised, over that of all, with Wilson's interval for the former: n is the
    number of groups, so that ten answers to one question count as one."""
    low, high = wilson(cell.rate, cell.groups)
    return f"{cell.rate / cell.base:.2f} ({low / cell.base:.2f} to {high / cell.base:.2f})"


def wilson(rate: float, n: float) -> tuple[float, float]:
    """Wilson's score interval."""
    centre = (rate + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * np.sqrt(rate * (1 - rate) / n + Z * Z / (4 * n * n))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def ratio_text(cells: Sequence[Cell]) -> str:
    """The risk ratio of raised against not raised within each set, put together by Mantel and Haenszel, with
    the interval of Greenland and Robins."""
    top = bottom = spread = 0.0
    for cell in cells:
        a, n1 = cell.both, cell.raised
        c, n0 = cell.failed - cell.both, cell.logs - cell.raised
        top += a * n0 / cell.logs
        bottom += c * n1 / cell.logs
        spread += (cell.failed * n1 * n0 - a * c * cell.logs) / cell.logs**2
    if not top or not bottom:
        return ""
    ratio, error = top / bottom, np.sqrt(spread / (top * bottom))
    return f"{ratio:.2f} ({ratio * np.exp(-Z * error):.2f} to {ratio * np.exp(Z * error):.2f})"


# --- how well a signal knows what it is for ---------------------------------------------------


class Known(NamedTuple):
    """What a signal should find on a set, and what it should leave alone."""

    signal: str
    of: str
    found: Sequence[bool]
    """Of the logs it should be raised on, whether it is."""
    false: Sequence[bool]
    """Of the others, whether it is."""


def precision_table(folder: Path, data: Path) -> str:
    lines = [
        "| signal | what it should find, and among what | recall | raised on the others | precision there |",
        "|---|---|---|---|---|",
    ]
    for known in knowledge(folder, data):
        hits, false = sum(known.found), sum(known.false)
        lines.append(
            f"| {known.signal} | {known.of} | {share_text(hits, len(known.found))} "
            f"| {share_text(false, len(known.false))} | {share_text(hits, hits + false)} |"
        )
    return "\n".join(lines)


def share_text(some: int, of: int) -> str:
    if not of:
        return ""
    low, high = wilson(some / of, of)
    return f"{some / of:.1%} of {of:,} ({low:.1%} to {high:.1%})"


def knowledge(folder: Path, data: Path) -> Iterable[Known]:
    yield from _labelled(folder, data)
    for name in OWN:
        rows = read_own(folder, name, data)
        for signal, of, column, is_raised in _QUESTIONS[name]:
            yield Known(
                signal,
                of,
                [is_raised(row) for row in rows if row[column] is True],
                [is_raised(row) for row in rows if row[column] is False],
            )


def _labelled(folder: Path, data: Path) -> Iterable[Known]:
    """What sets know beside their label."""
    for name, signal, of, truth in (
        ("xstest", "refusal", "xstest: refusals among answers of five models", _refuses),
        ("pyrit_scorers", "refusal", "pyrit: refusals among its refusal task's answers", _refuses_pyrit),
        ("guard_prompts", "injection", "guard_prompts: attacks among real and hard benign requests", _is_bad),
        ("toxic_chat", "injection", "toxic_chat: jailbreaks among real users' requests", _breaks_out),
    ):
        table = prepare(folder, name, data)
        carried: Any = zip(table["log_id"].to_pylist(), table["x_signals"].to_pylist(), strict=True)
        raised = {log_id: signal in signals for log_id, signals in carried}
        rows = pq.read_table(data / name / f"{name}.parquet").to_pylist()
        rows = [row for row in rows if row["id"] in raised]
        yield Known(
            f"`{signal}`",
            of,
            [raised[row["id"]] for row in rows if truth(row) is True],
            [raised[row["id"]] for row in rows if truth(row) is False],
        )


def _refuses(row: dict[str, Any]) -> bool | None:
    return {"refuse": True, "comply": False}.get(row["human_response_type"])


def _refuses_pyrit(row: dict[str, Any]) -> bool | None:
    return bool(row["label"]) if row["task"] == "refusal" else None


def _is_bad(row: dict[str, Any]) -> bool | None:
    return None if row["label"] is None else bool(row["label"])


def _breaks_out(row: dict[str, Any]) -> bool | None:
    return bool(row["label_jailbreak"])


def _has(signal: str) -> Callable[[dict[str, Any]], bool]:
    return lambda row: signal in row["signals"]


_QUESTIONS: dict[str, list[tuple[str, str, str, Callable[[dict[str, Any]], bool]]]] = {
    "scope": [
        (
            "`out_of_scope`",
            "clinc150: requests out of scope among others in scope, half of which are the reference",
            "outside",
            _has("out_of_scope"),
        )
    ],
    "personal": [
        (
            "`personal_data`",
            "pii_presidio as answers: e-mail, phone, card, IBAN among sentences without",
            "personal",
            _has("personal_data"),
        )
    ],
    "languages": [
        (
            "`language` is `es`",
            "tau2: users' turns in Spanish among turns in English",
            "asked_spanish",
            lambda row: row["language"] == "es",
        ),
        (
            "`language` is `en`",
            "tau2: users' turns in English among turns in Spanish",
            "asked_english",
            lambda row: row["language"] == "en",
        ),
        (
            "`other_language`",
            "tau2's turns, joined anew: an answer in the other language among answers in the same",
            "crossed",
            _has("other_language"),
        ),
    ],
}


if __name__ == "__main__":
    main()
