"""The state store: small, mutable, transactional. SQLite in a file, or PostgreSQL."""

from assay.store.state.connection import State
from assay.store.state.filters import list_filters, remove_filter, save_filter
from assay.store.state.leases import release_lease, take_lease
from assay.store.state.migrate import open_state
from assay.store.state.runs import Run, RunStatus, finish_run, list_runs, start_run
from assay.store.state.versions import (
    MetricVersion,
    PolicyVersion,
    list_metrics,
    list_policies,
    list_projects,
    register_metric,
    register_policy,
)

__all__ = [
    "MetricVersion",
    "PolicyVersion",
    "Run",
    "RunStatus",
    "State",
    "finish_run",
    "list_filters",
    "list_metrics",
    "list_policies",
    "list_projects",
    "list_runs",
    "open_state",
    "register_metric",
    "register_policy",
    "release_lease",
    "remove_filter",
    "save_filter",
    "start_run",
    "take_lease",
]
