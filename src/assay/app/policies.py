"""The policies that decide: those of assay.toml, and those that were saved on a page or by a command."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from assay.config.settings import PolicySettings
from assay.errors import AssayError, CallerError, ConfigError, UnknownName
from assay.query import suggest
from assay.sampling.base import Policy
from assay.sampling.load import load_policy
from assay.store.state.connection import State
from assay.store.state.policies import SavedPolicy, list_saved_policies, remove_policy, save_policy

log = logging.getLogger(__name__)

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
IN_FILE: Final = "assay.toml has a policy of this name, and that one decides"

Check = Callable[[Policy], None]
"""Raises ConfigError where a filter of the policy can't be read."""


def read_policy(name: str, settings: Mapping[str, Any], check: Check) -> Policy:
    """The policy that these settings describe. Raises ConfigError with what is wrong, and where."""
    try:
        given = PolicySettings.model_validate(dict(settings))
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in error.errors())
        raise ConfigError(f"policy {name}: {'; '.join(lines)}") from None
    policy = load_policy(name, given.model_dump())
    check(policy)
    return policy


class PolicyShelf(Mapping[str, Policy]):
    """Every policy by its name: those of assay.toml first, then the saved ones as they are at this moment.

    A saved policy that can't be read any more decides nothing, and keeps no other from deciding."""

    def __init__(self, given: Mapping[str, Policy], state: State, project: str, check: Check) -> None:
        self._given = given
        self._state = state
        self._project = project
        self._check = check
        self._read: dict[str, Policy | str] = {}

    def __getitem__(self, name: str) -> Policy:
        return self._given[name] if name in self._given else self._saved()[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._given
        yield from self._saved()

    def __len__(self) -> int:
        return len(self._given) + len(self._saved())

    def rows(self) -> list[tuple[SavedPolicy, Policy | str]]:
        """Every saved policy, or why it decides nothing."""
        return [
            (row, IN_FILE if row.name in self._given else self._policy(row))
            for row in list_saved_policies(self._state, self._project)
        ]

    @property
    def given(self) -> Mapping[str, Policy]:
        """Those of assay.toml."""
        return self._given

    def save(self, name: str, settings: Mapping[str, Any], *, replace: bool, now: datetime) -> Policy:
        """Keep the policy; it decides from the next pass on.

        Raises CallerError for a name that can't be taken, and for what is wrong in it: whoever saves it has
        just written it, here or in a request."""
        if not NAME.fullmatch(name):
            raise CallerError(
                f"{name[:80]!r} is no name for a policy: letters, digits and _, no digit first, 64 at most"
            )
        if name in self._given:
            raise CallerError(f"policy {name}: {IN_FILE}; change it there, or choose another name")
        try:
            policy = read_policy(name, settings, self._check)
        except ConfigError as error:
            raise CallerError(str(error)) from error
        if not save_policy(self._state, self._project, name, settings, now=now, replace=replace):
            raise CallerError(f"policy {name} is saved already; choose another name, or replace it")
        return policy

    def remove(self, name: str) -> None:
        """Forget a saved policy. Raises CallerError for one of assay.toml, UnknownName for none."""
        if remove_policy(self._state, self._project, name):
            return
        if name in self._given:
            raise CallerError(f"policy {name} stands in assay.toml: take it out there")
        raise UnknownName(f"no saved policy `{name}`; {suggest(name, self._saved())}")

    def _saved(self) -> dict[str, Policy]:
        return {row.name: found for row, found in self.rows() if not isinstance(found, str)}

    def _policy(self, row: SavedPolicy) -> Policy | str:
        key = json.dumps([row.name, row.settings], sort_keys=True)
        if key not in self._read:
            try:
                self._read[key] = read_policy(row.name, row.settings, self._check)
            except AssayError as error:
                log.warning("the saved policy %s decides nothing: %s", row.name, error)
                self._read[key] = str(error)
        return self._read[key]
