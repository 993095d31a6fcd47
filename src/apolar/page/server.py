"""The site: one page that answers its own form, a style sheet, and the headers that keep everything else out."""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Callable, Collection
from functools import lru_cache, partial
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, abort, render_template, request, url_for
from waitress.server import TcpWSGIServer
from werkzeug.exceptions import HTTPException

from apolar import __version__
from apolar.explanation.html import STYLE
from apolar.page.answer import answer
from apolar.page.question import MAX_CHARACTERS, ORDERS, ZOOMS, Question, Refusal
from apolar.page.texts import text, texts
from apolar.page.workers import Busy, Crashed, Pool, TooLong
from apolar.text.languages import LANGUAGES, TAGS, Language

EXAMPLES = (
    Question("cos(x^2)", "x=0.5", 2),
    Question("x^3 + 2*x^2 + 1", "x=2", 2),
    Question("x^2*y + sin(x*y)", "x=1, y=2"),
    Question("(1-x)^2 + 100*(y-x^2)^2", "x=-1, y=1"),
    Question("exp(-x^2-y^2)", "x=0.5, y=0.3"),
    Question("x*y*z + sin(z)", "x=1, y=2, z=pi"),
)

LANGUAGE_NAMES = {"en": "English", "zh": "中文"}
"""In the language itself."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}

HEADER_BYTES, BODY_BYTES, THREADS, CONNECTIONS = 65_536, 1024, 8, 200
"""What the server takes of one request, and how many at once; the page itself never sends a body."""

SPARE, IDLE_SECONDS = 10, 20
"""So many connections are kept free; and after so many seconds without a word one is closed."""

REMEMBERED = 16
"""Answers that are kept, for the back button and for links that are opened again."""


def application(ask: Callable[[Question], Any], names: Collection[str] = ()) -> Flask:
    """The site as a WSGI application.

    Args:
        ask: gives the answer to a question, such as ``Pool.ask``.
        names: by which the site may be addressed, so that no other site can pass for it (DNS rebinding); any by default.
    """
    app = Flask(__name__)
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    remembered = lru_cache(REMEMBERED)(ask)

    @app.before_request
    def check_name() -> None:
        if names and urlsplit(f"//{request.host}").hostname not in names:
            abort(400)

    @app.get("/")
    def page() -> tuple[str, int]:
        question = _question()
        asked = "f" in request.args or "at" in request.args
        found, status = _found(remembered, question) if asked else (None, 200)
        return _page("page.html", question, found=found), status

    @app.get("/explain.css")
    def explanation_style() -> Response:
        return Response(STYLE, mimetype="text/css")

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> tuple[str, int] | HTTPException:
        if error.code is None or error.code < 400:
            return error
        question = Question("", "", lang=_language())
        name = "not_found" if error.code == 404 else "bad_request"
        return _page("error.html", question, message=text(name, question.lang)), error.code

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers.update(HEADERS)
        response.headers.setdefault("Cache-Control", "no-cache")
        return response

    return app


def _found(ask: Callable[[Question], Any], question: Question) -> tuple[Any, int]:
    """The answer or a refusal, and its status."""
    say = partial(text, lang=question.lang)
    try:
        found = ask(question)
    except TooLong as error:
        return Refusal("", say("too_long").format(seconds=error.seconds)), 422
    except Busy:
        return Refusal("", say("busy")), 503
    except Crashed:
        return Refusal("", say("failed")), 500
    return found, 422 if isinstance(found, Refusal) else 200


def _question() -> Question:
    """What the address asks; what is not among the choices is as if it were not there."""
    order = request.args.get("order", 0, type=int)
    zoom = request.args.get("zoom", 0, type=int)
    return Question(
        request.args.get("f", ""),
        request.args.get("at", ""),
        order if order in ORDERS else 1,
        min(max(zoom, ZOOMS[0]), ZOOMS[-1]),
        _language(),
    )


def _language() -> Language:
    """The one that was chosen, or the one that the browser prefers."""
    chosen = request.args.get("lang", "")
    found = chosen if chosen in LANGUAGES else request.accept_languages.best_match(LANGUAGES, "en")
    return "zh" if found == "zh" else "en"


def _page(template: str, question: Question, **content: Any) -> str:
    def link(of: Question = question, **changed: Any) -> str:
        """The address of a question, with some of its parts changed."""
        parts = {"f": of.formula, "at": of.at, "order": of.order, "zoom": of.zoom, "lang": question.lang, **changed}
        return url_for("page", **{k: v for k, v in parts.items() if v not in ("", 0)})

    return render_template(
        template,
        t=texts(question.lang),
        question=question,
        link=link,
        languages=LANGUAGE_NAMES,
        tags=TAGS,
        orders=ORDERS,
        zooms=ZOOMS,
        examples=EXAMPLES,
        longest=10 * MAX_CHARACTERS,
        version=__version__,
        **content,
    )


# --------------------------------------------------------------------------------------------------------------- server


class Server(TcpWSGIServer):
    """Always has room for a connection: nobody can take all of them by opening them and asking nothing, or only slowly."""

    def readable(self) -> bool:
        """Called before each wait for connections and data."""
        if len(self._map) >= self.adj.connection_limit - SPARE:
            silent = [c for c in self.active_channels.values() if not (c.requests or c.will_close)]
            for oldest in sorted(silent, key=lambda channel: channel.creation_time)[:1]:
                oldest.will_close = True
        return bool(super().readable())


def serve(host: str = "127.0.0.1", port: int = 8765, started: Callable[[str], object] = print) -> None:
    """Serve the page until Ctrl-C.

    Args:
        host: the address to listen on. That of the loopback device is reached from this machine only, and the page
            then answers only to names of this machine.
        port: 0 for any free one.
        started: is called with the address of the page as soon as it listens.

    Raises:
        OSError: the address cannot be listened on, for example because the port is in use.
    """
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.create_server(address[:2], family=family)
    own, port = listening.getsockname()[:2]
    loopback = ipaddress.ip_address(own.partition("%")[0]).is_loopback
    pool = Pool(answer, EXAMPLES[0])
    try:
        server = Server(
            application(pool.ask, LOOPBACK_NAMES | {own} if loopback else ()),
            _sock=listening,
            bind_socket=False,
            sockinfo=(family, socket.SOCK_STREAM, 0, listening.getsockname()),
            threads=THREADS,
            connection_limit=CONNECTIONS,
            channel_timeout=IDLE_SECONDS,
            cleanup_interval=IDLE_SECONDS // 4,
            max_request_header_size=HEADER_BYTES,
            max_request_body_size=BODY_BYTES,
            ident=None,
        )
        shown = "localhost" if ipaddress.ip_address(own.partition("%")[0]).is_unspecified else _bracketed(own)
        started(f"http://{shown}:{port}/")
        server.run()
    finally:
        listening.close()
        pool.close()


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
