"""What a function computes, as text that changes when its meaning may: the source of a version.

Comments, formatting, docstrings and the `metric(...)` decorator do not count. Everything at the top
of its file that the function mentions does (other functions, constants, imports), and so on from
there. The insides of imported modules are out of sight: give such a metric a `version=`."""

from __future__ import annotations

import ast
import hashlib
import linecache
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

_SIMPLE = (str, bytes, int, float, bool, type(None))


class Source(NamedTuple):
    """`text` as people wrote it; `canonical` equal for sources that compute the same."""

    text: str
    canonical: str


def fingerprint(*parts: str) -> str:
    """A short hash of the parts, 12 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()[:12]


def source_of(function: Callable[..., object]) -> Source | None:
    """The function's source, or None where Python does not know it (typed at a prompt, say)."""
    code = function.__code__ if hasattr(function, "__code__") else None
    if code is None:
        return None
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, getattr(function, "__globals__", None))
    try:
        tops = _parse("".join(lines))
    except SyntaxError:
        return None
    home = next((top for top in tops if top.first <= code.co_firstlineno <= top.last), None)
    if home is None:
        return None
    canonical = "\n".join([_dump(top.node) for top in _closure(home, tops)] + _captured(function))
    return Source("".join(lines[home.first - 1 : home.last]), canonical)


class _Top(NamedTuple):
    node: ast.stmt
    first: int
    last: int
    binds: frozenset[str]
    mentions: frozenset[str]


@lru_cache(maxsize=8)
def _parse(text: str) -> tuple[_Top, ...]:
    tree = ast.parse(text)
    tops = []
    for node in tree.body:
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
        _strip(node)
        mentions = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        tops.append(_Top(node, first, node.end_lineno or first, frozenset(_binds(node)), frozenset(mentions)))
    return tuple(tops)


def _binds(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
        return
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        return
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id
        elif isinstance(part, ast.stmt) and part is not node:
            yield from _binds(part)


def _closure(home: _Top, tops: tuple[_Top, ...]) -> list[_Top]:
    """The statement and all that it mentions, directly or not, in the order of the file."""
    reached, waiting = {home.first}, [home]
    while waiting:
        mentions = waiting.pop().mentions
        for top in tops:
            if top.first not in reached and top.binds & mentions:
                reached.add(top.first)
                waiting.append(top)
    return [top for top in tops if top.first in reached]


def _captured(function: Callable[..., object]) -> list[str]:
    """Plain values that a function made inside another one took along."""
    cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or () if _filled(cell)]
    defaults = list(getattr(function, "__defaults__", None) or ())
    return [repr(value) for value in cells + defaults if _is_simple(value)]


def _filled(cell: object) -> bool:
    try:
        return hasattr(cell, "cell_contents")
    except ValueError:
        return False


def _is_simple(value: object) -> bool:
    if isinstance(value, tuple):
        return all(_is_simple(part) for part in value)
    return isinstance(value, _SIMPLE)


def _strip(node: ast.stmt) -> None:
    """Cut docstrings and the decorators that make metrics."""
    for part in ast.walk(node):
        if not isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if ast.get_docstring(part, clean=False) is not None:
            part.body = part.body[1:]
        part.decorator_list = [d for d in part.decorator_list if _called(d) != "metric"]


def _called(decorator: ast.expr) -> str:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""


def _dump(value: object) -> str:
    """Like `ast.dump`, but the same under every Python: empty fields are left out."""
    if isinstance(value, ast.AST):
        fields = (
            (name, getattr(value, name, None))
            for name in value._fields
            if name not in ("ctx", "kind", "type_comment")
        )
        inside = ",".join(
            f"{name}={_dump(field)}" for name, field in fields if field is not None and field != []
        )
        return f"{type(value).__name__}({inside})"
    if isinstance(value, list):
        return "[" + ",".join(map(_dump, value)) + "]"
    return repr(value)
