"""Static files, and the chart script that is made on demand."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from assay.web.base import Site
from assay.web.render import STATIC

FOREVER = "public, max-age=31536000, immutable"


class Assets(StaticFiles):
    """Our files. Their addresses carry a digest of the content, so they may be kept for ever."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code == 200 and b"v=" in scope.get("query_string", b""):
            response.headers["Cache-Control"] = FOREVER
        return response


def chart_script(site: Site, request: Request) -> Response:
    """Vega as one script; the pages are complete without it."""
    bundle = site.charts.bundle()
    headers = {"Cache-Control": "public, max-age=86400", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(bundle.zipped, media_type="text/javascript", headers=headers)
    return Response(bundle.plain, media_type="text/javascript", headers=headers)
