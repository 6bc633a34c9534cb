"""A stand-in for the Hugging Face Hub on 127.0.0.1: repositories of models in memory, as far as push and fetch ask."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlparse

USER = "ada"
Files = dict[str, bytes]


class StandIn(ThreadingHTTPServer):
    """Commits of each repository, the newest last; every request that was made."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, dict[str, Files]] = {}
        self.requests: list[str] = []
        self.refusal: int | None = None  # status of every answer, to try errors

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def commit(self, repository: str, files: Files) -> str:
        commits = self.repositories.setdefault(repository, {})
        whole = (list(commits.values())[-1] if commits else {}) | files
        sha = hashlib.sha1(repr(sorted(whole.items())).encode() + bytes([len(commits)])).hexdigest()
        commits[sha] = whole
        return sha

    def find(self, repository: str, revision: str) -> tuple[str, Files] | None:
        commits = self.repositories.get(repository, {})
        sha = list(commits)[-1] if revision == "main" and commits else revision
        return (sha, commits[sha]) if sha in commits else None


class Handler(BaseHTTPRequestHandler):
    """The routes of the hub that matter here."""

    server: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._read()

    def do_GET(self) -> None:
        self._read()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self._path()
        if path is None:
            return
        if path == "/api/repos/create":
            wanted = json.loads(body)
            name = f"{wanted.get('organization') or USER}/{wanted['name']}"
            there = name in self.server.repositories
            self.server.repositories.setdefault(name, {})
            self._answer(409 if there else 200, {"url": f"{self.server.address}/{name}", "name": name})
        elif path == "/api/validate-yaml":
            self._answer(200, {"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in json.loads(body)["files"]
            ]
            self._answer(200, {"files": files})
        elif "/commit/" in path:
            lines = [json.loads(line) for line in body.splitlines()]
            files = {line["value"]["path"]: base64.b64decode(line["value"]["content"]) for line in lines[1:]}
            name = path.removeprefix("/api/models/").partition("/commit/")[0]
            sha = self.server.commit(name, files)
            self._answer(200, {"commitUrl": f"{self.server.address}/{name}/commit/{sha}", "commitOid": sha})
        else:
            self._answer(404, {})

    def _path(self) -> str | None:
        path = unquote(urlparse(self.path).path)
        self.server.requests.append(f"{self.command} {path}")
        if self.server.refusal is not None:
            self._answer(self.server.refusal, {"error": "refused"})
            return None
        return path

    def _read(self) -> None:
        path = self._path()
        if path is None:
            return
        api = path.startswith("/api/models/")
        repository, _, rest = path.removeprefix("/api/models/" if api else "/").partition(
            "/revision/" if api else "/resolve/"
        )
        revision, _, file = rest.partition("/") if not api else (rest or "main", "", "")
        if repository not in self.server.repositories:
            self._answer(404, {}, {"X-Error-Code": "RepoNotFound"})
            return
        found = self.server.find(repository, revision)
        if found is None:
            self._answer(404, {}, {"X-Error-Code": "RevisionNotFound"})
        elif api:
            siblings = [{"rfilename": name, "size": len(content)} for name, content in found[1].items()]
            self._answer(200, {"id": repository, "sha": found[0], "siblings": siblings})
        elif file not in found[1]:
            self._answer(404, {}, {"X-Error-Code": "EntryNotFound"})
        else:
            content = found[1][file]
            self._answer(200, content, {"X-Repo-Commit": found[0], "ETag": f'"{hashlib.sha1(content).hexdigest()}"'})

    def _answer(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def serving() -> Iterator[StandIn]:
    """Serve until the block ends."""
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
