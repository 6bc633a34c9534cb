"""Start the studio: find a port, say where it is, open the browser, serve until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
import threading
import time
import webbrowser
from dataclasses import replace

import uvicorn

from simulacra.cli.output import show
from simulacra.errors import ConfigError
from simulacra.storage import discard_unfinished
from simulacra.studio.app import build
from simulacra.studio.settings import Settings

FIRST_PORT, PORTS = 8_420, 20  # tried one after the other where none is asked for
IDLE = 15  # seconds that a connection may stay open without a request
PATIENCE = 30.0  # seconds to wait for the server before the browser is opened


def serve(settings: Settings, *, browser: bool) -> None:
    """Serve until interrupted. Raises `ConfigError` where the port or the address cannot be had."""
    listening = _listening(settings)
    port = listening.getsockname()[1]
    token = settings.token or (None if settings.local else secrets.token_urlsafe(24))
    settings = replace(settings, port=port, token=token)
    server = uvicorn.Server(_config(settings))
    show(f"The studio is at {_address(settings)}")
    show("Press Ctrl-C to stop it; a training that it started continues.")
    if browser and _has_screen():
        threading.Thread(target=_open, args=(server, _address(settings)), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
    sys.stdout.flush()
    discard_unfinished()
    os._exit(0)  # work in threads cannot be interrupted, and nothing that it would find is needed any more


def _config(settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        build(settings), log_level="warning", access_log=False, server_header=False, timeout_keep_alive=IDLE,
        timeout_graceful_shutdown=2, h11_max_incomplete_event_size=64 << 10, limit_concurrency=512,
    )  # fmt: skip


def _listening(settings: Settings) -> socket.socket:
    """Take the port that was asked for, or the first free one. Raises `ConfigError`."""
    asked = [settings.port] if settings.port else range(FIRST_PORT, FIRST_PORT + PORTS)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    reason = ""
    for port in asked:
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio then sends at once
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((settings.host, port))
            listening.listen(128)
        except OSError as error:
            listening.close()
            reason = error.strerror or str(error)
        else:
            return listening
    raise ConfigError(
        f"The studio cannot listen at {settings.host}, port {asked[0]}: {reason}. Choose another: --port 8500"
    )


def _address(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    host = socket.gethostname() if host in ("0.0.0.0", "[::]") else host
    return f"http://{host}:{settings.port}/" + (f"?token={settings.token}" if settings.token else "")


def _has_screen() -> bool:
    """Whether a browser could be shown."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open(server: uvicorn.Server, address: str) -> None:
    until = time.monotonic() + PATIENCE
    while not server.started and time.monotonic() < until:
        time.sleep(0.05)
    with contextlib.suppress(webbrowser.Error):
        webbrowser.open(address)
