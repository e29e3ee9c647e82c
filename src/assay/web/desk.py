"""What can be done with logs on their page: picked for review, and a filter kept under a name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assay.app.requests import PickRequest, RemoveFilterRequest, SaveFilterRequest, SavePolicyRequest
from assay.errors import CallerError
from assay.web.api import unit_of
from assay.web.base import Site
from assay.web.body import Intake
from assay.web.form import Form, back_to, form_intake, read_form
from assay.web.problems import answer, problem_of

Deed = Callable[[Site, Form], str]
"""Does what the form says; what the page is to say of it."""


class Done(NamedTuple):
    """What was done last, as the address of the page says it: `picked-3`, `filter-slow_ones`."""

    deed: str
    what: str


def routes(site: Site) -> list[Route]:
    """Forms of the Logs page. Other sites' pages can't send them: the guard refuses those."""
    intake = form_intake()
    deeds: dict[str, Deed] = {
        "pick": _pick,
        "save-filter": _save_filter,
        "remove-filter": _remove_filter,
        "save-policy": _save_policy,
    }
    return [
        Route(f"/logs/{name}", partial(_do, site, intake, deed), methods=["POST"])
        for name, deed in deeds.items()
    ]


def read_done(text: str) -> Done | None:
    """What the page is to say; nothing that it has no words for."""
    deed, _, what = text.partition("-")
    return Done(deed, what[:64]) if deed in ("picked", "unpicked", "filter", "forgot", "policy") else None


async def _do(site: Site, intake: Intake, deed: Deed, request: Request) -> Response:
    try:
        form = await read_form(request, intake)
        return back_to(form.one("back"), quote(await anyio.to_thread.run_sync(deed, site, form)))
    except Exception as error:  # whoever sent the form must learn what became of it
        return answer(request, problem_of(error, site.rng), site.render)


def _pick(site: Site, form: Form) -> str:
    ids, remove = form.every("id"), form.one("remove") == "1"
    if not ids:
        raise CallerError("no log is ticked: tick those that somebody should read")
    request = PickRequest(log_ids=ids, unit=unit_of(form.one("unit")), note=form.one("note"), remove=remove)
    done = site.app.pick(request)
    return f"{'unpicked' if remove else 'picked'}-{done.changed}"


def _save_filter(site: Site, form: Form) -> str:
    name, unit = form.one("name"), unit_of(form.one("unit"))
    site.app.save_filter(SaveFilterRequest(name=name, filter=form.one("q"), unit=unit))
    return f"filter-{name}"


def _remove_filter(site: Site, form: Form) -> str:
    site.app.remove_filter(RemoveFilterRequest(name=form.one("name")))
    return f"forgot-{form.one('name')}"


def _save_policy(site: Site, form: Form) -> str:
    name = form.one("name")
    given: dict[str, Any] = {"unit": unit_of(form.one("unit"))}
    if form.one("q"):
        given["where"] = form.one("q")
    for key in ("size", "label_size"):
        if form.one(key):
            given[key] = _number(key, form.one(key))
    site.app.save_policy(SavePolicyRequest(name=name, settings=given))
    return f"policy-{name}"


def _number(key: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise CallerError(f"{key}={text[:40]!r} is no number of logs a day")
    return int(text)
