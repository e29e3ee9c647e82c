"""The command line: one file a command, all of them over the same operations as the API."""

from __future__ import annotations

import sys


def main() -> int:
    """The `assay` command. Exit codes: 0 done, 2 the caller's input, 3 the installation or its
    configuration, 4 a service that assay calls, 5 the team's own code, 130 interrupted."""
    try:
        from assay.cli.commands import app
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.split(".")[0] == "assay":
            raise
        sys.stderr.write(
            f"error: this command needs `{missing}`, which comes with the server: "
            "pip install 'assay[server]'\n"
        )
        return 3
    from assay.errors import AssayError

    try:
        app(prog_name="assay", standalone_mode=True)
    except AssayError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was done is kept, the same command goes on from there\n")
        return 130
    return 0
