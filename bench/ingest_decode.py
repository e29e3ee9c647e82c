"""What the steps of decoding cost, in µs of processor time a span, beside the bare protobuf parse.

    python -m bench.ingest_decode [--spans 2048] [--seconds 20]

The steps take turns in one process on the same requests of 512 spans, so that the ratios hold on any
machine. `outline` is what a sender waits for; `decoded` comes later, of requests whose outline was sound.
"""

from __future__ import annotations

import argparse
import gzip
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from statistics import median
from time import process_time

from bench.ingest.load import as_json, make_load, parse

from assay.ingest import columnar
from assay.ingest.inflate import inflate
from assay.ingest.otlp import decode_traces
from assay.ingest.outline import outline
from assay.ingest.payload import Limits, Payload

NEVER = 2**63
LIMITS = Limits()


def steps(bodies: Sequence[bytes]) -> dict[str, Callable[[], object]]:
    """Each on all the bodies."""
    sent = [
        Payload(kind="traces", body=body, content_type="application/x-protobuf", received_ns=1)
        for body in bodies
    ]
    sound = [replace(one, is_sound=True) for one in sent]
    packed = [replace(one, body=gzip.compress(one.body, 6), content_encoding="gzip") for one in sent]
    text = [replace(one, body=as_json(one.body), content_type="application/json") for one in sent]
    one_bad = [replace(sound[0], body=bodies[0].replace(b"xylophone", b"xyl\xffphone", 1)), *sound[1:]]
    each: dict[str, tuple[Callable[..., object], Sequence[object]]] = {
        "protobuf's own parse": (parse, bodies),
        "outline": (partial(outline, limits=LIMITS), sent),
        "gunzip": (lambda one: inflate(one.body, "gzip", 2**26), packed),
        "outline, gzipped": (partial(outline, limits=LIMITS), packed),
        "outline, JSON": (partial(outline, limits=LIMITS), text),
    }
    found: dict[str, Callable[[], object]] = {
        name: partial(_each, work, things) for name, (work, things) in each.items()
    }
    if columnar.is_available:
        reader = columnar.reader_of("traces")
        found["ptars table"] = partial(_each, lambda body: reader.list_to_record_batch([body]), bodies)
    return found | {
        "decoded": partial(decode_traces, sound, LIMITS),
        "decoded, one bad string": partial(decode_traces, one_bad, LIMITS),
        "decoded, not outlined before": partial(decode_traces, sent, LIMITS),
        "decoded, gzipped": partial(decode_traces, [replace(one, is_sound=True) for one in packed], LIMITS),
        "decoded item by item": partial(decode_traces, sound, LIMITS, columns_from=NEVER),
        "decoded, JSON": partial(decode_traces, text, LIMITS),
    }


def _each(work: Callable[..., object], things: Sequence[object]) -> None:
    for one in things:
        work(one)


def cpu_seconds(work: Callable[[], object]) -> float:
    start = process_time()
    work()
    return process_time() - start


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--spans", type=int, default=2048)
    options.add_argument("--seconds", type=float, default=20.0)
    chosen = options.parse_args()
    load = make_load(chosen.spans)
    bodies = [body for body in load.bodies if len(body) > 100_000]
    spans = sum(decode_traces([_payload(body)], LIMITS).spans.num_rows for body in bodies)
    works = steps(bodies)
    times: dict[str, list[float]] = {name: [] for name in works}
    started = process_time()
    while process_time() - started < chosen.seconds:
        for name, work in works.items():
            times[name].append(cpu_seconds(work))
    cost = {name: median(some) / spans * 1e6 for name, some in times.items()}
    yardstick, table = cost["protobuf's own parse"], cost.get("ptars table")
    print(
        f"{spans:,} spans of {sum(map(len, bodies)) // spans:,} bytes, load {os.getloadavg()[0]:.1f}, "
        f"{len(times['decoded'])} rounds\n"
    )
    print("| step | µs a span | ratio to the parse | ratio to the ptars table |\n|---|---|---|---|")
    for name, micros in cost.items():
        beside = "" if table is None else f"{micros / table:.2f}"
        print(f"| {name} | {micros:.2f} | {micros / yardstick:.2f} | {beside} |")


def _payload(body: bytes) -> Payload:
    return Payload(kind="traces", body=body, content_type="application/x-protobuf", received_ns=1)


if __name__ == "__main__":
    main()
