"""`assay serve`: receive OTLP and show the pages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.options import Config
from assay.cli.terminal import err, out
from assay.config import find_config, load_settings

if TYPE_CHECKING:
    from assay.app.open import OpenApplication

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(
    host: Annotated[str, typer.Option(help="Listen here.", show_default="the configuration's")] = "",
    port: Annotated[int | None, typer.Option(help="Listen there.", show_default="4318")] = None,
    config: Config = None,
) -> None:
    """Receive traces (OTLP/HTTP, POST /v1/traces) and serve the pages, until interrupted."""
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
        with settle_regularly(application, settings.server.settle_every_s):
            serve_project(
                application,
                host=host,
                port=settings.server.port if port is None else port,
                allowed_hosts=settings.server.allowed_hosts,
                most_request_bytes=int(settings.ingest.max_request_mb * MEBIBYTE),
                on_ready=lambda address: _announce(application, address),
            )
    finally:
        application.close()


def _announce(application: OpenApplication, address: str) -> None:
    application.publish(address)
    out.print(f"pages           {address}", soft_wrap=True, markup=False)
    out.print(f"OTLP/HTTP       {address}/v1/traces", soft_wrap=True, markup=False)
