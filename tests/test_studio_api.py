"""The studio's API gives what the same functions give without it."""

from __future__ import annotations

import base64
import io
import json
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from simulacra import cli, config, data, images
from simulacra.runs import zoo
from simulacra.runs.run import Run
from tests import studio

pytest.importorskip("fastapi", reason="needs the extra studio")
from starlette.testclient import TestClient

from simulacra.studio import atlas
from simulacra.studio.app import build
from simulacra.studio.jobs import Job, Jobs
from simulacra.studio.settings import Settings


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return studio.runs(tmp_path_factory.mktemp("studio") / "runs")


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[TestClient]:
    with TestClient(build(Settings(home)), base_url="http://localhost") as opened:
        yield opened


def asked(client: TestClient, path: str, **body: Any) -> Any:
    answer = client.post(f"/api/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def as_pixels(found: dict[str, Any]) -> torch.Tensor:
    return torch.stack([torch.from_numpy(np.array(studio.pixels(one))) for one in found["images"]])


def test_the_gallery_lists_runs_with_what_they_can_do(client: TestClient) -> None:
    found = {run["id"]: run for run in client.get("/api/runs").json()}
    assert set(found) == {"plane", "vae", "classes"}
    assert found["classes"]["abilities"] == ["sample", "decode", "encode", "codes", "label"]
    assert found["vae"]["sheets"] == {"samples": [2], "reconstructions": []}
    assert (found["vae"]["images"], found["vae"]["total"]) == (128, 128)


def test_samples_are_those_of_the_run(client: TestClient, home: Path) -> None:
    found = asked(client, "runs/vae/sample", n=5, seed=3)
    assert torch.equal(as_pixels(found), images.to_bytes(Run.open(home / "vae").sample(5, seed=3))[:, 0])
    assert found["command"].startswith("simulacra sample ")
    assert found["command"].endswith("vae --n 5 --seed 3")


def test_latents_decode_to_the_samples_of_their_seed(client: TestClient) -> None:
    z = asked(client, "runs/vae/latents", n=3, seed=7)["latents"]
    decoded = asked(client, "runs/vae/decode", latents=z)
    assert torch.equal(as_pixels(decoded), as_pixels(asked(client, "runs/vae/sample", n=3, seed=7)))


def test_the_python_that_is_copied_decodes_the_same_images(client: TestClient, home: Path) -> None:
    z = asked(client, "runs/vae/latents", n=1, seed=1)["latents"]
    found = asked(client, "runs/vae/decode", latents=z)
    lines = found["python"].replace("simulacra.show(run.decode(z))", "shown = run.decode(z)")
    scope: dict[str, Any] = {}
    exec(lines, scope)
    near = images.to_bytes(scope["shown"])[0].int() - as_pixels(found).int()
    assert near.abs().max() <= 1


def test_codes_are_set_by_name(client: TestClient, home: Path) -> None:
    found = asked(client, "runs/classes/sample", n=4, label="3")
    assert torch.equal(as_pixels(found), images.to_bytes(Run.open(home / "classes").sample(4, label="3"))[:, 0])
    z = asked(client, "runs/classes/latents", n=4)["latents"]
    decoded = asked(client, "runs/classes/decode", latents=z, codes={"label": 3})
    assert torch.equal(as_pixels(decoded), as_pixels(found))


def test_sliders_are_sorted_as_traverse_sorts(client: TestClient, home: Path) -> None:
    found = client.get("/api/runs/vae/sliders").json()
    captions = [name for name, _ in Run.open(home / "vae").traverse(steps=2)]
    assert [f"z{axis['latent']}" for axis in found["axes"]] == captions
    assert (found["plane"], found["truncation"], found["draws"]) == (False, True, True)
    code = client.get("/api/runs/classes/sliders").json()["codes"][0]
    assert code == {"name": "label", "values": list(range(10)), "captions": studio.CLASSES}


def test_the_plane_is_one_picture_with_its_axis(client: TestClient) -> None:
    found = asked(client, "runs/plane/manifold", side=5)
    assert studio.pixels(found["images"][0]).size == (40, 40)
    assert found["axis"] == sorted(found["axis"])
    assert len(found["axis"]) == 5


def test_a_picture_is_reconstructed_with_its_difference(client: TestClient, home: Path) -> None:
    found = asked(client, "runs/vae/reconstruct", picture=studio.png(grey=255))
    run = Run.open(home / "vae")
    x = torch.ones(1, 1, 8, 8)
    seen, made, apart = as_pixels(found)
    assert (seen == 255).all()
    assert torch.equal(made, images.to_bytes(run.reconstruct(x))[0, 0])
    assert (apart.int() - (255 - made.int())).abs().max() <= 1
    assert found["error"] == pytest.approx(float(((x - run.reconstruct(x)) / 2).square().mean()), abs=1e-6)
    assert asked(client, "runs/vae/encode", picture=studio.png(grey=255))["latents"] == found["latents"]


def test_inversion_comes_nearer_than_the_encoder(client: TestClient) -> None:
    given = {"picture": studio.png(grey=90)}
    found = asked(client, "runs/vae/invert", steps=60, **given)
    assert found["error"] <= asked(client, "runs/vae/reconstruct", **given)["error"] + 1e-6


def test_a_walk_passes_through_its_keyframes(client: TestClient) -> None:
    z = asked(client, "runs/vae/latents", n=3, seed=2)["latents"]
    stops = [{"latent": one} for one in z]
    frames = as_pixels(asked(client, "runs/vae/interpolate", stops=stops, steps=4))
    assert len(frames) == 4 + 3, "a keyframe between two legs is shown once"
    assert torch.equal(frames[[0, 3, 6]], as_pixels(asked(client, "runs/vae/decode", latents=z)))
    faded = as_pixels(asked(client, "runs/vae/interpolate", stops=stops[:2], steps=3, route="fade")).int()
    assert (faded[1] - (faded[0] + faded[2]) // 2).abs().max() <= 1
    film = client.post("/api/runs/vae/film", json={"stops": stops, "steps": 4})
    assert film.headers["content-type"] == "image/gif"
    assert film.content.startswith(b"GIF89a")


def test_known_pixels_of_a_mended_picture_stay(client: TestClient) -> None:
    mask = torch.full((1, 8, 8), -1.0)
    mask[:, 2:5, 2:5] = 1
    hole = studio.address(studio.encoded(images.picture(mask)))
    given, known, filled = as_pixels(asked(client, "runs/vae/inpaint", picture=studio.png(), mask=hole, steps=5))
    outside = mask[0] < 0
    assert torch.equal(filled[outside], given[outside])
    assert (known[~outside] == 0).all()


@pytest.mark.parametrize("method", ["blended", "nearest"])
def test_other_fillings_keep_known_pixels_too(client: TestClient, home: Path, method: str) -> None:
    train = images.from_bytes(Run.open(home / "vae").splits.train.images[7:8])
    mask = torch.full((1, 8, 8), -1.0)
    mask[:, 3:5, 3:6] = 1
    given, hole = (studio.address(studio.encoded(images.picture(one))) for one in (train[0], mask))
    found = as_pixels(asked(client, "runs/vae/inpaint", picture=given, mask=hole, method=method, steps=5))
    outside = mask[0] < 0
    assert torch.equal(found[2][outside], found[0][outside])
    if method == "nearest":
        assert torch.equal(found[2], found[0]), "a training picture is filled in from itself"


@pytest.mark.parametrize("method", ["biharmonic", "telea", "navier-stokes"])
def test_a_hole_in_an_even_picture_is_filled_in_evenly(client: TestClient, method: str) -> None:
    pytest.importorskip("cv2", reason="needs the extra vision")
    pytest.importorskip("skimage", reason="needs the extra vision")
    mask = torch.full((1, 8, 8), -1.0)
    mask[:, 3:5, 3:5] = 1
    hole = studio.address(studio.encoded(images.picture(mask)))
    found = asked(client, "runs/vae/inpaint", picture=studio.png(grey=120), mask=hole, method=method)
    assert (as_pixels(found)[2].int() - 120).abs().max() <= 1
    assert f"inpaint-{method}" in found["command"]


def test_an_anomaly_is_what_the_model_cannot_redraw(client: TestClient, home: Path) -> None:
    found = asked(client, "runs/vae/anomaly", picture=studio.png(grey=255))
    expected = Run.open(home / "vae").anomaly(torch.ones(1, 1, 8, 8))
    assert found["score"] == pytest.approx(float(expected.scores[0]), rel=1e-5)
    assert torch.equal(as_pixels(found)[1], images.to_bytes(expected.redrawn)[0, 0])


def test_arithmetic_takes_pictures_and_classes(client: TestClient) -> None:
    groups = {"plus": {"label": "1"}, "minus": {"pictures": [studio.png()]}}
    found = asked(client, "runs/vae/arithmetic", picture=studio.png(), steps=5, strength=0.0, **groups)
    assert len(found["images"]) == 5
    assert len(set(found["images"])) == 1, "nothing moves at strength 0"


def test_the_nearest_training_image_of_a_training_image_is_itself(client: TestClient, home: Path) -> None:
    found = asked(client, "runs/plane/neighbours", latents=[[0.0, 0.0]])
    assert found["distances"] == sorted(found["distances"])
    assert found["searched"] == found["of"] == len(Run.open(home / "plane").splits.train)


def test_a_picture_is_there_while_the_data_set_is_still_being_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load, may_end = data.load, threading.Event()
    monkeypatch.setattr(data, "load", lambda *given: may_end.wait(60) and load(*given))
    shutil.rmtree(home / ".studio" / "sliders", ignore_errors=True)
    with TestClient(build(Settings(home)), base_url="http://localhost") as client:
        first = client.get("/api/runs/vae/sliders").json()
        assert (first["settled"], first["classes"], len(first["axes"])) == (False, [], 4)
        assert len(asked(client, "runs/vae/decode", latents=[first["origin"]])["images"]) == 1
        assert asked(client, "runs/vae/neighbours", latents=[first["origin"]])["reading"]
        may_end.set()
        assert len(asked(client, "runs/vae/examples", n=2)["images"]) == 2, "what needs the data waits for it"
        settled = client.get("/api/runs/vae/sliders").json()
        assert (settled["settled"], settled["classes"]) == (True, studio.CLASSES)
        found = asked(client, "runs/vae/neighbours", latents=[first["origin"]])
        assert (found["reading"], len(found["images"])) == (False, 4)


def test_operations_change_a_picture_and_say_their_command(client: TestClient) -> None:
    found = asked(client, "transform", picture=studio.png(grey=60), steps="invert")
    assert studio.pixels(found["images"][0]).getpixel((0, 0)) == 195
    assert found["command"] == "simulacra transform pipeline picture.png --steps invert"
    names = {one["name"] for one in client.get("/api/operations").json()}
    assert "rotate" in names
    assert not names & {"inpaint", "match-histogram"}


def test_several_pictures_come_back_as_a_zip(client: TestClient) -> None:
    given = [{"name": name, "picture": studio.png(grey=g)} for name, g in (("a.jpg", 10), ("../a.png", 30), ("b", 50))]
    answer = client.post("/api/batch", json={"pictures": given, "steps": "invert"})
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.namelist() == ["a.png", "a-2.png", "b.png"]
    grey = [Image.open(archive.open(name)).getpixel((0, 0)) for name in archive.namelist()]
    assert grey == [245, 225, 205]
    assert client.post("/api/batch", json={"pictures": given, "steps": "inver"}).status_code == 422


def test_sheets_pages_and_curves_are_looked_up(client: TestClient) -> None:
    assert client.get("/api/runs/vae/sheets/samples/2").headers["content-type"] == "image/png"
    assert client.get("/api/runs/vae/sheets/samples/3").status_code == 404
    assert [row["images"] for row in client.get("/api/runs/vae/history").json()] == [64, 128]
    assert client.get("/api/runs/vae/pages/report").status_code == 404


def test_a_report_is_shown_locked_up(client: TestClient, home: Path) -> None:
    (home / "vae" / "report.html").write_text("<script>fetch('/api/jobs')</script>")
    answer = client.get("/api/runs/vae/pages/report")
    assert answer.headers["content-security-policy"].startswith("sandbox allow-scripts; default-src 'none'")


def test_weights_alone_are_a_run(home: Path, tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "model.safetensors").write_bytes((home / "vae" / "model.safetensors").read_bytes())
    with TestClient(build(Settings(tmp_path)), base_url="http://localhost") as client:
        (run,) = client.get("/api/runs").json()
        assert (run["id"], run["family"], run["ready"], run["images"]) == ("alone", "vae", True, 0)
        cover = client.get("/api/runs/alone/cover")
        assert cover.headers["content-type"] == "image/png"
        assert client.post("/api/jobs/resume", json={"run": "alone"}).status_code == 422
        assert client.get("/api/runs/alone").json()["command"].startswith("simulacra report ")


def test_without_a_run_those_that_come_along_are_there(tmp_path: Path) -> None:
    with TestClient(build(Settings(tmp_path / "none")), base_url="http://localhost") as client:
        names = [run["id"] for run in client.get("/api/runs").json()]
        assert names == [f"zoo:{name}" for name in zoo.names()]
        found = asked(client, f"runs/{names[0]}/sample", n=1)
        assert found["command"] == f"simulacra sample {names[0]} --n 1"


def test_notes_are_kept(client: TestClient) -> None:
    client.put("/api/runs/plane/note", json={"star": True, "text": "the first"})
    found = {run["id"]: run["note"] for run in client.get("/api/runs").json()}
    assert found["plane"] == {"star": True, "text": "the first"}


def test_a_form_knows_choices_bounds_and_meanings(client: TestClient) -> None:
    form = {one["key"]: one for one in client.get("/api/recipes/vae").json()}
    assert form["train.batch"]["gt"] == 0
    assert form["train.batch"]["le"] == 65_536
    assert "cosine" in form["train.schedule.kind"]["choices"]
    assert all(one["meaning"] for one in form.values())
    assert "data.name" not in form


def test_the_api_describes_itself(client: TestClient) -> None:
    described = client.get("/api/openapi.json").json()
    paths = described["paths"]
    refused = paths["/api/runs/{run}/decode"]["post"]["responses"]["422"]["content"]["application/json"]["schema"]
    assert refused["$ref"].endswith("/Refusal")
    assert described["components"]["schemas"]["Refusal"]["properties"]["detail"]["type"] == "string"
    assert {"/api/runs", "/api/runs/{run}/decode", "/api/jobs/{number}/events", "/api/uploads"} <= set(paths)


def test_uploaded_pictures_are_surveyed_and_planned(client: TestClient) -> None:
    upload = client.post("/api/uploads?name=my%20cats").json()
    assert upload["name"] == "my-cats"
    pictures = [(f"{kind}/{k}.png", studio.png(16, 20 * k + 9)) for kind in ("a", "b") for k in range(9)]
    files = [("files", (name, base64.b64decode(one.partition(",")[2]))) for name, one in pictures]
    files.append(("files", ("a/broken.png", b"nothing")))
    kept = client.post(f"/api/uploads/{upload['id']}/files", files=files).json()
    assert kept["kept"] == 18
    assert kept["refused"] == ["a/broken.png is damaged, or is not the picture that its name says."]
    found = client.get(f"/api/uploads/{upload['id']}/survey").json()
    assert (found["count"], found["classes"]) == (18, {"a": 9, "b": 9})
    assert len(found["crops"]) == 12


def test_damaged_files_of_a_zip_do_not_stop_the_training_that_was_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Jobs, "tick", lambda _: None)  # nothing is trained here
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for k in range(20):
            archive.writestr(f"{k}.png", studio.encoded(Image.new("RGB", (16, 16), (10 * k, 0, 0))))
        archive.writestr("broken.png", b"nothing")
    with TestClient(build(Settings(tmp_path)), base_url="http://localhost") as client:
        upload = client.post("/api/uploads?name=some.zip").json()
        client.post(f"/api/uploads/{upload['id']}/files", files={"files": ("some.zip", buffer.getvalue())})
        assert len(client.get(f"/api/uploads/{upload['id']}/survey").json()["damaged"]) == 1
        job = client.post("/api/jobs", json={"recipe": "pictures", "upload": upload["id"], "minutes": 1}).json()
        assert job["command"].endswith("--data.corrupt skip")


def finished(client: TestClient, number: int, seconds: float = 120.0) -> dict[str, Any]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        job: dict[str, Any] = client.get(f"/api/jobs/{number}").json()
        if job["state"] not in ("queued", "running"):
            return job
        time.sleep(0.2)
    raise AssertionError(f"job {number} did not end")


def test_a_training_is_queued_followed_and_found_in_the_gallery(client: TestClient) -> None:
    options = {"train.images": "256", "train.log": "128", "train.batch": "64", "model.network.hidden": "8"}
    first = client.post("/api/jobs", json={"recipe": "vae-mlp", "data": "digits", "name": "new", "options": options})
    assert first.status_code == 201, first.text
    second = client.post("/api/jobs", json={"recipe": "vae-mlp", "data": "digits", "options": options}).json()
    assert second["state"] == "queued", "one at a time"
    assert client.post(f"/api/jobs/{second['number']}/stop").json()["state"] == "stopped"
    job = finished(client, first.json()["number"])
    assert job["state"] == "done", job
    assert job["run_id"] == "new"
    with client.stream("GET", f"/api/jobs/{job['number']}/events") as stream:
        events = "".join(stream.iter_text())
    told = {line.removeprefix("event: ") for line in events.splitlines() if line.startswith("event: ")}
    assert told == {"job", "rows", "sheets", "end"}
    assert len(asked(client, "runs/new/sample", n=2)["images"]) == 2


def test_a_job_that_fails_says_why(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / "jobs")
    job = jobs.add(["rehearse"], "none", "none")
    until = time.monotonic() + 60
    while jobs[job.number].state in ("queued", "running") and time.monotonic() < until:
        time.sleep(0.1)
    ended = jobs[job.number]
    assert ended.state == "failed"
    assert (jobs.error(ended) or "").startswith("Unknown verb 'rehearse'.")
    jobs.close()


def test_the_watchdog_s_remedies_are_commands_that_one_press_starts(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Jobs, "tick", lambda _: None)  # nothing is trained here
    run = studio.untrained(tmp_path / "gan", "gan", latent=4, generator=studio.MLP, discriminator=studio.MLP)
    with TestClient(build(Settings(tmp_path)), base_url="http://localhost") as client:
        assert client.get("/api/runs/gan").json()["remedies"] == []
        with (run / "metrics.jsonl").open("a") as log:
            log.write(json.dumps({"step": 3, "images": 192, "seconds": 3.0, "warning": "samples look alike"}) + "\n")
        names = {one["name"]: one for one in client.get("/api/runs/gan").json()["remedies"]}
        assert list(names) == ["roll-back", "steady", "slower", "seed"]
        assert names["roll-back"]["command"].endswith("gan --resume --train.collapse=roll_back")
        job = client.post("/api/jobs/remedy", json={"run": "gan", "remedy": "steady"})
        assert (job.status_code, job.json()["run"]) == (201, "gan-steady")
        changed = config.override(
            {word[2:].partition("=")[0]: word.partition("=")[2] for word in names["steady"]["options"].split()}
        )
        assert config.parse(config.merge(json.loads(Run.open(run).config.model_dump_json()), changed))
        assert client.post("/api/jobs/remedy", json={"run": "gan", "remedy": "pray"}).status_code == 422


def test_a_server_that_starts_anew_finds_its_jobs(home: Path, tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    tmp_path.mkdir(exist_ok=True)
    for number, state in ((1, "running"), (2, "running"), (3, "queued")):
        jobs._write(Job(number, ("train",), f"run-{number}", "", 0.0, state, started=1.0))
    (tmp_path / "1.end").write_text(json.dumps(0))
    states = {job.number: job.state for job in Jobs(tmp_path).all()}
    assert states == {1: "done", 2: "failed", 3: "queued"}, "2 died without a word"


def test_a_studio_without_its_extra_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert cli.main(["studio", str(tmp_path), "--no-browser"]) == 2
    assert capsys.readouterr().err == "simulacra: studio needs the extra: pip install 'simulacra[studio]'\n"


def test_the_map_has_codes_as_they_are_and_their_pictures(client: TestClient, home: Path) -> None:
    run = Run.open(home / "plane")
    found = asked(client, "runs/plane/map", n=30)
    x = run.examples(30, seed=0)
    assert torch.tensor(found["places"]) == pytest.approx(run.encode(x), abs=1e-4)
    assert found["plane"]
    assert len(found["labels"]) == 30
    sheet = torch.from_numpy(np.array(studio.pixels(found["sheet"])))
    assert sheet.shape == (2 * 8, 25 * 8)
    assert torch.equal(sheet[8:16, 8:16], images.to_bytes(x)[26, 0]), "the 27th picture is the second of the second row"
    assert client.post("/api/runs/plane/map", json={"n": 2_000}).status_code == 422


def test_principal_components_of_known_codes() -> None:
    angle = torch.linspace(0, 6.28, 60)
    codes = torch.stack([3 * angle.cos(), 0 * angle, 5 + angle.sin()], 1)
    directions, spread = atlas.components(codes, 2)
    assert directions == pytest.approx(torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), abs=2e-2)
    assert spread == pytest.approx(codes.std(0)[[0, 2]], rel=1e-2)


def test_more_like_these_lies_around_the_chosen_codes(client: TestClient, home: Path) -> None:
    found = asked(client, "runs/vae/more", chosen=[0, 3, 5], n=32)
    run = Run.open(home / "vae")
    codes = run.encode(run.examples(1_000, seed=0))
    middle, spread = codes[[0, 3, 5]].mean(0), codes[[0, 3, 5]].std(0)
    assert ((torch.tensor(found["latents"]).mean(0) - middle).abs() < spread).all()
    assert not {0, 3, 5} & set(found["indices"])
    away = (codes - middle).square().sum(1)
    assert found["indices"][0] == next(int(k) for k in away.argsort() if int(k) not in (0, 3, 5))
    assert client.post("/api/runs/vae/more", json={"chosen": [900]}).status_code == 422


def test_a_direction_is_found_kept_and_gone_along(client: TestClient, home: Path) -> None:
    (found,) = asked(client, "runs/vae/find", kind="classes", plus="1", minus="0")
    run = Run.open(home / "vae")
    test, x = run.splits.test, run.examples(1_000, seed=0)
    labels = test.labels[torch.randperm(len(test), generator=torch.Generator().manual_seed(0))]
    codes = run.encode(x)
    assert found["vector"] == pytest.approx(
        (codes[labels == 1].mean(0) - codes[labels == 0].mean(0)).tolist(), abs=1e-5
    )
    assert client.put("/api/runs/vae/directions", json={"name": "one", "vector": found["vector"]}).json() == ["one"]
    z = torch.zeros(1, 4)
    moved = asked(client, "runs/vae/decode", latents=z.tolist(), moves={"one": 2.0})
    straight = asked(client, "runs/vae/decode", latents=(z + 2 * torch.tensor(found["vector"])).tolist())
    assert torch.equal(as_pixels(moved), as_pixels(straight))
    assert "one" in client.get("/api/runs/vae/directions").json()
    assert asked(client, "runs/vae/forget", name="one") == []
    gone = client.post("/api/runs/vae/decode", json={"latents": z.tolist(), "moves": {"one": 1}})
    assert gone.json()["detail"] == "No direction named 'one' is kept."
    assert len(asked(client, "runs/vae/find", kind="components", n=3)) == 3
    assert len(asked(client, "runs/vae/find", kind="chosen", chosen=[1, 2])) == 1
