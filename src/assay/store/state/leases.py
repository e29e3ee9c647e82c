"""Leases: which process may do what only one may, where several share the stores."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, update

from assay.store.state.connection import State
from assay.store.state.tables import LEASES
from assay.store.state.versions import insert_once


def take_lease(state: State, name: str, holder: str, *, now: datetime, ttl: timedelta) -> bool:
    """Take the lease, or prolong it where `holder` has it; whether it is the holder's until `now + ttl`.

    One that was not prolonged in time is anybody's: its holder is taken to be gone."""
    until = now + ttl
    free = (LEASES.c.name == name) & ((LEASES.c.holder == holder) | (LEASES.c.until < now))
    with state.write() as connection:
        if connection.execute(update(LEASES).where(free).values(holder=holder, until=until)).rowcount:
            return True
        return insert_once(connection, LEASES, {"name": name, "holder": holder, "until": until})


def release_lease(state: State, name: str, holder: str) -> None:
    """Give the lease back; one that is another's by now is left to it."""
    own = (LEASES.c.name == name) & (LEASES.c.holder == holder)
    with state.write() as connection:
        connection.execute(delete(LEASES).where(own))
