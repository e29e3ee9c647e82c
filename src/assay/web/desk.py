"""What can be done with logs on their page: picked for review, and a filter kept under a name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

import anyio.to_thread
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assay.app.policies import NAME
from assay.app.requests import PickRequest, RemoveFilterRequest, SaveFilterRequest, SavePolicyRequest
from assay.errors import CallerError
from assay.query import refine
from assay.web.api import unit_of
from assay.web.base import Site
from assay.web.body import Intake
from assay.web.form import Form, back_to, form_intake, list_of, read_form
from assay.web.problems import Problem, answer, problem_of

log = logging.getLogger("assay.web")

NO_POLICY: Final = ("last", "saved", "score", "label", "judged", "labelled", "selected")
"""What stands in filters and in no policy: it depends on when it is asked, or on what was drawn."""

Deed = Callable[[Site, Form], str]
"""Does what the form says; what the page is to say of it."""


class Refused(NamedTuple):
    """A form that could not be done, with what was typed in it and why."""

    deed: str
    message: str
    status: int
    form: Form

    def typed(self, deed: str, name: str, otherwise: str = "") -> str:
        """What stood in that field of that form."""
        return self.form.one(name) if deed == self.deed else otherwise


Show = Callable[[Site, Request, QueryParams, Refused], Response]
"""The list at that address, with the form as it was filled in."""


class Done(NamedTuple):
    """What was done last, as the address of the page says it: `picked-3`, `filter-slow_ones`."""

    deed: str
    what: str


def routes(site: Site, show: Show) -> list[Route]:
    """Forms of the Logs page. Other sites' pages can't send them: the guard refuses those."""
    intake = form_intake()
    deeds: dict[str, Deed] = {
        "pick": _pick,
        "save-filter": _save_filter,
        "remove-filter": _remove_filter,
        "save-policy": _save_policy,
    }
    return [
        Route(f"/logs/{name}", partial(_do, site, intake, name, deed, show), methods=["POST"])
        for name, deed in deeds.items()
    ]


def read_done(text: str, saved: Collection[str], policies: Collection[str]) -> Done | None:
    """What the page is to say; nothing that it has no words for, or that is not so: anybody can write an
    address."""
    deed, _, what = text.partition("-")
    known = {
        "picked": what.isascii() and what.isdigit() and len(what) < 7,
        "unpicked": what.isascii() and what.isdigit() and len(what) < 7,
        "filter": what in saved,
        "forgot": NAME.fullmatch(what) is not None and what not in saved,
        "policy": what in policies,
    }
    return Done(deed, what) if known.get(deed) else None


def never_policy(text: str) -> str:
    """What of the filter no policy can go by; nothing where it has no such words."""
    found = {word.lower(): word for word in refine.words(text)}
    return next((word for word in NO_POLICY if word in found), "")


async def _do(site: Site, intake: Intake, name: str, deed: Deed, show: Show, request: Request) -> Response:
    form: Form | None = None
    try:
        form = await read_form(request, intake)
        return back_to(form.one("back"), quote(await anyio.to_thread.run_sync(deed, site, form)))
    except Exception as error:  # whoever sent the form must learn what became of it
        problem = problem_of(error, site.rng)
        if form is None or not isinstance(error, CallerError):
            return answer(request, problem, site.render)
        refused = Refused(name, problem.message, problem.status, form)
        return await anyio.to_thread.run_sync(_show_again, site, request, show, refused)


def _show_again(site: Site, request: Request, show: Show, refused: Refused) -> Response:
    """The list that the form was on, with what is wrong; that alone where the list can't be shown either."""
    query = QueryParams(urlsplit(list_of(refused.form.one("back"))).query)
    try:
        return show(site, request, query, refused)
    except Exception:  # the form's own problem is the one to tell
        log.warning("the list of a form that was refused can't be shown", exc_info=True)
        return answer(request, Problem(refused.status, refused.message, "CallerError", 2), site.render)


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
