"""The nouns of assay as frozen records. They know nothing of stores, files or the network."""

from assay.records.estimate import Estimate
from assay.records.ingest import (
    Arrival,
    ArrivalKind,
    AttributeKey,
    Feedback,
    IngestCount,
    IngestMinute,
    IngestStatus,
    RejectedReason,
    RejectedSpan,
)
from assay.records.keeping import Erased, ForgetReport, Removed, RetainReport
from assay.records.log import Evaluation, Log, ToolCall, Turn, Unit
from assay.records.metric import Goal, MetricInfo, MetricKind
from assay.records.page import (
    ConversationPage,
    HourAccounting,
    LogPage,
    LogRow,
    OpenMinute,
    OpenPage,
    OpenRow,
    Received,
    ScoreRow,
    Series,
    SeriesPoint,
    TurnRow,
)
from assay.records.price import Price
from assay.records.progress import Progress, no_progress
from assay.records.report import Accounting, DayEstimate, FocusRow, MetricReport, Report, Totals
from assay.records.run import (
    ImportReport,
    RunReport,
    SampleReport,
    SettleReport,
    StratumCount,
)
from assay.records.score import Failure, Fate, Outcome, Score, Skip
from assay.records.selection import Selection, Stage
from assay.records.signal import EVENTS, Severity, Signal
from assay.records.upkeep import BackupReport, Check, CopiedTable, RemapDay, RemapReport, Verdict
from assay.records.window import Window

__all__ = [
    "EVENTS",
    "Accounting",
    "Arrival",
    "ArrivalKind",
    "AttributeKey",
    "BackupReport",
    "Check",
    "ConversationPage",
    "CopiedTable",
    "DayEstimate",
    "Erased",
    "Estimate",
    "Evaluation",
    "Failure",
    "Fate",
    "Feedback",
    "FocusRow",
    "ForgetReport",
    "Goal",
    "HourAccounting",
    "ImportReport",
    "IngestCount",
    "IngestMinute",
    "IngestStatus",
    "Log",
    "LogPage",
    "LogRow",
    "MetricInfo",
    "MetricKind",
    "MetricReport",
    "OpenMinute",
    "OpenPage",
    "OpenRow",
    "Outcome",
    "Price",
    "Progress",
    "Received",
    "RejectedReason",
    "RejectedSpan",
    "RemapDay",
    "RemapReport",
    "Removed",
    "Report",
    "RetainReport",
    "RunReport",
    "SampleReport",
    "Score",
    "ScoreRow",
    "Selection",
    "Series",
    "SeriesPoint",
    "SettleReport",
    "Severity",
    "Signal",
    "Skip",
    "Stage",
    "StratumCount",
    "ToolCall",
    "Totals",
    "Turn",
    "TurnRow",
    "Unit",
    "Verdict",
    "Window",
    "no_progress",
]
