"""An estimate in words, with no more digits than its interval supports.

Terminal and pages say the same thing the same way.
"""

from __future__ import annotations

from math import ceil, floor, log10

from assay.records import Estimate

NO_VALUE = "no value"
EXACT = "exact"
ALL_JUDGED = "all judged"
UNCORRECTED = ("judge alone", "machine verdict")
"""How the methods begin of numbers that are a machine's word: judging everything makes them no truth."""


def percent(rate: float, digits: int) -> str:
    """93.1 %. A rate that is not quite 0 % or 100 % is never rounded to it: "< 0.1 %", "> 99.9 %"."""
    step = 10.0**-digits
    shown = round(100.0 * rate, digits)
    if shown <= 0.0 < rate:
        return f"< {step:.{digits}f} %"
    if shown >= 100.0 > 100.0 * rate:
        return f"> {100.0 - step:.{digits}f} %"
    return f"{shown:.{digits}f} %"


def supported_digits(estimate: Estimate) -> int:
    """Decimals of a percentage: none for an interval of 5 points or more, one down to half a point,
    two below; a census has one."""
    if estimate.low is None or estimate.high is None:
        return 0
    width = 100.0 * (estimate.high - estimate.low)
    return 1 if width <= 0.0 else min(max(ceil(-log10(width / 5.0)), 0), 2)


def value_text(estimate: Estimate) -> str:
    """93.1 %, or "no value"."""
    return NO_VALUE if estimate.value is None else percent(estimate.value, supported_digits(estimate))


def interval_text(estimate: Estimate) -> str:
    """91.8 to 94.2, rounded outwards; "exact" for a census, "all judged" for one that nobody has corrected;
    empty where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    if estimate.low == estimate.high:
        return ALL_JUDGED if estimate.method.startswith(UNCORRECTED) else EXACT
    digits = supported_digits(estimate)
    scale = 10.0**digits
    # a rounding error of the arithmetic must not cost a whole digit
    low = floor(round(100.0 * estimate.low * scale, 6)) / scale
    high = ceil(round(100.0 * estimate.high * scale, 6)) / scale
    return f"{low:.{digits}f} to {high:.{digits}f}"


def estimate_text(estimate: Estimate) -> str:
    """93.1 % (91.8 to 94.2), or "no value: 14 more labels needed"."""
    if estimate.value is not None:
        return f"{value_text(estimate)} ({interval_text(estimate)})"
    if estimate.labels_needed:
        return f"{NO_VALUE}: {labels_text(estimate.labels_needed)} needed"
    return f"{NO_VALUE}: {estimate.reason}" if estimate.reason else NO_VALUE


def labels_text(count: int) -> str:
    """1 more label, 14 more labels."""
    return "1 more label" if count == 1 else f"{count:,} more labels"


def basis_text(estimate: Estimate) -> str:
    """What the number rests on: "61 labels, 1,200 of 4,800 logs judged"."""
    labels = "1 label" if estimate.n_labelled == 1 else f"{estimate.n_labelled:,} labels"
    parts = [labels] if estimate.n_labelled else []
    if estimate.n_judged or not parts:
        parts.append(f"{estimate.n_judged:,} of {estimate.n_seen:,} logs judged")
    else:
        return f"{labels} of {estimate.n_seen:,} logs"
    return ", ".join(parts)


def describe_estimate(estimate: Estimate) -> tuple[str, ...]:
    """The lines that a terminal prints: the number, its basis, the judge's own word, what is missing."""
    level = f"{100.0 * estimate.level:g} % interval"
    version = f" (version {estimate.metric_version})" if estimate.metric_version else ""
    lines = [f"{estimate.metric}{version}: {estimate_text(estimate)}"]
    if estimate.value is not None:
        lines.append(f"  {level}; {estimate.method}")
    elif estimate.labels_needed and estimate.reason:
        lines.append(f"  {estimate.reason}")
    lines.append(f"  {basis_text(estimate)}")
    if estimate.n_effective is not None:
        lines.append(f"  as precise as {estimate.n_effective:,.0f} labels drawn at random")
    if estimate.raw is not None:
        lines += _judge_lines(estimate.raw)
    if estimate.value is not None and estimate.labels_needed:
        lines.append(f"  {labels_text(estimate.labels_needed)} needed for the width asked for")
    if estimate.value is not None and estimate.reason:
        lines.append(f"  {estimate.reason}")
    if estimate.simulated:
        lines.append("  from simulated scores or labels: not about your application")
    return tuple(lines)


def _judge_lines(raw: Estimate) -> list[str]:
    """The judge's own rate, and what speaks against it."""
    lines = [f"  the judge alone, not corrected: {estimate_text(raw)}"]
    return [*lines, f"  {raw.reason}"] if raw.known and raw.reason else lines
