"""A project of canned answers: what the web room needs to be shown, and to be attacked with."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
from tests.web.arrivals import STATUS
from tests.web.desk import FakeDesk
from tests.web.door import FakeDoor
from tests.web.talking import FakeTalk

from assay.app.requests import ExportRequest, SavePolicyRequest
from assay.errors import CallerError, FilterError, StoreError, UnknownName
from assay.query.complete import Completion, Known, complete
from assay.records import (
    Accounting,
    DayEstimate,
    Estimate,
    Evaluation,
    FocusRow,
    Heard,
    IngestStatus,
    MetricInfo,
    MetricReport,
    PolicyAccounting,
    PolicyBooks,
    PolicyInfo,
    Progress,
    Report,
    Selection,
    ToolCall,
    Totals,
    Turn,
    Unit,
    Window,
)
from assay.records.page import (
    ConversationPage,
    HourAccounting,
    HourPolicy,
    LogPage,
    LogRow,
    OpenPage,
    ScoreRow,
    Series,
    SeriesPoint,
    Step,
    Summed,
    TurnRow,
)
from assay.store.telemetry.export import Exported

START = datetime(2025, 11, 7, tzinfo=UTC)
WINDOW = Window(start=START, end=START + timedelta(days=14))
MADE_AT = datetime(2025, 11, 20, 22, 30, tzinfo=UTC)
SCRIPT = "<script>document.title='owned'</script>"
CLOSING = "</script></textarea></style><img src=x onerror=\"document.title='owned'\">"
BIDI = "pay \u202eevil\u202c now \u2066x\u2069"
CONTROL = "bell\x07 null\x00 escape\x1b[31m tag\U000e0041"
HOSTILE_ID = "../a/b?c#d<script>\"'"
TOKEN = "correct-token"
BY_VERDICT = "labels by the judge's verdict (post-stratified, MOVER-Jeffreys interval)"
JUDGE = "judge alone (inverse probability, Wilson-t interval)"
CHECK = "code check (inverse probability, Wilson-t interval)"
NO_METHOD = "none"


def estimate(
    value: float | None,
    half: float = 0.03,
    *,
    metric: str = "resolved",
    raw: float | None = None,
    seen: int = 12_430,
    judged: int = 1_204,
    labelled: int = 180,
    simulated: bool = True,
    version: str = "3f9a1c",
    reason: str = "",
    labels_needed: int = 0,
    method: str = BY_VERDICT,
) -> Estimate:
    """An estimate with a symmetric interval, or without a value."""
    uncorrected = None
    if raw is not None:
        uncorrected = replace(
            estimate(raw, 0.008, metric=metric, seen=seen, judged=judged, labelled=0), method=JUDGE
        )
    return Estimate(
        metric=metric,
        value=value,
        low=None if value is None else max(0.0, value - half),
        high=None if value is None else min(1.0, value + half),
        level=0.95,
        method=NO_METHOD if value is None else method,
        n_seen=seen,
        n_judged=judged,
        n_labelled=labelled,
        n_effective=None if value is None else 412.0,
        reason=reason,
        labels_needed=labels_needed,
        simulated=simulated,
        metric_version=version,
        raw=uncorrected,
    )


def trend() -> tuple[DayEstimate, ...]:
    """Two weeks with a change of version and a day without a value."""
    values = [0.91, 0.905, 0.9, 0.912, 0.92, 0.915, 0.9, 0.88, 0.87, None, 0.85, 0.84, 0.86, 0.852]
    days = []
    for offset, value in enumerate(values):
        version = "3f9a1c" if offset < 7 else "77be02"
        raw = None if value is None else min(1.0, value + 0.055)
        reason = "" if value is not None else "nothing was judged on this day"
        entry = estimate(
            value, 0.045, raw=raw, version=version, reason=reason, seen=880 + offset, judged=86, labelled=13
        )
        days.append(DayEstimate(day=date(2025, 11, 7) + timedelta(days=offset), estimate=entry))
    return tuple(days)


def focus_row(
    name: str, rate: float | None, *, distinct: bool, logs: int, share: float, **more: Any
) -> FocusRow:
    """One group; `rate` None where too little of it was judged."""
    failure = estimate(rate, 0.06, judged=logs // 10, reason="" if rate else "only 4 of them are judged")
    fields: dict[str, Any] = {
        "kind": "signal",
        "filter": f"signal.{name}",
        "failing_filter": f"signal.{name} and score.resolved < 0.5",
        "meaning": "",
        "failing": 0 if rate is None else round(logs * rate / 10),
        "share_of_failures": None if rate is None else min(1.0, rate * share / 0.13),
    }
    return FocusRow(
        name=name,
        logs=logs,
        share=share,
        judged=logs // 10,
        failure=failure,
        rest=estimate(0.1, 0.01),
        distinct=distinct,
        **(fields | more),
    )


FOCUS = (
    focus_row(
        "asks_for_human", 0.62, distinct=True, logs=410, share=0.033, meaning="The user asks for a person"
    ),
    focus_row(
        "refusal", 0.44, distinct=True, logs=655, share=0.053, meaning="The assistant declines to help"
    ),
    focus_row(
        'attr["topic"] = "billing"',
        0.21,
        distinct=True,
        logs=2104,
        share=0.169,
        kind="slice",
        filter='attr["topic"] = "billing"',
        failing_filter='attr["topic"] = "billing" and score.resolved < 0.5',
    ),
    focus_row("tool_error", 0.15, distinct=False, logs=388, share=0.031, meaning="A tool call failed"),
    focus_row(f"topic {SCRIPT}{BIDI}", 0.12, distinct=False, logs=97, share=0.008, kind="slice"),
    focus_row("slow", None, distinct=False, logs=41, share=0.003, meaning="An answer took over 30 s"),
)


def books(metric: str, **fates: int) -> Accounting:
    """Balanced books unless told otherwise."""
    fields = {"filtered": 0, "over_budget": 0, "failed": 11, "skipped": 0, "pending": 0, "scored": 1_204}
    fields |= {"not_sampled": 11_215, "seen": 12_430} | fates
    return Accounting(metric=metric, metric_version="3f9a1c", **fields)


INFO = MetricInfo(
    name="resolved",
    version="3f9a1c",
    kind="judge",
    unit="conversation",
    target="The user leaves without what they came for",
    simulated=True,
)


def metric_reports() -> tuple[MetricReport, ...]:
    """A judge with labels, a check, a judge without labels, a question for people."""
    days = trend()
    headline = MetricReport(
        info=INFO,
        overall=estimate(0.874, 0.024, raw=0.931),
        latest=days[-1],
        trend=days,
        focus=FOCUS,
        accounting=books("resolved"),
        cost_usd=3.1204,
    )
    check = MetricReport(
        info=replace(INFO, name="valid_json", kind="code", unit="interaction", simulated=False, target=""),
        overall=estimate(
            0.9991,
            0.0005,
            metric="valid_json",
            seen=30_200,
            judged=30_200,
            labelled=0,
            simulated=False,
            method=CHECK,
        ),
        latest=None,
        trend=(),
        focus=(),
        accounting=books("valid_json", seen=30_200, not_sampled=0, scored=30_189),
        cost_usd=0.0,
    )
    missing = estimate(
        None,
        metric="tone",
        labelled=6,
        reason="6 human labels are too few to correct the judge",
        labels_needed=44,
    )
    tone = MetricReport(
        info=replace(INFO, name="tone", target="The assistant is curt"),
        overall=missing,
        latest=None,
        trend=(),
        focus=(),
        accounting=books("tone", seen=12_430, scored=1_200),
        cost_usd=0.0021,
    )
    return headline, check, tone


REPORT = Report(
    project="support-assistant",
    window=WINDOW,
    made_at=MADE_AT,
    totals=Totals(
        interactions=30_200,
        conversations=12_430,
        judged=1_204,
        labelled=180,
        cost_usd=3.1225,
        first=START + timedelta(minutes=3),
        last=MADE_AT,
    ),
    metrics=metric_reports(),
    notes=("212 conversations are still open and are not counted yet.",),
)
EMPTY = replace(
    REPORT,
    metrics=(),
    notes=(),
    totals=Totals(
        interactions=0, conversations=0, judged=0, labelled=0, cost_usd=0.0, first=None, last=None
    ),
)  # fmt: skip


def score(metric: str, value: float | None, **more: Any) -> ScoreRow:
    """A score of the conversation."""
    fields: dict[str, Any] = {
        "metric_version": "3f9a1c",
        "kind": "judge",
        "unit": "conversation",
        "log_id": HOSTILE_ID,
        "fate": "scored",
        "failing": None if value is None else value < 0.5,
        "scored_at": MADE_AT,
    }
    return ScoreRow(metric=metric, value=value, **(fields | more))


def row(conversation_id: str, text: str, answer: str, **more: Any) -> LogRow:
    """A conversation's facts."""
    fields: dict[str, Any] = {
        "log_id": conversation_id,
        "started": START + timedelta(days=13, hours=14, minutes=3, seconds=21),
        "ended": START + timedelta(days=13, hours=14, minutes=9),
        "turns": 3,
        "latency_ms": 4_210.0,
        "model": "gpt-5-mini",
        "service": "support",
        "cost_usd": 0.0041,
        "input_tokens": 5_301,
        "output_tokens": 812,
    }
    return LogRow(
        unit=more.pop("unit", "conversation"),
        conversation_id=conversation_id,
        input=text,
        output=answer,
        **(fields | more),
    )


ROWS = (
    row(
        HOSTILE_ID,
        f"Where is my refund? {SCRIPT} {BIDI} {CONTROL}",
        f"I can't help with that. {CLOSING}",
        signals=("refusal", "asks_for_human"),
        errors=1,
        tool_calls=1,
        tool_errors=1,
        feedback=0.0,
        attributes={"topic": f"billing{SCRIPT}", "plan": "pro"},
        scores=(score("resolved", 0.0, simulated=True), score("resolved", 0.0, kind="human", rater="ana")),
    ),
    row(
        "c-2",
        "How do I change the address of an order that has already shipped? " * 6,
        "Go to orders.",
        turns=12,
    ),
    row("c-3", "", "", signals=("empty",), scores=(score("tone", None, fate="failed", reason="parse"),)),
    row("c-4", "w" * 400, "مرحبا، كيف يمكنني مساعدتك؟", scores=(score("resolved", 1.0), score("tone", 0.75))),
)


def conversation_page() -> ConversationPage:
    """Everything hostile at once, and a turn of a megabyte."""
    long = "The policy says so. " * 52_429
    turns = []
    for number, (asked, answered) in enumerate(
        [(ROWS[0].input, ROWS[0].output), ("I want to talk to a person!", long), ("Hello?", "")]
    ):
        started = ROWS[0].started + timedelta(minutes=number)
        turn = Turn(
            interaction_id=f"{number:032x}",
            started=started,
            ended=started + timedelta(seconds=3),
            input=asked,
            output=answered,
            tool_calls=(
                ToolCall(name="find_order", arguments='{"id": 7}', result=f'{{"html": "{CLOSING}"}}'),
                ToolCall(name="refund", arguments="{}", result="503", error=True),
            )
            if number == 0
            else (),
            context=(f"Refunds take 5 days. {SCRIPT}",) if number == 0 else (),
            error="TimeoutError: no answer from the model" if number == 2 else "",
            evaluations=(Evaluation(name="tone", value=0.75, explanation=SCRIPT, source="llm"),)
            if number == 0
            else (),
        )
        facts = row(HOSTILE_ID, asked, answered, unit="interaction", log_id=turn.interaction_id, turns=1)
        raised = ("refusal", "asks_for_human", "error") if number == 0 else ()
        turns.append(TurnRow(turn=turn, facts=replace(facts, signals=raised)))
    return ConversationPage(
        conversation_id=HOSTILE_ID,
        settled=True,
        facts=ROWS[0],
        turns=tuple(turns),
        scores=(
            score(
                "resolved",
                0.0,
                simulated=True,
                explanation=f"The user asked twice. {SCRIPT}",
                cost_usd=0.0021,
                model="judge-small",
            ),
            score("tone", None, fate="failed", reason="the judge's reply was no JSON"),
            score("resolved", 0.0, kind="human", rater="ana", explanation="No refund, no person."),
        ),
        selections=(
            selection("label", 0.3, 0.0713, "refusals go to people more often"),
            selection("judge", 0.25, 0.0713, "stratum refusal: 200 a day of 655"),
        ),
    )


def selection(stage: Any, probability: float, draw: float, reason: str) -> Selection:
    """A decision."""
    return Selection(
        policy="main",
        policy_version="a1b2",
        stage=stage,
        unit="conversation",
        log_id=HOSTILE_ID,
        started=START,
        stratum="refusal",
        probability=probability,
        draw=draw,
        selected=draw < probability,
        reason=reason,
        decided_at=MADE_AT,
    )


class FakePages(FakeDesk, FakeTalk):
    """Answers from the records above. Set `error` to have every method raise it."""

    project = "support-assistant"
    token = TOKEN

    def __init__(self, report: Report = REPORT) -> None:
        super().__init__()
        self.answer = report
        self.error: Exception | None = None
        self.door = FakeDoor()
        self.arrivals: IngestStatus = STATUS
        self.asked_window: Window | None = None
        self.listed: list[dict[str, Any]] = []
        self.summed: list[tuple[Any, ...]] = []
        self.page: dict[str, Any] = {}
        self.listened: list[int] = []
        self.trouble: tuple[str, ...] = ()
        self.open = OpenPage(interactions=0, conversations=0, failed=0, rows=(), minutes=())
        self.windows: list[Window | None] = []

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error

    def report(self, window: Window | None = None) -> Report:
        self._fail()
        self.windows.append(window)
        return self.answer if window is None else replace(self.answer, window=window)

    def explain(self, metric: str, window: Window | None = None) -> MetricReport:
        self._fail()
        for entry in self.answer.metrics:
            if entry.info.name == metric:
                return entry
        raise UnknownName(f"no metric {metric!r}")

    def accounting_by_hour(self, metric: str, window: Window | None = None) -> tuple[HourAccounting, ...]:
        self._fail()
        entry = self.explain(metric, window).accounting
        small = replace(entry, seen=40, not_sampled=36, failed=0, scored=4)
        lost = replace(small, seen=41)
        return (HourAccounting(hour=START, accounting=small), HourAccounting(hour=MADE_AT, accounting=lost))

    def accounting_by_policy(self, policy: str, window: Window | None = None) -> PolicyBooks:
        self._fail()
        if policy not in {one.name for one in self.policies()}:
            raise UnknownName(f"no policy {policy!r}")
        made = PolicyAccounting(
            policy=policy,
            unit="conversation",
            seen=12_430,
            filtered=0,
            not_sampled=11_215,
            pending=11,
            drawn=1_204,
            people=180,
            added=7,
        )
        small = replace(made, seen=44, not_sampled=36, pending=0, drawn=8, people=1, added=0)
        lost = replace(small, seen=46)
        hours = (HourPolicy(hour=START, accounting=small), HourPolicy(hour=MADE_AT, accounting=lost))
        of = tuple(one.accounting for one in self.answer.metrics if policy == "daily")
        return PolicyBooks(accounting=made, hours=hours, metrics=of)

    def troubles(self) -> tuple[str, ...]:
        return self.trouble

    def policies(self) -> tuple[PolicyInfo, ...]:
        self._fail()
        daily = PolicyInfo(name="daily", origin="file", settings={"size": 200}, version="3f9a01c2d4e5")
        saved = replace(daily, name="gold", origin="saved", settings={"rate": 0.5}, saved_at=MADE_AT)
        made = (replace(saved, name=deed.name) for deed in self.deeds if isinstance(deed, SavePolicyRequest))
        return daily, saved, replace(saved, name="old", version="", problem="unknown signal `gone`"), *made

    def list_logs(
        self,
        unit: Unit,
        filter_text: str,
        *,
        window: Window | None = None,
        limit: int = 50,
        after: str | None = None,
        deep: bool = False,
    ) -> LogPage:
        self._fail()
        self.listed.append({"unit": unit, "q": filter_text, "window": window, "limit": limit, "after": after})
        if "sginal" in filter_text:
            raise FilterError(
                "`sginal.refusal` is no field; did you mean `signal.refusal`?",
                position=filter_text.index("sginal"),
            )
        if filter_text == "turns > 1000" or not self.answer.metrics:
            return LogPage(unit=unit, filter=filter_text, total=0, rows=())
        rows = tuple(replace(entry, unit=unit, **self.row) for entry in ROWS)
        return LogPage(
            unit=unit,
            filter=filter_text,
            total=12_430,
            rows=rows,
            next=None if after else "1;c-4",
            **self.page,
        )

    def complete(self, text: str, cursor: int, unit: Unit) -> tuple[Completion, ...]:
        self._fail()
        known = Known(signals={"refusal": SCRIPT}, values={"version": {CLOSING: unit}})
        return tuple(complete(text, cursor, known))

    def open_logs(self, limit: int = 50) -> OpenPage:
        self._fail()
        return self.open

    def series(
        self,
        of: Summed,
        by: Step,
        unit: Unit,
        filter_text: str = "",
        window: Window | None = None,
        *,
        soon: bool = False,
    ) -> Series:
        self._fail()
        self.summed.append((of, by, unit, filter_text, window))
        points = tuple(
            SeriesPoint(at=START.replace(hour=0) + timedelta(days=day), logs=10 * day, failed=day)
            for day in (1, 3)
        )
        return Series(of=of, unit=unit, by=by, filter=filter_text, points=points)

    def conversation(self, conversation_id: str) -> ConversationPage | None:
        self._fail()
        return conversation_page() if conversation_id == HOSTILE_ID else None

    def hear(self, rows: Sequence[TurnRow]) -> tuple[TurnRow, ...]:
        """`refusal` by the third to twelfth letter of an answer."""
        self.listened.append(len(rows))
        words = (Heard(signal="refusal", subject="output", start=2, end=12),)
        return tuple(
            replace(row, heard=words) if row.facts and "refusal" in row.facts.signals else row for row in rows
        )

    def ingest_status(self, window: Window | None = None) -> IngestStatus:
        self._fail()
        self.asked_window = window
        return self.arrivals

    def export(self, request: ExportRequest) -> Exported:
        """Two rows of what was asked for, in two batches; `broken` breaks off between them."""
        self.exported.append(request)
        if request.kind not in ("labels", "broken"):
            raise CallerError(f"no rows `{request.kind}`")
        schema = pa.schema([pa.field("kind", pa.string()), pa.field("filter", pa.string())])

        def batches() -> Generator[pa.RecordBatch]:
            for number in range(2):
                if number and request.kind == "broken":
                    raise StoreError("the disk is gone")
                row = {"kind": f"{request.kind} {number}", "filter": request.filter}
                yield pa.RecordBatch.from_pylist([row], schema=schema)

        return Exported(schema, batches())

    def run_operation(self, name: str, payload: Mapping[str, Any], progress: Progress) -> Any:
        progress("reading", 1, 2)
        self._fail()
        if name != "sample":
            raise UnknownName(f"no operation {name!r}; there is sample")
        progress("reading", 2, 2)
        return {"decided": 7, "payload": dict(payload)}
