"""Spans per second from the socket to the disk, and on to where they can be queried.

    python -m bench.ingest_socket [--per-day 1000] [--spans 512] [--connections 8] [--gzip]

Simulated traffic is encoded beforehand and posted to a running `assay serve`. "durable" ends with
the last 200 (each says that its spans are on disk), "queryable" when the API counts every
interaction with its facts and signals. The yardstick, run beside it: parsing the same bodies with
the official protobuf library, which alone would be the most that a Python server could take."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.server import get_json, serve
from bench.tree import Watch
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from assay.demo.project import write_project
from assay.demo.send import send_requests
from assay.demo.traffic import Request, requests
from assay.demo.world import World


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--per-day", type=int, default=1_000, help="conversations a day, of 14 days")
    parser.add_argument("--spans", type=int, default=512, help="spans in a request; exporters send 512")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--settle-every", type=float, default=10.0, help="seconds; the server's default: 10")
    given = parser.parse_args()
    last_day = datetime.now(UTC).date() - timedelta(days=1)
    world = World(last_day=last_day, per_day=given.per_day)
    began = time.process_time()
    stream = list(requests(world, given.spans))
    encoding_s = time.process_time() - began
    spans = sum(request.spans for request in stream)
    interactions = sum(request.interactions for request in stream)
    size_mb = sum(len(request.body) for request in stream) / 1e6
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{spans:,} spans, {interactions:,} interactions, {size_mb:.0f} MB, {len(stream)} requests")
    print(f"encoding        {spans / encoding_s:>12,.0f} spans/CPU-s (the simulator's own)")
    parsing_s = _parse(stream)
    print(f"parsing alone   {spans / parsing_s:>12,.0f} spans/CPU-s (the yardstick)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_project(folder, per_day=given.per_day)
        with open(folder / "assay.toml", "a", encoding="utf-8") as config:
            config.write(f"\n[server]\nsettle_every_s = {given.settle_every}\n")
        _measure(folder, stream, spans, interactions, parsing_s, given)


def _measure(
    folder: Path,
    stream: list[Request],
    spans: int,
    interactions: int,
    parsing_s: float,
    given: argparse.Namespace,
) -> None:
    with serve(folder) as server, Watch(server.pid) as whole:
        began = time.perf_counter()
        with Watch(server.pid) as taking:
            sent = send_requests(
                stream,
                server.url,
                report=lambda _: None,
                connections=given.connections,
                compress=given.gzip,
            )
        durable_s = time.perf_counter() - began
        days = f"from={stream[0].day}&to={stream[-1].day}"
        count = f"/api/logs?unit=interaction&limit=1&{days}"
        while (seen := get_json(server.port, count)["total"]) < interactions:
            if time.perf_counter() - began > 600:
                raise SystemExit(f"only {seen:,} of {interactions:,} interactions can be queried after 600 s")
            time.sleep(0.2)
        queryable_s = time.perf_counter() - began
    if seen != interactions or sent.rejected:
        raise SystemExit(f"sent {interactions:,} interactions, found {seen:,}, rejected {sent.rejected}")
    print(
        f"durable         {spans / durable_s:>12,.0f} spans/s   {spans / taking.cpu_s:>10,.0f} spans/CPU-s"
        f"   {parsing_s / taking.cpu_s:.3f} of the yardstick, {sent.retries} retries"
    )
    print(
        f"queryable       {spans / queryable_s:>12,.0f} spans/s   {spans / whole.cpu_s:>10,.0f} spans/CPU-s"
        f"   {parsing_s / whole.cpu_s:.3f} of the yardstick"
    )
    print(f"peak memory     {whole.peak_mb:>12,.0f} MB")


def _parse(stream: list[Request]) -> float:
    began = time.process_time()
    for request in stream:
        ExportTraceServiceRequest.FromString(request.body)
    return time.process_time() - began


if __name__ == "__main__":
    main()
