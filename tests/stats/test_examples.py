"""Every example in a docstring of `stats` is true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import assay.stats

MODULES = sorted(module.name for module in pkgutil.iter_modules(assay.stats.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name: str) -> None:
    module = importlib.import_module(f"assay.stats.{name}")
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_has_an_example_and_says_what_it_assumes(name: str) -> None:
    module = importlib.import_module(f"assay.stats.{name}")
    functions = [
        each
        for key, each in vars(module).items()
        if callable(each)
        and not key.startswith("_")
        and getattr(each, "__module__", "") == module.__name__
        and not isinstance(each, type)
    ]
    assert functions
    for function in functions:
        assert ">>>" in (function.__doc__ or ""), f"{name}.{function.__name__} has no example"
