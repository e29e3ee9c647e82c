"""Every exception assay raises on purpose, by who must act.

    AssayError
    ├── OperatorError            who runs assay: installation, configuration, disk
    │   ├── ConfigError          a setting is missing or wrong
    │   ├── ExtraMissing         a command needs an optional dependency
    │   └── StoreError           a store can't do what was asked
    │       ├── StoreHeld        another process has the embedded store open
    │       ├── StoreFull        the disk is full; nothing was written
    │       └── StoreUnreachable no answer from a database server
    ├── CallerError              who sent or typed something
    │   ├── PayloadError         a request body can't be taken (carries the HTTP status)
    │   ├── FileError            an imported file is wrong (carries row and column)
    │   ├── FilterError          an expression doesn't parse (carries the position)
    │   └── UnknownName          no metric, policy or log of that name
    ├── OutsideError             a service that assay calls
    │   └── ProviderError        an LLM endpoint: refused, unreachable, not understood
    └── PluginError              code that the team brought
        └── MetricError          a metric's definition is wrong

A message says what, which value, where, and the next step. What goes wrong while a log is
judged is no exception but a record (`assay.records.Failure`).
"""

from __future__ import annotations


class AssayError(Exception):
    """The root: `except AssayError` catches everything assay raises on purpose."""

    exit_code = 1
    http_status = 500


class OperatorError(AssayError):
    """The installation or its configuration must be changed."""

    exit_code = 3
    http_status = 503


class ConfigError(OperatorError):
    """A setting is missing or wrong; the message names file, key and value."""

    http_status = 500


class ExtraMissing(OperatorError):
    """An optional dependency is not installed; the message has the pip command."""

    http_status = 500


class StoreError(OperatorError):
    """A store could not do what was asked."""


class StoreHeld(StoreError):
    """Another process has the embedded store open; `pid` and `address` say which, where known."""

    def __init__(self, message: str, *, pid: int | None = None, address: str | None = None) -> None:
        super().__init__(message)
        self.pid = pid
        self.address = address


class StoreFull(StoreError):
    """The disk is full, or below the reserve. Nothing of the refused write is kept; retry later."""


class StoreUnreachable(StoreError):
    """A database server did not answer."""


class CallerError(AssayError):
    """The request, file or expression must be changed."""

    exit_code = 2
    http_status = 400


class PayloadError(CallerError):
    """A request body that can't be taken; `http_status` is the answer to give."""

    def __init__(self, message: str, *, http_status: int = 400) -> None:
        super().__init__(message)
        self.http_status = http_status


class FileError(CallerError):
    """An imported file is wrong. `row` counts from 1, without the header."""

    def __init__(self, message: str, *, row: int | None = None, column: str | None = None) -> None:
        super().__init__(message)
        self.row = row
        self.column = column


class FilterError(CallerError):
    """An expression does not parse or names something unknown. `position` counts from 0."""

    def __init__(self, message: str, *, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class UnknownName(CallerError):
    """Nothing of that name; the message lists the nearest known ones."""

    http_status = 404


class OutsideError(AssayError):
    """A service that assay calls failed; trying again may help."""

    exit_code = 4
    http_status = 502


class ProviderError(OutsideError):
    """An LLM endpoint refused, did not answer or was not understood.

    `retryable` tells whether the same request may succeed later; `retry_after_s` is the
    endpoint's own word, where it gave one. `reason` is a short stable code (`rate_limited`,
    `timeout`, `unreachable`, ...). `affects_all`: no other request can succeed either (wrong key).
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        retry_after_s: float | None = None,
        reason: str = "provider",
        affects_all: bool = False,
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.reason = reason
        self.affects_all = affects_all


class PluginError(AssayError):
    """Code that the team brought must be changed."""

    exit_code = 5
    http_status = 500


class MetricError(PluginError):
    """A metric's definition is wrong; the message names file, metric and what to change."""
