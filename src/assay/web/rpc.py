"""OTLP over gRPC: the three services, their messages as bytes, answered once they are on disk."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NoReturn

import grpc

from assay.errors import AssayError, ConfigError, StoreError
from assay.ingest.reply import PROTOBUF, retry_status, success_body
from assay.records import Arrival, ArrivalKind, Received
from assay.web.base import Entrance
from assay.web.body import MEBIBYTE
from assay.web.problems import problem_of

log = logging.getLogger("assay.web")

SERVICES: Mapping[str, ArrivalKind] = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "traces",
    "opentelemetry.proto.collector.logs.v1.LogsService": "logs",
    "opentelemetry.proto.collector.metrics.v1.MetricsService": "metrics",
}
PATIENCE_S = 60.0
_THREADS = 8
"""Each holds one message at a time."""
_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    415: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}


class RpcServer:
    """Serves from `start` to `stop`. `port` 0 takes a free one."""

    def __init__(
        self,
        entrance: Callable[[], Entrance],
        *,
        rng: random.Random,
        most_request_bytes: int = 64 * MEBIBYTE,
    ) -> None:
        self._entrance, self._rng = entrance, rng
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="assay-grpc"),
            options=[
                ("grpc.max_receive_message_length", most_request_bytes),
                ("grpc.per_message_decompression", 0),  # it would unpack first and measure then
                ("grpc.max_concurrent_streams", 100),
                ("grpc.so_reuseport", 0),
            ],
        )
        for service, kind in SERVICES.items():
            method = grpc.unary_unary_rpc_method_handler(partial(self._export, kind))
            handler = grpc.method_handlers_generic_handler(service, {"Export": method})
            self._server.add_generic_rpc_handlers((handler,))

    def start(self, host: str, port: int) -> str:
        """Listen, and return the address. Raises ConfigError where that can't be."""
        name = f"[{host}]" if ":" in host else host
        try:
            bound = self._server.add_insecure_port(f"{name}:{port}")
        except RuntimeError:
            bound = 0
        if not bound:
            raise ConfigError(
                f"can't listen on {name}:{port} for OTLP over gRPC: stop what listens there, or set "
                "server.grpc_port to another port (0: a free one, -1: no gRPC)"
            )
        self._server.start()
        return f"{name}:{bound}"

    def stop(self, grace_s: float = 5.0) -> None:
        """Let running requests end, then stop."""
        self._server.stop(grace_s).wait()

    def _export(self, kind: ArrivalKind, body: bytes, context: Any) -> bytes:
        agent = next((str(value) for key, value in context.invocation_metadata() if key == "user-agent"), "")
        arrival = Arrival(
            kind=kind,
            body=body,
            content_type=PROTOBUF,
            content_encoding=_encoding_of(body),
            transport="grpc",
            agent=agent[:200],
        )
        try:
            received = self._take(arrival)
        except Exception as error:  # a sender must always learn whether to send again
            self._refuse(error, agent, context)
        return success_body(kind, PROTOBUF, received.rejected, "; ".join(received.reasons))

    def _take(self, arrival: Arrival) -> Received:
        done = threading.Event()
        told: list[Received | AssayError] = []

        def answer(given: Received | AssayError) -> None:
            told.append(given)
            done.set()

        self._entrance().take(arrival, answer)
        if not done.wait(PATIENCE_S):
            raise StoreError(f"the request was not on disk after {PATIENCE_S:g} s: send it again")
        if isinstance(told[0], AssayError):
            raise told[0]
        return told[0]

    def _refuse(self, error: Exception, agent: str, context: Any) -> NoReturn:
        problem = problem_of(error, self._rng)
        self._entrance().refused(problem.status, "grpc", agent)
        if problem.retry_after_s is not None:
            details = retry_status(problem.message, problem.status, problem.retry_after_s)
            context.set_trailing_metadata((("grpc-status-details-bin", details),))
        context.abort(_CODES.get(problem.status, grpc.StatusCode.INTERNAL), problem.message)
        raise AssertionError("abort raises")


def _encoding_of(body: bytes) -> str:
    """How a message is packed, which its call does not tell: a request that is not begins with 0x0a."""
    if body[:2] == b"\x1f\x8b":
        return "gzip"
    return "deflate" if body[:1] == b"\x78" else ""
