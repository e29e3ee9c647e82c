"""Spans per CPU-second of `decode_otlp`, beside the bare protobuf parse of the same body.

    python bench/ingest_decode.py [--spans 512] [--seconds 6]

The two take turns in one process, and the ratio is of their medians: it says what turning
spans into a table costs, whatever the machine. Prints one line.
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from statistics import median
from time import process_time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from assay.ingest.otlp import Limits, decode_otlp

START_NS = 1_750_000_000_000_000_000


def make_body(spans: int, rng: Random) -> bytes:
    """One request of LLM spans with ten attributes, about 1.8 kB each."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "bench"
    scope = group.scope_spans.add()
    scope.scope.name = "openinference.instrumentation.openai"
    for i in range(spans):
        span = scope.spans.add(
            trace_id=rng.randbytes(16), span_id=rng.randbytes(8), name="ChatCompletion", kind=1
        )
        span.start_time_unix_nano, span.end_time_unix_nano = START_NS + i, START_NS + i + 10**9
        texts = {
            "openinference.span.kind": "LLM",
            "input.value": f"question {rng.random()} " * 24,
            "output.value": f"answer {rng.random()} " * 26,
            "llm.model_name": "gpt-5-mini",
            "session.id": f"session-{i // 4}",
            "user.id": f"user-{i // 16}",
            "metadata": '{"plan": "pro"}',
        }
        for key, text in texts.items():
            span.attributes.add(key=key).value.string_value = text
        for key in ("llm.token_count.prompt", "llm.token_count.completion"):
            span.attributes.add(key=key).value.int_value = rng.randrange(2000)
        span.attributes.add(key="llm.temperature").value.double_value = 0.3
    return bytes(request.SerializeToString())


def cpu_seconds(work: Callable[[], object]) -> float:
    start = process_time()
    work()
    return process_time() - start


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--spans", type=int, default=512)
    options.add_argument("--seconds", type=float, default=6.0)
    chosen = options.parse_args()
    body = make_body(chosen.spans, Random(1))
    packed = gzip.compress(body, 6)
    limits, now = Limits(), datetime.now(UTC)
    works: dict[str, Callable[[], object]] = {
        "parse": lambda: ExportTraceServiceRequest.FromString(body),
        "decode": lambda: decode_otlp(body, "application/x-protobuf", "", limits, received_at=now),
        "gzip": lambda: decode_otlp(packed, "application/x-protobuf", "gzip", limits, received_at=now),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    started = process_time()
    while process_time() - started < chosen.seconds:
        for name, work in works.items():
            times[name].append(cpu_seconds(work))
    rate = {name: chosen.spans / median(some) for name, some in times.items()}
    print(
        f"decode_otlp {rate['decode']:,.0f} spans/CPU-s ({rate['gzip']:,.0f} gzipped), bare parse "
        f"{rate['parse']:,.0f}: ratio {rate['decode'] / rate['parse']:.3f} "
        f"({rate['gzip'] / rate['parse']:.3f} gzipped), {len(body) // chosen.spans:,} bytes a span"
    )


if __name__ == "__main__":
    main()
