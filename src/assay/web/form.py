"""Forms that a page sends: names with their values, and where to go from there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse

from assay.errors import PayloadError
from assay.web.body import MEBIBYTE, Intake

MOST_FIELDS: Final = 20_000


class Form:
    """What was filled in. A field that is missing is empty."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = pairs

    def one(self, name: str) -> str:
        return next((value.strip() for given, value in self._pairs if given == name), "")

    def every(self, name: str) -> tuple[str, ...]:
        return tuple(value for given, value in self._pairs if given == name and value)


def form_intake() -> Intake:
    """Forms are small: a few thousand ids."""
    return Intake(most=2 * MEBIBYTE, most_waiting=16 * MEBIBYTE)


async def read_form(request: Request, intake: Intake) -> Form:
    """The form in the body. Raises PayloadError for one that is too large, or none."""
    async with intake.read(request) as body:
        try:
            return Form(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS))
        except ValueError as error:
            raise PayloadError(f"the body is no form: {error}") from None


def list_of(address: str) -> str:
    """The list that the form was on; no other page, and no other site."""
    return address if address.startswith("/logs?") or address == "/logs" else "/logs"


def back_to(address: str, done: str) -> RedirectResponse:
    """The page that the form was on, which then says what was done."""
    path = list_of(address)
    joint = "&" if "?" in path else "?"
    return RedirectResponse(f"{path}{joint}done={done}", status_code=303)
