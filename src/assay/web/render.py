"""Templates: Jinja2 with autoescape everywhere and every string made visible on its way out."""

from __future__ import annotations

import hashlib
from pathlib import Path

import jinja2
import msgspec
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from assay.web import bars, marked, numbers, talk, text

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
STATIC = HERE / "static"
NAVIGATION = (
    ("/", "Overview"),
    ("/logs", "Logs"),
    ("/metrics", "Metrics"),
    ("/operations", "Operations"),
)


class Renderer:
    """Renders a template into a response. `project` is the name on every page."""

    def __init__(self, project: str) -> None:
        self._environment = _environment()
        self._environment.globals.update(
            project=project,
            navigation=NAVIGATION,
            static={path.name: f"/static/{path.name}?v={_digest(path)}" for path in STATIC.iterdir()},
        )

    def page(self, request: Request, template: str, *, status: int = 200, **context: object) -> HTMLResponse:
        """The page, never cached: it shows live data that may be private."""
        path = "" if status >= 400 else request.url.path
        html = self._environment.get_template(template).render(path=path, **context)
        return HTMLResponse(
            html.encode("utf-8", "replace"), status_code=status, headers={"Cache-Control": "no-store"}
        )


def script_json(value: object) -> Markup:
    """JSON for a `<script type="application/json">`: nothing in it can end the element."""
    encoded = msgspec.json.encode(value).decode()
    safe = encoded.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(safe)  # noqa: S704  the three characters that HTML could act on are escaped above


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
        auto_reload=False,
    )
    environment.filters.update(
        count=numbers.count,
        day=numbers.day,
        duration=numbers.duration,
        exact=numbers.exact,
        excerpt=text.excerpt,
        interval=numbers.interval,
        level=numbers.level,
        minute=numbers.minute,
        moment=numbers.moment,
        money=numbers.money,
        percent=numbers.percent,
        prose=text.prose,
        size=numbers.size,
        script_json=script_json,
        split=text.split,
        stride=numbers.stride,
        value=numbers.value,
        verbatim=_verbatim,
        visible=text.visible,
    )
    environment.globals.update(
        address=numbers.address,
        axis=bars.axis_of,
        conversation_path=numbers.conversation_path,
        said=marked.said,
        text_address=talk.text_address,
        correction=numbers.correction,
        plural=numbers.plural,
        range_bar=bars.range_bar,
    )
    return environment


def _finalize(value: object) -> object:
    """What every `{{ ... }}` passes: no string reaches a page with characters that deceive."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return text.plain(value)
    return value


def _verbatim(value: str) -> Markup:
    """Escaped but otherwise untouched, for form fields that are sent back as they are."""
    return escape(value)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
