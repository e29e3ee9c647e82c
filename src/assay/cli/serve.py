"""`assay serve`: receive OTLP and show the pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.options import Config
from assay.cli.terminal import err, out
from assay.config import Settings, find_config, load_settings
from assay.errors import ConfigError

if TYPE_CHECKING:
    from assay.app.open import OpenApplication

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(
    host: Annotated[str, typer.Option(help="Listen here.", show_default="the configuration's")] = "",
    port: Annotated[int | None, typer.Option(help="Listen there.", show_default="4318")] = None,
    config: Config = None,
) -> None:
    """Receive OpenTelemetry (OTLP over HTTP and gRPC) and serve the pages, until interrupted."""
    from assay.app.live import settle_regularly
    from assay.app.open import open_application
    from assay.web.body import MEBIBYTE
    from assay.web.serve import serve_project

    settings = load_settings(find_config(config, Path.cwd()))
    host = host or settings.server.host
    if host not in LOOPBACK:
        err.print(
            f"warning: there is no log-in: whoever reaches {host} can read every conversation", markup=False
        )
    application = open_application(settings, "serve")
    try:
        application.door.start()
        with (
            settle_regularly(
                application,
                settings.server.settle_every_s,
                sample=settings.server.sample,
                decide_every_s=settings.server.decide_every_s,
            ),
            _grpc(application, settings, host, free=port == 0) as grpc,
        ):
            serve_project(
                application,
                host=host,
                port=settings.server.port if port is None else port,
                allowed_hosts=settings.server.allowed_hosts,
                most_request_bytes=int(settings.ingest.max_request_mb * MEBIBYTE),
                decides=settings.server.sample,
                on_ready=lambda address: _announce(application, address, grpc),
            )
    finally:
        application.close()


@contextmanager
def _grpc(application: OpenApplication, settings: Settings, host: str, *, free: bool) -> Iterator[str]:
    """OTLP over gRPC until the block ends; its address, or nothing where there is none.

    The usual port may be another program's: then that is said, and HTTP is served all the same. One
    that assay.toml names must be free: ConfigError."""
    import random

    from assay.web.body import MEBIBYTE
    from assay.web.rpc import RpcServer

    port, chosen = settings.server.grpc_port, "grpc_port" in settings.server.model_fields_set
    if port < 0:
        yield ""
        return
    server = RpcServer(
        lambda: application.door,
        rng=random.Random(),
        most_request_bytes=int(settings.ingest.max_request_mb * MEBIBYTE),
    )
    try:
        address = server.start(host, 0 if free and not chosen else port)
    except ConfigError as error:
        if chosen:
            raise
        err.print(f"warning: no gRPC: {error}", markup=False)
        address = ""
    try:
        yield address
    finally:
        server.stop()


def _announce(application: OpenApplication, address: str, grpc: str) -> None:
    application.publish(address)
    out.print(f"pages           {address}", soft_wrap=True, markup=False)
    out.print(f"OTLP/HTTP       {address}/v1/traces", soft_wrap=True, markup=False)
    out.print(f"OTLP/gRPC       {f'http://{grpc}' if grpc else 'off'}", soft_wrap=True, markup=False)
