"""Real applications, instrumented by the packages that people use, against a real `assay serve`.

Each runs in an environment of its own as a process of its own, talks to a model on this machine, and
sends what its package sends. All hold the same conversation of five turns: a greeting, a tool, a stream,
and two requests that the model refuses."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.clients import environment
from tests.clients.endpoint import ANSWERS, ASKED, MODEL, Endpoint, serve_model
from tests.llm.endpoint import free_port
from tests.scenarios.project import Project, Server

pytestmark = pytest.mark.slow

RUN_S = 120.0
SEEN_S = 60.0
SUNNY = "sunny, 21 degrees"
SETTINGS = """\
[conversation]
idle_minutes = 0

[server]
settle_every_s = 1
grpc_port = {port}

[policies.daily]
unit = "conversation"
rate = 1.0
"""


class World(NamedTuple):
    """The server, where it takes gRPC, and the model."""

    project: Project
    server: Server
    grpc: str
    model: Endpoint


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    port = free_port()
    project = Project(tmp_path_factory.mktemp("live"), SETTINGS.format(port=port))
    with serve_model() as model, project.serving() as server:
        yield World(project, server, f"127.0.0.1:{port}", model)


@pytest.fixture(scope="session")
def python() -> Path:
    try:
        return environment.python()
    except environment.NoClients as error:
        pytest.skip(f"the clients can't be installed: {error}")


CLIENTS = {
    "openinference-openai": "openinference_openai.py",
    "openinference-langchain": "langchain_agent.py",
    "otel-genai-openai": "genai_openai.py",
    "pydantic-ai": "pydantic_agent.py",
    "traceloop": "traceloop_openai.py",
    "langfuse": "langfuse_openai.py",
    "mlflow": "mlflow_openai.py",
}
ASKED_ALONE = {"openinference-langchain"}
"""Their streams say which model was asked for, not which one answered."""


@pytest.mark.parametrize("client", CLIENTS)
def test_a_conversation_arrives_whole(client: str, world: World, python: Path) -> None:
    run([str(python), str(environment.APPS / CLIENTS[client])], client, world)
    check(client, world)


def test_the_same_over_grpc(world: World, python: Path) -> None:
    app = environment.APPS / CLIENTS["openinference-openai"]
    run([str(python), str(app)], "grpc", world, APP_GRPC=world.grpc)
    check("grpc", world)


def test_a_conversation_of_the_vercel_sdk_arrives_whole(world: World) -> None:
    try:
        node, app = environment.node()
    except environment.NoClients as error:
        pytest.skip(f"the Vercel AI SDK can't be installed: {error}")
    run([node, str(app)], "vercel", world)
    check("vercel", world)


def test_a_score_of_langfuse_is_feedback(world: World, python: Path) -> None:
    run([str(python), str(environment.APPS / "langfuse_openai.py")], "langfuse-score", world)
    page = conversation("talk-langfuse-score", world)
    assert page["turns"][0]["facts"]["feedback"] == 1.0


def run(command: list[str], client: str, world: World, **more: str) -> None:
    """The application, until it has sent everything."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ASSAY_", "OTEL_"))}
    told = {
        "APP_ASSAY": world.server.url,
        "APP_MODEL": world.model.url,
        "APP_KEY": f"key-{client}",
        "APP_TALK": f"talk-{client}",
        "APP_USER": f"user-{client}",
        "PYTHONWARNINGS": "ignore",
        "DO_NOT_TRACK": "true",
        "OTEL_SERVICE_NAME": "live",
    }
    done = subprocess.run(
        command, env={**kept, **told, **more}, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"


def check(client: str, world: World) -> None:
    """The conversation as the API tells it: ids, texts, tokens, tool calls and errors."""
    page = conversation(f"talk-{client}", world)
    turns, facts = page["turns"], page["facts"]
    said = [(turn["turn"]["input"], turn["turn"]["output"]) for turn in turns]
    assert said[:3] == list(ANSWERS.items())
    assert [ask for ask, _ in said[3:]] == ["Cause a bad request", "Cause a rate limit"]
    assert [bool(turn["turn"]["error"]) for turn in turns] == [False, False, False, True, True]
    (call,) = (call for turn in turns for call in turn["turn"]["tool_calls"])
    assert (call["name"], call["error"]) == ("get_weather", False)
    assert "Paris" in call["arguments"]
    assert SUNNY in call["result"]
    models = {turn["facts"]["model"] for turn in turns[:3]}
    assert models == {MODEL} | ({ASKED} if client in ASKED_ALONE else set())
    assert (facts["input_tokens"], facts["output_tokens"]) == world.model.tokens[f"key-{client}"]
    assert facts["user_id"] == f"user-{client}"
    assert facts["service"] == "live"


def conversation(talk: str, world: World) -> Any:
    """The conversation once it has five turns with facts."""
    until, page = time.monotonic() + SEEN_S, None
    while time.monotonic() < until:
        answer = world.server.http.get("/api/conversations", params={"id": talk})
        page = answer.json() if answer.status_code == 200 else None
        if page and len(page["turns"]) >= 5 and page["settled"] and all(t["facts"] for t in page["turns"]):
            return page
        time.sleep(0.5)
    raise AssertionError(f"no five turns of {talk!r} after {SEEN_S:.0f} s: {page}")
