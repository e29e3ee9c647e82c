"""Posts requests that are ready, on a few connections, and remembers when each was acknowledged."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from typing import NamedTuple

RETRY = frozenset({429, 502, 503, 504})


class Sent(NamedTuple):
    """When each request was acknowledged (monotonic seconds, 0.0 where it never was), how often which
    status was answered (0: no answer), and the seconds from first to last."""

    acked: list[float]
    statuses: Counter[int]
    took_s: float
    waits_s: list[float]


def send(
    port: int,
    path: str,
    bodies: Sequence[bytes],
    headers: Mapping[str, str],
    *,
    connections: int = 4,
    retries: int = 200,
    timeout_s: float = 300.0,
) -> Sent:
    """Each connection takes the next request as soon as its last was answered. What is refused for a
    passing reason is sent again; a request that is refused for good or finds nobody is left out."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(bodies)):
        waiting.put(number)
    acked, statuses, waits = [0.0] * len(bodies), Counter[int](), list[float]()
    lock = threading.Lock()

    def work() -> None:
        link = HTTPConnection("127.0.0.1", port, timeout=timeout_s)
        while True:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                break
            for _ in range(retries):
                began = time.monotonic()
                status = _post(link, path, bodies[number], headers)
                ended = time.monotonic()
                with lock:
                    statuses[status] += 1
                    if status == 200:
                        acked[number] = ended
                        waits.append(ended - began)
                if status not in RETRY:
                    break
                time.sleep(0.2)
            if status == 0:
                break
        link.close()

    began = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Sent(acked, statuses, time.monotonic() - began, waits)


def _post(link: HTTPConnection, path: str, body: bytes, headers: Mapping[str, str]) -> int:
    try:
        link.request("POST", path, body, dict(headers))
        answer = link.getresponse()
        answer.read()
    except (OSError, HTTPException):
        link.close()
        return 0
    return answer.status
