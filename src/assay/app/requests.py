"""What can be asked of the application, each as one record, the same in process and over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from assay.records import Goal, MetricKind, Unit

Telling = Literal["spans", "records"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A time range: None on a side means as far as there are logs."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpansRequest:
    """Spans, or log records, in the store's own columns, as an Arrow stream (an import)."""

    arrow: bytes
    kind: Telling = "spans"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocateRequest:
    """Which traces these spans are of."""

    span_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """The trace of each span that is known."""

    traces: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleRequest:
    """Compute the facts and signals of every settled conversation; with `even_active` also of those that
    may still go on; those of the traces in `ended` are taken to be over (an import brought them)."""

    even_active: bool = False
    ended: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetainRequest:
    """Remove what is older than `[retention]` keeps; with `dry_run` only say what that is."""

    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetRequest:
    """Delete what is kept of a user, or of a conversation; with `dry_run` only count it."""

    user: str = ""
    conversation: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRequest:
    """Decide on every log of the range, by one policy or by all."""

    policy: str = ""
    range: Span = Span()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What one policy, or all, would draw of a day like those of the range; by default like the last."""

    policy: str = ""
    range: Span = Span()


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedRequest:
    """Give a vector to every log that has none, or to at most `limit` of them."""

    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighboursRequest:
    """The logs nearest in meaning to one."""

    log_id: str
    unit: Unit = "conversation"
    limit: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateRequest:
    """Score what is selected and not yet scored, by these metrics or by all code and judge ones."""

    metrics: tuple[str, ...] = ()
    range: Span = Span()
    retry_failed: bool = False
    budget_usd: float | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A value from outside: a person's label, or a score computed elsewhere."""

    log_id: str
    value: float
    rater: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRequest:
    """Write labels (kind human) or scores from elsewhere (kind judge or code) of one metric.

    `unit` None means the metric's own; conversations, where the metric is new."""

    metric: str
    kind: MetricKind
    marks: tuple[Mark, ...]
    unit: Unit | None = None
    goal: Goal | None = None
    source: str = "import"
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateRequest:
    """One metric's rate over the range and, with `where`, over the logs it holds of."""

    metric: str
    range: Span = Span()
    where: str = ""
    level: float = 0.95
    target_width: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    """The report over the range; without one, over the last 14 days that have logs."""

    range: Span = Span()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsRequest:
    """Logs that a filter holds of, newest first."""

    unit: Unit = "conversation"
    filter: str = ""
    limit: int = 50
    after: str = ""
    range: Span = Span()


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakdownRequest:
    """The logs that a filter holds of, counted by time and by facts."""

    unit: Unit = "conversation"
    filter: str = ""
    range: Span = Span()


@dataclass(frozen=True, slots=True, kw_only=True)
class PickRequest:
    """Put these logs beside those that are drawn for people; with `remove` take them away again."""

    log_ids: tuple[str, ...]
    unit: Unit = "conversation"
    note: str = ""
    remove: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """How many were picked, or given up, that were not before; `unknown` logs are not settled, and
    `waiting` is how many are picked now."""

    changed: int
    unknown: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PicksRequest:
    """What was picked, the first one first."""

    unit: Unit = "conversation"
    limit: int = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FiltersRequest:
    """Every filter that somebody gave a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveFilterRequest:
    """Give a filter a name: `saved.NAME` asks for it. It takes the place of one of the same name."""

    name: str
    filter: str
    unit: Unit = "conversation"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFilterRequest:
    """Forget a saved filter."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TodoRequest:
    """The logs drawn for people that have no label of this metric yet; with `picked` those that
    somebody picked instead."""

    metric: str
    limit: int = 10_000
    picked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TodoItem:
    """One log to label: what a person needs to answer, and nothing a machine said."""

    log_id: str
    unit: Unit
    transcript: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """What is to be labelled, and the question."""

    metric: str
    question: str
    items: tuple[TodoItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """How many rows were written. Of marks: `unknown` logs were left out, and `outside_sample` labels
    are kept but can't carry an estimate, since their logs were not drawn for people."""

    rows: int
    unknown: int = 0
    outside_sample: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemapRequest:
    """Map everything that is there as this program does now; `again` also what is mapped so already."""

    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalsRequest:
    """Every signal, and how often it was raised in the range; without one, in the last seven days that
    have logs."""

    range: Span = Span()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRequest:
    """Compute these signals again, or all, for the logs of the range."""

    names: tuple[str, ...] = ()
    range: Span = Span()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRequest:
    """Write a copy of the project to this absolute path, on the machine that has it open."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamineRequest:
    """Look at the stores from inside. `asked_at` is the caller's clock; `trace_id` is that of a test
    span that was sent to the receiver: it is looked for, and removed."""

    asked_at: datetime | None = None
    trace_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """Rows of one kind, over the range and, with a filter, those of the logs that it holds of; with
    `log_ids` those of these logs."""

    kind: str
    unit: Unit = "conversation"
    filter: str = ""
    range: Span = Span()
    log_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PoliciesRequest:
    """Every policy: those of assay.toml and the saved ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavePolicyRequest:
    """Keep a policy under this name; `settings` are what a `[policies.NAME]` table would say."""

    name: str
    settings: dict[str, Any]
    replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovePolicyRequest:
    """Forget a saved policy. What it has decided stays."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrioritiesRequest:
    """The rules of priority, and how many logs of the range each level has."""

    unit: Unit = "conversation"
    range: Span = Span()
