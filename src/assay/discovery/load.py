"""Which embedder a project uses."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Mapping
from typing import Final

from assay.discovery.base import Embedder
from assay.discovery.endpoint import EndpointEmbedder, Vectorizer
from assay.discovery.hashing import HashingEmbedder
from assay.discovery.static import StaticEmbedder, find_folder
from assay.errors import ConfigError

BUILT_IN: Final = ("auto", "static", "hashing", "endpoint", "off")


def load_embedder(
    name: str, *, common: Collection[str], endpoint: Callable[[], Vectorizer]
) -> Embedder | None:
    """The embedder of that name: a built-in one, or `module:factory`; None where it is `off`.

    `auto` is `static` where its vectors are installed, else `hashing`. Raises ConfigError for a name that
    is none, ExtraMissing where `static` is not installed."""
    makers: Mapping[str, Callable[[], Embedder | None]] = {
        "auto": lambda: StaticEmbedder() if find_folder() else HashingEmbedder(common),
        "static": StaticEmbedder,
        "hashing": lambda: HashingEmbedder(common),
        "endpoint": lambda: EndpointEmbedder(endpoint()),
        "off": lambda: None,
    }
    if name in makers:
        return makers[name]()
    module, colon, attribute = name.partition(":")
    if not colon:
        raise ConfigError(
            f"embeddings.embedder is {name!r}; there are {', '.join(BUILT_IN)}, "
            "and your own as module:factory"
        )
    try:
        made: Embedder = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"embeddings.embedder = {name!r} can't be loaded: {error}; "
            "give it as module:factory, where factory() returns an embedder"
        ) from error
    return made
