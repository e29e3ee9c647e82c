"""Which logs are likely to fail: learned from what was judged before, from the first day on a guess.

A wrong model costs width and misses failures; it never biases an estimate, because whatever it says
becomes a recorded probability. It learns only from logs begun before the day that it serves.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.records import MetricInfo, Severity, Window
from assay.stats.logistic import (
    Line,
    Logistic,
    Prior,
    Rows,
    chances,
    cross_fit,
    fit_logistic,
    log_loss,
    recalibrate,
)
from assay.stats.wilson import CodeArray, FloatArray
from assay.store.state.connection import State
from assay.store.state.risk import RiskModel, find_risk, keep_risk
from assay.store.telemetry.connection import Telemetry
from assay.store.telemetry.features import FACTS, SPOKEN, WIDTH, read_outcomes

WORTH: Final[Mapping[Severity, float]] = {"info": 0.0, "low": 0.3, "medium": 1.0, "high": 2.0}
"""Before anything is known: by how much a signal raises the log-odds of failing."""

COMMON_CHANCE: Final = 0.05
"""Before anything is known: the chance that a log without signals fails."""

LEARNED_FROM: Final = timedelta(days=28)
ROWS_MOST: Final = 20_000
ROWS_LEAST: Final = 50
OUTCOMES_LEAST: Final = 5
"""With fewer rows, or rows of one outcome, the prior's strength is not chosen but the greatest."""

CHOSEN_FROM: Final = 5_000
"""So many rows tell which strength is best, and how far its chances are off."""

STRENGTHS: Final = (10.0, 3.0, 1.0, 0.3)
FOLDS: Final = 5
SEEN_LEAST: Final = 2
"""A word or name of fewer rows tells nothing of the next."""

CLIPPED: Final = 4.0
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Block(NamedTuple):
    """Some entries of the matrix: in which rows and columns, and what they are."""

    row: CodeArray
    column: CodeArray
    value: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class LogisticRisk:
    """What foretells a metric's failures. `chances` reads the columns that `FEATURES` makes.

    `words` weighs each place of a hashed word or name, `signals` each signal, `facts` each number:
    its middle, its spread, its weight and what it is worth not to know it.
    """

    version: str
    known_until: datetime
    intercept: float
    words: FloatArray
    signals: Mapping[str, float]
    facts: FloatArray

    def chances(self, features: pa.Table) -> FloatArray:
        """Of each row, the chance that the log fails, in (0, 1)."""
        layout = _Layout(tuple(self.signals), np.ones(WIDTH), self.facts[:, 0], self.facts[:, 1])
        weights = np.concatenate(
            [self.words, [self.signals[name] for name in self.signals], self.facts[:, 2], self.facts[:, 3]]
        )
        numbers = WIDTH + len(self.signals)
        eta = self.intercept + layout.facts(features) @ weights[numbers:]
        for block in layout.blocks(features):
            terms = block.value * weights[block.column]
            eta += np.bincount(block.row, weights=terms, minlength=features.num_rows)
        return chances(eta)


class _Layout(NamedTuple):
    """Which column of the matrix is what: places of words and names, signals, facts, facts not known."""

    signals: tuple[str, ...]
    scale: FloatArray
    middle: FloatArray
    spread: FloatArray

    @property
    def width(self) -> int:
        return WIDTH + len(self.signals) + 2 * len(FACTS)

    def blocks(self, features: pa.Table) -> Iterator[_Block]:
        """The words, names and signals of rows as entries of the matrix."""
        for name in ("x_asked", "x_answered", "x_named"):
            row, column, length = _lists(features, name)
            place = column.astype(np.intp)
            even = np.ones(place.size) if name == "x_named" else 1.0 / np.sqrt(length[row])
            yield _Block(row, place, self.scale[place] * even)
        length = pc.list_value_length(features["x_signals"]).to_numpy().astype(np.intp)
        row = np.repeat(np.arange(length.size), length)
        raised = pc.list_flatten(features["x_signals"]).cast(pa.string())
        found = pc.index_in(raised, value_set=pa.array(self.signals, pa.string()))
        place = found.fill_null(-1).to_numpy().astype(np.intp)
        kept = place >= 0
        yield _Block(row[kept], WIDTH + place[kept], np.ones(int(kept.sum())))

    def facts(self, features: pa.Table) -> FloatArray:
        """Each row's numbers in spreads from the middle, then which of them are not known."""
        facts = fact_matrix(features)
        unknown = np.isnan(facts)
        per_spread = np.divide(1.0, self.spread, out=np.zeros(len(FACTS)), where=self.spread > 0)
        z = np.clip((facts - self.middle) * per_spread, -CLIPPED, CLIPPED)
        z[unknown] = 0.0
        return np.concatenate([z, unknown.astype(np.float64)], axis=1)

    def rows(self, features: pa.Table) -> Rows:
        from scipy.sparse import coo_array

        facts = self.facts(features)
        row, place = np.nonzero(facts)
        numbers = _Block(row, WIDTH + len(self.signals) + place, facts[row, place])
        blocks = [*self.blocks(features), numbers]
        row, column, value = (np.concatenate(part) for part in zip(*blocks, strict=True))
        some = value != 0
        shape = (features.num_rows, self.width)
        made = coo_array((value[some], (row[some], column[some])), shape=shape).tocsr()
        return Rows(made.indptr.astype(np.intp), made.indices.astype(np.intp), made.data, self.width)


def fact_matrix(features: pa.Table) -> FloatArray:
    """The numbers of each row, in the order of `FACTS`; NaN where one is not known, or has no end."""
    flat: FloatArray = pc.list_flatten(features["x_facts"]).cast(pa.float64()).to_numpy()
    return np.where(np.isfinite(flat), flat, np.nan).reshape(features.num_rows, len(FACTS))


def _lists(features: pa.Table, name: str) -> tuple[CodeArray, np.ndarray[Any, Any], FloatArray]:
    """Of a column of lists: each element's row, the elements, and each row's length."""
    length = pc.list_value_length(features[name]).to_numpy().astype(np.intp)
    row = np.repeat(np.arange(length.size), length)
    return row, pc.list_flatten(features[name]).to_numpy(), length.astype(np.float64)


def prior_risk(severities: Mapping[str, Severity]) -> Mapping[str, Any]:
    """The definition of what is believed before anything was judged: severe signals mean failures."""
    facts = np.tile([0.0, 0.0, 0.0, 0.0], (len(FACTS), 1))
    weights = {name: WORTH[severity] for name, severity in severities.items()}
    return _definition(_logit(COMMON_CHANCE), np.zeros(WIDTH), weights, facts, {"rows": 0})


def fit_risk(outcomes: pa.Table, severities: Mapping[str, Severity]) -> Mapping[str, Any]:
    """The definition learned from logs on which something was said (see `read_outcomes`).

    Ridge logistic regression around `prior_risk`; its strength is the one that foretells best what it was
    not fitted on, conversations held together, and the chances are recalibrated on the same.
    """
    failed: FloatArray = outcomes["failed"].to_numpy()
    if failed.size == 0:
        return prior_risk(severities)
    facts = fact_matrix(outcomes)
    middle, spread = _middle(facts), _spread(facts)
    layout = _Layout(tuple(sorted(severities)), _scale(outcomes), middle, spread)
    rows = layout.rows(outcomes)
    priors = [_prior(layout, severities, strength) for strength in STRENGTHS]
    some = _some(outcomes)
    known, failures = failed[some], int(failed[some].sum())
    best, line, found = 0, Line(1.0, 0.0), {}
    if known.size >= ROWS_LEAST and min(failures, known.size - failures) >= OUTCOMES_LEAST:
        fold: CodeArray = (outcomes["group"].to_numpy()[some] % FOLDS).astype(np.intp)
        across = cross_fit(rows.take(some), known, priors, fold)
        best, line = across.best, recalibrate(across.eta, known)
        blind = np.full(known.size, _logit(float(known.mean())))
        found = {"loss": across.loss, "loss_blind": log_loss(blind, known)}
    fit = fit_logistic(rows, failed, priors[best])
    note = {"rows": failed.size, "failures": int(failed.sum()), "strength": STRENGTHS[best], **found}
    return _from_fit(fit, line, layout, note)


def _some(outcomes: pa.Table) -> CodeArray:
    """The rows from which the strength is chosen: conversations by their hash, so of all days alike."""
    order = np.argsort(outcomes["group"].to_numpy(), kind="stable")
    return np.sort(order[:CHOSEN_FROM]).astype(np.intp)


def _from_fit(fit: Logistic, line: Line, layout: _Layout, note: Mapping[str, Any]) -> Mapping[str, Any]:
    weights = fit.weights * line.slope
    raised, numbers = weights[WIDTH:][: len(layout.signals)], weights[WIDTH + len(layout.signals) :]
    facts = np.stack([layout.middle, layout.spread, numbers[: len(FACTS)], numbers[len(FACTS) :]], axis=1)
    signals = dict(zip(layout.signals, raised.tolist(), strict=True))
    intercept = line.intercept + line.slope * fit.intercept
    return _definition(intercept, weights[:WIDTH] * layout.scale, signals, facts, note)


def _definition(
    intercept: float,
    words: FloatArray,
    signals: Mapping[str, float],
    facts: FloatArray,
    note: Mapping[str, Any],
) -> Mapping[str, Any]:
    packed = base64.b64encode(zlib.compress(words.astype("<f2").tobytes(), 9)).decode()
    numbers = dict(zip(FACTS, facts.tolist(), strict=True))
    return {
        "kind": "logistic",
        "intercept": intercept,
        "signals": dict(signals),
        "facts": numbers,
        "words": packed,
        **note,
    }


def read_risk(version: str, known_until: datetime, definition: Mapping[str, Any]) -> LogisticRisk:
    """What a definition says, ready to be asked."""
    words = np.frombuffer(zlib.decompress(base64.b64decode(definition["words"])), dtype="<f2")
    unknown = [0.0, 0.0, 0.0, 0.0]
    return LogisticRisk(
        version=version,
        known_until=known_until,
        intercept=float(definition["intercept"]),
        words=words.astype(np.float64),
        signals={str(name): float(weight) for name, weight in definition["signals"].items()},
        facts=np.array([definition["facts"].get(name, unknown) for name in FACTS], dtype=np.float64),
    )


def load(state: State, project: str, metric: str, day: date, version: str = "") -> LogisticRisk | None:
    """That version of the metric's model; without one the newest that knows of no log of the `day`
    or later. None where nothing was kept yet: `ready` makes one."""
    until = None if version else Window.of_day(day).start
    found = find_risk(state, project, metric, until=until, version=version)
    return None if found is None else read_risk(found.version, found.known_until, found.definition)


def ready(
    telemetry: Telemetry,
    state: State,
    project: str,
    info: MetricInfo,
    severities: Mapping[str, Severity],
    day: date,
    now: datetime,
    *,
    keep: bool = True,
) -> LogisticRisk:
    """The model for that day: as it was kept, or fitted now from what was said of earlier logs, and kept
    (unless only a plan is to know it: what comes to be said until the day is decided still counts).

    Where nothing was said of the 28 days before, the newest older model, or the prior."""
    before = Window.of_day(day).start
    known = find_risk(state, project, info.name, until=before)
    if known is None or known.known_until != before:
        outcomes = read_outcomes(telemetry, info, since=before - LEARNED_FROM, before=before, limit=ROWS_MOST)
        if outcomes.num_rows:
            known = _model(info.name, fit_risk(outcomes, severities), before, now)
        elif known is None:
            known = _model(info.name, prior_risk(severities), EPOCH, now)
        else:
            keep = False
        if keep:
            keep_risk(state, project, known)
    return read_risk(known.version, known.known_until, known.definition)


def _model(metric: str, definition: Mapping[str, Any], known_until: datetime, now: datetime) -> RiskModel:
    text = json.dumps([definition, known_until.isoformat()], sort_keys=True, ensure_ascii=True)
    version = sha256(text.encode()).hexdigest()[:12]
    return RiskModel(
        metric=metric,
        version=version if definition["rows"] else f"prior-{version[:8]}",
        fitted_at=now,
        known_until=known_until,
        definition=definition,
    )


def _prior(layout: _Layout, severities: Mapping[str, Severity], strength: float) -> Prior:
    raised = np.array([WORTH[severities[name]] for name in layout.signals], dtype=np.float64)
    centre = np.concatenate([np.zeros(WIDTH), raised, np.zeros(2 * len(FACTS))])
    ridge = np.full(centre.size, strength)
    ridge[WIDTH:][: len(layout.signals)] = 1.0
    return Prior(centre, ridge, _logit(COMMON_CHANCE), 0.5)


def _scale(features: pa.Table) -> FloatArray:
    """What a word counts: the rarer the more, but nothing where hardly any row has it."""
    seen = np.zeros(WIDTH)
    for name in ("x_asked", "x_answered", "x_named"):
        _, place, _ = _lists(features, name)
        seen += np.bincount(place.astype(np.intp), minlength=WIDTH)
    scale = np.log1p(features.num_rows / (1.0 + seen))
    scale[2 * SPOKEN :] = 1.0
    scale[seen < SEEN_LEAST] = 0.0
    return scale


def _middle(facts: FloatArray) -> FloatArray:
    known = ~np.isnan(facts)
    middle: FloatArray = np.where(known, facts, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return middle


def _spread(facts: FloatArray) -> FloatArray:
    known = ~np.isnan(facts)
    off = np.where(known, facts - _middle(facts), 0.0)
    spread: FloatArray = np.sqrt((off**2).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
    spread[spread <= 1e-9] = 0.0
    return spread


def _logit(chance: float) -> float:
    kept = min(max(chance, 1e-4), 1 - 1e-4)
    return float(np.log(kept / (1 - kept)))
