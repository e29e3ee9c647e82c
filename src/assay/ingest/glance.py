"""Is there anything in a request that must be looked at item by item? In most there is nothing."""

from __future__ import annotations

from dataclasses import replace

from google.protobuf.message import DecodeError

from assay.errors import PayloadError
from assay.ingest.payload import Limits
from assay.ingest.scan import ATTRIBUTE, LARGE, VALUE, Shared, cut, excess, small, unfold
from assay.ingest.shapes import Tree, message

LAYOUTS: dict[Tree, dict[int, int]] = {
    "traces": {9: ATTRIBUTE, 11: 3, 13: 4},  # attributes, events and links
    "logs": {5: VALUE, 6: ATTRIBUTE},  # body, attributes
}
"""The fields of an item that the limits hold for."""

_SOON = 5_000
"""So many items are looked at within some milliseconds."""

_OF_RESOURCE, _OF_SCOPE = {1: ATTRIBUTE}, {3: ATTRIBUTE}
_ZERO_TRACE, _ZERO_SPAN = bytes(16), bytes(8)


def count_sound(tree: Tree, content: bytes, limits: Limits) -> int | None:
    """How many items a protobuf request has, each of which will be kept; None where that can't be said.

    Raises PayloadError (413) where it holds too much, DecodeError where it is no such request."""
    items = 0
    for piece in cut(tree, content, limits):
        found = _count_piece(tree, piece, limits)
        if found is None:
            return None
        items += found
    return items


def count_soon(tree: Tree, content: bytes, limits: Limits) -> int | None:
    """The same, which takes some milliseconds at most: None, too, of what is large or broken or has many
    or large items."""
    few = replace(limits, max_spans=min(limits.max_spans, _SOON))
    try:
        return _count_piece(tree, content, few, soon=True) if len(content) <= LARGE else None
    except (DecodeError, PayloadError):
        return None


def _count_piece(tree: Tree, content: bytes, limits: Limits, *, soon: bool = False) -> int | None:
    parts = unfold(tree, content, limits)
    if soon and any(_is_large(part, limits) for part in parts):
        return None
    try:
        if any(_has_excess(tree, part, limits) for part in parts):
            return None
        export = message(tree, "Strict.Export").FromString(content)
    except DecodeError:
        return None
    if tree == "traces":
        for group in export.groups:
            for scope in group.scopes:
                for span in scope.items:
                    trace_id, span_id = span.trace_id, span.span_id
                    if len(trace_id) != 16 or len(span_id) != 8:
                        return None
                    if trace_id == _ZERO_TRACE or span_id == _ZERO_SPAN:
                        return None
    return sum(len(part.items) for part in parts)


def _has_excess(tree: Tree, part: Shared, limits: Limits) -> bool:
    if shared_excess(part, limits):
        return True
    if max(map(len, part.items), default=0) <= small(limits):
        return False
    return any(excess(raw, LAYOUTS[tree], limits) for raw in part.items)


def _is_large(part: Shared, limits: Limits) -> bool:
    """Whether anything in it would be counted attribute by attribute."""
    return max(map(len, (part.resource, part.scope, *part.items))) > small(limits)


def shared_excess(shared: Shared, limits: Limits) -> str:
    """Why what some items share is over the limits; empty where it is not. Raises DecodeError."""
    for owner, raw, layout in (
        ("resource", shared.resource, _OF_RESOURCE),
        ("scope", shared.scope, _OF_SCOPE),
    ):
        if reason := excess(raw, layout, limits):
            return f"{owner}: {reason}"
    return ""
