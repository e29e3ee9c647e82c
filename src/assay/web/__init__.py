"""The pages, the API and the trace receiver of a project, as one ASGI application."""
