"""The judging page as a server for this machine: needs the extra [serve]."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from ponderank.errors import DataError, MissingExtra
from ponderank.judging import page
from ponderank.judging.events import event_of, named_assessor
from ponderank.judging.opinions import Opinion
from ponderank.judging.pool import Pool
from ponderank.judging.store import Store

try:
    import uvicorn
    from fastapi import FastAPI, Request
    from fastapi.responses import Response
    from starlette.concurrency import run_in_threadpool
except ImportError as error:
    raise MissingExtra("serve", "the judging page") from error

_LONGEST = 65_536
"""Bytes of a request's body."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Passages are strangers' text: even if one got into the page as more than text, nothing of it could run or call out."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host.

    >>> is_loopback("localhost"), is_loopback("127.0.0.2"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def application(
    pool: Pool, store: Store, opinions: Mapping[str, Sequence[Opinion]] | None = None, *, local_only: bool = True
) -> FastAPI:
    """The page and its answers. ``local_only`` refuses requests that name this server other than by a loopback address."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    store.add_pool(pool)
    _guard(app, local_only=local_only)
    _files(app)

    @app.get("/api/outline")
    def outline(assessor: str) -> Response:
        who = named_assessor(assessor)
        return _json(page.outline(pool, who, store.events(pool.fingerprint, who)))

    @app.get("/api/passages/{query}")
    def passages(query: str) -> Response:
        return _json(page.passages(pool, query))

    @app.post("/api/events")
    async def events(request: Request) -> Response:
        record = await _body(request)
        event = event_of({**record, "time": ""}, pool, assessor=named_assessor(record.get("assessor")), origin="page")
        added = await run_in_threadpool(store.append, pool.fingerprint, [event])
        answer: dict[str, Any] = {"taken": event.client, "new": bool(added)}
        if event.kind == "reveal":  # the store has checked that this assessor's grade stands
            answer["hidden"] = page.hidden(pool.by_key[event.item], opinions or {})
        return _json(answer)

    return app


def _files(app: FastAPI) -> None:
    @app.get("/")
    def root() -> Response:
        return Response(page.part("page.html"), media_type="text/html")

    @app.get("/{name}")
    def part(name: str) -> Response:
        if name not in page.PARTS:
            return Response("nothing here", status_code=404, media_type="text/plain")
        return Response(page.part(name), media_type=page.PARTS[name])


def _guard(app: FastAPI, *, local_only: bool) -> None:
    @app.exception_handler(DataError)
    async def told(_: Request, error: DataError) -> Response:
        return _json({"error": str(error)}, 422)

    @app.middleware("http")
    async def guarded(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        refusal = _refusal(request, local_only=local_only)
        answer = Response(refusal, 403, media_type="text/plain") if refusal else await go_on(request)
        answer.headers.update(HEADERS)
        return answer


def _refusal(request: Request, *, local_only: bool) -> str:
    """Why a request is not answered: another web page may have sent it, through this machine's browser."""
    host = request.headers.get("host", "")
    if local_only and not is_loopback(host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host):
        return "this page is served to this machine only; call it by 127.0.0.1 or localhost"
    if request.method in ("GET", "HEAD"):
        return ""
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != host:
        return "a judgement is taken from this server's own page only"
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return "a judgement is sent as application/json"
    return ""


def _json(value: Any, status: int = 200) -> Response:
    """ASCII JSON: of a lone surrogate in a passage, which UTF-8 cannot hold, its escape."""
    return Response(json.dumps(value), status, media_type="application/json")


async def _body(request: Request) -> dict[str, Any]:
    read = bytearray()
    async for piece in request.stream():
        read += piece
        if len(read) > _LONGEST:
            raise DataError(f"a judgement has at most {_LONGEST} bytes")
    try:
        record = json.loads(read)
    except ValueError as error:
        raise DataError(f"not JSON: {error}") from error
    if not isinstance(record, dict):
        raise DataError("a judgement is a JSON object")
    return record


def listening(host: str, port: int, *, open_to_network: bool = False) -> socket.socket:
    """A socket to serve on; port 0 takes a free one.

    Raises:
        DataError: the host is not this machine alone and ``open_to_network`` was not given, or the port is taken.
    """
    if not is_loopback(host) and not open_to_network:
        raise DataError(
            f"host {host} can be reached from other machines, and the page asks for no password: whoever reaches it can "
            "read the passages and judge in anybody's name; keep 127.0.0.1, or say --open-to-network if that is meant"
        )
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError as error:
        raise DataError(f"cannot listen on {host}:{port}: {error.strerror or error}; give another --port") from error
    return made


def serve(app: FastAPI, at: socket.socket) -> None:
    """Answer until interrupted."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, lifespan="off", ws="none")
    uvicorn.Server(config).run(sockets=[at])
