"""`assay serve`: receive OTLP and show the pages."""

from __future__ import annotations

from typing import Annotated

import typer

from assay.cli.options import Config
from assay.cli.terminal import out
from assay.config import find_config, load_settings


def serve(
    host: Annotated[str, typer.Option(help="Listen here.", show_default="the configuration's")] = "",
    port: Annotated[int | None, typer.Option(help="Listen there.", show_default="4318")] = None,
    config: Config = None,
) -> None:
    """Receive traces (OTLP/HTTP, POST /v1/traces) and serve the pages, until interrupted."""
    from pathlib import Path

    from assay.app.open import open_application
    from assay.web.serve import serve_project

    settings = load_settings(find_config(config, Path.cwd()))
    application = open_application(settings, "serve")
    try:
        serve_project(
            application,
            host=host or settings.server.host,
            port=settings.server.port if port is None else port,
            allowed_hosts=settings.server.allowed_hosts,
            on_ready=lambda address: _announce(address),
        )
    finally:
        application.close()


def _announce(address: str) -> None:
    out.print(f"pages           {address}", soft_wrap=True, markup=False)
    out.print(f"OTLP/HTTP       {address}/v1/traces", soft_wrap=True, markup=False)
