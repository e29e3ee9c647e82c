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
        return _fail(str(error), error.exit_code)
    except OSError as error:
        return _fail(str(error), 3)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:  # what typer makes of Ctrl-C
            sys.stderr.write("interrupted; what was done is kept, the same command goes on from there\n")
        raise
    return 0


INTERRUPTED = 130


def _fail(message: str, code: int) -> int:
    """Messages may quote files and logs: no control character reaches the terminal."""
    text = "".join(c if c.isprintable() or c == "\n" else "·" for c in message)
    sys.stderr.write(f"error: {text}\n")
    return code
