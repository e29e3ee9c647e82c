"""`assay ddl`: every table and view of the telemetry store, as text."""

from __future__ import annotations

from typing import Annotated

import typer

from assay.cli.terminal import out
from assay.errors import CallerError


def ddl(
    cluster: Annotated[
        str,
        typer.Option(help="For this cluster: replicated tables behind distributed ones.", show_default=False),
    ] = "",
) -> None:
    """Print the statements that make assay's tables and views in ClickHouse, to be read or run by hand."""
    from assay.store.telemetry.ddl import write_ddl
    from assay.store.telemetry.schema import Topology

    if "'" in cluster or "\\" in cluster:
        raise CallerError(f"--cluster {cluster!r} is no name of a cluster")
    topology = Topology(kind="cluster", cluster=cluster) if cluster else Topology(kind="server")
    out.print(write_ddl(topology), soft_wrap=True, markup=False, end="")
