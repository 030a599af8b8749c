"""A server on the loopback that speaks as much of the OpenAI chat protocol as a client needs for text answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[[list[dict[str, Any]]], str]
"""The messages of a request to the text that answers them."""


class OpenAIServer:
    """Answers ``POST /v1/chat/completions``, whole or as a stream of server-sent events, a word each.

    ``requests`` has the body of each request, in order.
    """

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.requests: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def base_url(self) -> str:
        """What a client is given as its ``base_url``."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @contextmanager
    def running(self) -> Iterator[OpenAIServer]:
        """Serves until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path != "/v1/chat/completions":
                    self.send_error(404)
                    return
                server.requests.append(body)
                self.send_response(200)
                kind, parts = _stream(server.reply, body) if body.get("stream") else _whole(server.reply, body)
                self.send_header("Content-Type", kind)
                self.send_header("Connection", "close")
                self.end_headers()
                for part in parts:
                    self.wfile.write(part)
                    self.wfile.flush()

            def log_message(self, *arguments: object) -> None:
                """Says nothing."""

        return Handler


def _whole(reply: Reply, body: dict[str, Any]) -> tuple[str, Iterator[bytes]]:
    text = reply(body["messages"])
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": len(text.split()), "total_tokens": 1 + len(text.split())}
    answer = _envelope(body, "chat.completion") | {"choices": [choice], "usage": usage}
    return "application/json", iter([json.dumps(answer).encode()])


def _stream(reply: Reply, body: dict[str, Any]) -> tuple[str, Iterator[bytes]]:
    def events() -> Iterator[bytes]:
        words = reply(body["messages"]).split(" ")
        yield _event(body, {"role": "assistant", "content": ""}, None)
        for place, word in enumerate(words):
            yield _event(body, {"content": word if place == 0 else f" {word}"}, None)
        yield _event(body, {}, "stop")
        yield b"data: [DONE]\n\n"

    return "text/event-stream", events()


def _event(body: dict[str, Any], delta: dict[str, str], finish: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps(_envelope(body, 'chat.completion.chunk') | {'choices': [choice]})}\n\n".encode()


def _envelope(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 0, "model": body["model"]}
