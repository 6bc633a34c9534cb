"""What a studio refuses, each with its status, while it goes on to answer others."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests import studio

pytest.importorskip("fastapi", reason="needs the extra studio")
from starlette.testclient import TestClient

from simulacra.studio import settings
from simulacra.studio.app import build
from simulacra.studio.jobs import Job, Jobs
from simulacra.studio.settings import Settings

LOCAL = "http://localhost:8420"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "secret.txt").write_text("secret")
    studio.untrained(folder / "runs" / "vae", "vae", latent=4)
    studio.untrained(folder / "elsewhere", "vae", latent=4)
    (folder / "runs" / "link").symlink_to(folder / "elsewhere", target_is_directory=True)
    return folder / "runs"


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[TestClient]:
    with TestClient(build(Settings(home)), base_url=LOCAL) as opened:
        yield opened


def bomb() -> bytes:
    """A PNG of 30,000 x 30,000 pixels in a few hundred bytes."""
    head = b"\x00\x00\x75\x30\x00\x00\x75\x30\x08\x00\x00\x00\x00"

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def polyglot() -> bytes:
    """A picture that is a zip and a page too."""
    return b"GIF89a/*" + SVG + b"*/=1;<script>alert(1)</script>PK\x03\x04"


VAE = "/api/runs/vae/"
Z = [[0.0, 0.0, 0.0, 0.0]]
TABLE: list[tuple[str, str, Any, int]] = [  # what, where, the body, the status
    ("a path in place of a run", "/api/runs/..%2Felsewhere/sample", {}, 405),
    ("a path that goes up", "/api/runs/../../elsewhere/sample", {}, 405),
    ("a run outside, behind a link", "/api/runs/link/sample", {}, 404),
    ("a run with a null byte", "/api/runs/vae%00/sample", {}, 404),
    ("an SVG", VAE + "reconstruct", {"picture": studio.address(SVG, "image/svg+xml")}, 422),
    ("a polyglot", VAE + "reconstruct", {"picture": studio.address(polyglot(), "image/gif")}, 422),
    ("a decompression bomb", VAE + "reconstruct", {"picture": studio.address(bomb())}, 422),
    ("a picture by its address", VAE + "reconstruct", {"picture": "http://example.com/x.png"}, 422),
    ("a picture by its path", VAE + "reconstruct", {"picture": "file:///etc/passwd"}, 422),
    ("half a picture", VAE + "reconstruct", {"picture": studio.png()[:-40]}, 422),
    ("latents that are too many", VAE + "decode", {"latents": Z * (settings.IMAGES + 1)}, 422),
    ("latents of another model", VAE + "decode", {"latents": [[0.0] * 5]}, 422),
    ("latents that are huge", VAE + "decode", {"latents": [[1e30, 0, 0, 0]]}, 422),
    ("latents that are words", VAE + "decode", {"latents": [["a", "b", "c", "d"]]}, 422),
    ("codes that there are not", VAE + "decode", {"latents": Z, "codes": {"digit": 3}}, 409),
    ("a billion images", VAE + "sample", {"n": 10**9}, 422),
    ("a key that there is not", VAE + "sample", {"n": 1, "out": "/tmp/x"}, 422),
    ("a prior by its path", VAE + "sample", {"n": 1, "prior": "/tmp/p.safetensors"}, 422),
    ("a step count without end", VAE + "invert", {"picture": studio.png(), "steps": 10**6}, 422),
    ("a verb that the family lacks", VAE + "translate", {"picture": studio.png()}, 409),
    ("a class by a path", VAE + "arithmetic", {"picture": studio.png(), "plus": {"label": "/etc"},
                                               "minus": {"label": "1"}}, 422),
    ("an operation that reads files", "/api/transform", {"picture": studio.png(), "steps": "inpaint mask=/etc/x"}, 422),
    ("an operation without end", "/api/transform", {"picture": studio.png(), "steps": "zoom " * 5_000}, 422),
    ("a recipe by its path", "/api/jobs", {"recipe": "/tmp/evil.toml"}, 422),
    ("data by its path", "/api/jobs", {"recipe": "vae", "data": "/etc"}, 422),
    ("data by an option", "/api/jobs", {"recipe": "vae", "options": {"data.name": "/etc"}}, 422),
    ("an option of the command line", "/api/jobs", {"recipe": "vae", "options": {"out": "/tmp/x"}}, 422),
    ("a plug-in", "/api/jobs", {"recipe": "vae", "options": {"plugin": "/tmp/evil.py"}}, 422),
    ("a name with a path", "/api/jobs", {"recipe": "vae", "name": "../../x"}, 422),
    ("an upload by a path", "/api/jobs", {"recipe": "vae", "upload": "../../etc"}, 422),
    ("a job that there is not", "/api/jobs/99/stop", {}, 404),
    ("a run to resume by its path", "/api/jobs/resume", {"run": "../elsewhere"}, 404),
    ("a method for nothing", "/api/runs", {}, 405),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_hostile_request_is_refused(client: TestClient, path: str, body: Any, status: int) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    assert "secret" not in answer.text
    assert isinstance(answer.json()["detail"], str)
    assert client.get("/api/about").status_code == 200


def test_latents_that_are_no_numbers_are_refused(client: TestClient) -> None:
    for text in ("NaN", "Infinity", "-Infinity", "1e999"):
        answer = client.post(
            VAE + "decode", content=f'{{"latents": [[{text}, 0, 0, 0]]}}', headers={"content-type": "application/json"}
        )
        assert answer.status_code == 422, text


@pytest.mark.parametrize("path", ["/..%2f..%2fsecret.txt", "/%2e%2e/secret.txt", "/../app.py", "/..\\app.py"])
def test_no_file_beside_the_page_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_another_name_for_this_machine_is_not_answered(client: TestClient) -> None:
    for host in ("evil.example", "evil.example:8420", "localhost.evil.example", "10.0.0.1:8420", ""):
        assert client.get("/api/runs", headers={"host": host}).status_code == 421, host
    for host in ("localhost:8420", "127.0.0.1", "[::1]:8420"):
        assert client.get("/api/runs", headers={"host": host}).status_code == 200, host


def test_another_site_changes_nothing(client: TestClient) -> None:
    for headers in ({"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
                    {"origin": "http://localhost:9999"}):  # fmt: skip
        answer = client.post("/api/jobs", json={"recipe": "quickstart"}, headers=headers)
        assert answer.status_code == 403, headers
    same = client.post(VAE + "sample", json={"n": 1}, headers={"origin": LOCAL, "sec-fetch-site": "same-origin"})
    assert same.status_code == 200


def test_a_form_of_another_site_is_no_json(client: TestClient) -> None:
    answer = client.post("/api/jobs", content=b'{"recipe": "quickstart"}', headers={"content-type": "text/plain"})
    assert answer.status_code == 422


def test_every_answer_forbids_what_lies_elsewhere(client: TestClient) -> None:
    for path in ("/", "/main.js", "/api/runs", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_a_body_beyond_its_limit_is_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulacra.studio.guard.BODY", 1_000)
    said = client.post(VAE + "sample", content=b"x", headers={"content-length": str(1 << 30)})
    assert said.status_code == 413, "by its length alone"

    def endless() -> Iterator[bytes]:
        yield from [b'{"n": 1, "x": "'] + [b"a" * 400] * 100

    unsaid = client.post(VAE + "sample", content=endless(), headers={"content-type": "application/json"})
    assert unsaid.status_code == 413, "by what has come"
    assert client.post(VAE + "sample", json={"n": 1}).status_code == 200


def test_a_queue_that_is_full_takes_no_more(home: Path, tmp_path: Path) -> None:
    studio.untrained(tmp_path / "vae", "vae", latent=4)
    jobs = Jobs(tmp_path / settings.STATE / "jobs")
    for number in range(1, settings.JOBS + 1):
        jobs._write(Job(number, ("recipes",), f"run-{number}", "", 0.0))
    blocked = (tmp_path / settings.STATE / "jobs" / "queue.lock").open("a")
    from simulacra.studio.jobs import locked

    assert locked(blocked), "so that this server starts none of them"
    with TestClient(build(Settings(tmp_path)), base_url=LOCAL) as client:
        answer = client.post("/api/jobs", json={"recipe": "quickstart"})
        assert answer.status_code == 429
        assert client.get("/api/runs").status_code == 200


def test_uploads_keep_only_pictures_below_their_own_folder(client: TestClient, home: Path) -> None:
    upload = client.post("/api/uploads?name=../../x").json()
    picture = studio.encoded(Image.new("L", (8, 8)))
    files = {
        "../../../escaped.png": picture, "/etc/escaped.png": picture, "evil.svg": SVG, "page.html": b"<script>",
        "evil.png": SVG, "bomb.png": bomb(), "run.py": b"import os", "C:\\escaped.png": picture,
    }  # fmt: skip
    sent = [("files", (name, content)) for name, content in files.items()]
    kept = client.post(f"/api/uploads/{upload['id']}/files", files=sent).json()
    assert kept["kept"] == 3
    assert len(kept["refused"]) == 5
    place = home / settings.STATE / "uploads" / upload["id"]
    everywhere = set(home.parent.rglob("*escaped*"))
    assert everywhere
    assert all(place in path.parents for path in everywhere)
    assert client.get("/api/uploads/..%2f..%2f..%2f..%2f/survey").status_code in (404, 422)


def test_a_zip_bomb_is_refused_when_it_is_looked_at(client: TestClient) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.png", bytes(300 << 20))
    upload = client.post("/api/uploads?name=bomb").json()
    sent = client.post(f"/api/uploads/{upload['id']}/files", files=[("files", ("bomb.zip", buffer.getvalue()))])
    assert sent.json()["kept"] == 1
    answer = client.get(f"/api/uploads/{upload['id']}/survey")
    assert answer.status_code == 422
    assert str(Path.cwd()) not in json.dumps(answer.json())


def test_a_studio_for_viewing_changes_nothing(home: Path) -> None:
    with TestClient(build(Settings(home, view=True)), base_url=LOCAL) as client:
        assert client.post(VAE + "sample", json={"n": 1}).status_code == 200
        assert client.post(VAE + "decode", json={"latents": Z}).status_code == 200
        for path in ("/api/jobs", "/api/jobs/resume", "/api/uploads?name=x", "/api/jobs/1/stop"):
            assert client.post(path, json={"recipe": "quickstart"}).status_code == 403, path
        assert client.put(VAE + "note", json={"star": True}).status_code == 403
        assert client.delete("/api/uploads/0123456789abcdef").status_code == 403


def test_other_machines_show_a_token(home: Path) -> None:
    with TestClient(build(Settings(home, host="0.0.0.0", token="right")), base_url="http://192.168.0.7:8420") as client:
        assert client.get("/api/runs").status_code == 401
        assert client.get("/?token=wrong").status_code == 401
        assert client.get("/api/runs?token=right").status_code == 401, "only the page's own address takes it"
        assert client.get("/api/runs", headers={"authorization": "Bearer right"}).status_code == 200
        opened = client.get("/?token=right", follow_redirects=False)
        assert opened.status_code == 303
        assert "HttpOnly" in opened.headers["set-cookie"]
        assert "samesite=strict" in opened.headers["set-cookie"].lower()
        assert client.get("/api/runs").status_code == 200, "by the cookie"
        assert client.get("/api/runs", headers={"host": "evil.example"}).status_code == 421
