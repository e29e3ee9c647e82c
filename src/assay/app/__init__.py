"""The one application: the only place where concrete parts are wired together.

It is reached in process (`open_application`) or over HTTP (`connect` finds a running server)."""
