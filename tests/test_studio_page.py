"""The studio's page in a real browser: rooms open, sliders move pictures, drawings are answered, nothing goes out."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import studio

pytest.importorskip("fastapi", reason="needs the extra studio")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
uvicorn = pytest.importorskip("uvicorn", reason="needs the extra studio")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
PAGE = Path(__file__).parent.parent / "simulacra" / "studio" / "page"
ROOMS = (
    "runs", "explore", "map", "draw", "between", "train", "play", "lessons",
    "pictures", "mend", "translate", "darkroom", "measure",
)  # fmt: skip
PATIENCE = 60_000  # milliseconds, on a machine that does much else


def words(language: str) -> dict[str, str]:
    """The texts of a dictionary."""
    return dict(re.findall(r'"([a-z]+(?:\.[a-z0-9_-]+)?)": "([^"]*)"', (PAGE / "lang" / f"{language}.js").read_text()))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A studio in a thread of this process, which has imported everything already."""
    from simulacra.studio.app import build
    from simulacra.studio.settings import Settings

    home = studio.runs(tmp_path_factory.mktemp("page") / "runs")
    listening = socket.create_server(("127.0.0.1", 0))
    settings = Settings(home, port=listening.getsockname()[1])
    server = uvicorn.Server(uvicorn.Config(build(settings), log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{settings.port}/"
    server.should_exit = True
    thread.join(60)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A page that fails the test where the browser complains, or asks for anything that is not this machine's."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    opened.on(
        "request", lambda sent: None if sent.url.startswith((address, "data:", "blob:")) else faults.append(sent.url)
    )
    yield opened
    context.close()
    assert not faults, faults


def enter(page: Any, address: str, room: str) -> None:
    """Open a room, and wait until it is shown."""
    page.goto(f"{address}#{room}")
    page.wait_for_selector(f'main[data-room="{room.partition("?")[0]}"] h1')


def test_every_text_is_there_in_both_languages() -> None:
    english, chinese = words("en"), words("zh")
    assert set(english) == set(chinese)
    holes = {
        key: (set(re.findall(r"\{\w+\}", english[key])), set(re.findall(r"\{\w+\}", chinese[key]))) for key in english
    }
    assert not {key: both for key, both in holes.items() if both[0] != both[1]}
    used = {
        key
        for path in PAGE.rglob("*.js")
        for key in re.findall(r'\bt\("([a-z]+\.?[a-z0-9]*)"', path.read_text("utf-8"))
    }
    assert used <= set(english)


def lesson_steps(name: str, step: str) -> dict[str, int]:
    """How many steps each lesson has in a file."""
    text = (PAGE / "lessons" / f"{name}.js").read_text("utf-8")
    begun = re.split(r'\n  (?:\{ id: "(\w+)", steps: \[|(\w+): \{ title)', text)[1:]
    return {
        first or second: len(re.findall(step, body.partition("\n  try:")[0]))
        for first, second, body in zip(begun[::3], begun[1::3], begun[2::3], strict=True)
    }


def test_every_step_of_a_lesson_is_told_in_both_languages() -> None:
    shown = lesson_steps("plan", r"\{ room: ")
    assert len(shown) == 8
    assert lesson_steps("en", r'\n    "') == lesson_steps("zh", r'\n    "') == shown
    for language in ("en", "zh"):
        told = (PAGE / "lessons" / f"{language}.js").read_text("utf-8")
        assert [told.count(f"{part}: ") for part in ("try", "question", "answer")] == [8, 8, 8]


@pytest.mark.slow
def test_every_room_opens_at_every_width_without_a_complaint(page: Any, address: str) -> None:
    for room in ROOMS:
        enter(page, address, room)
        assert page.inner_text("h1") == words("en")[f"room.{room}"]
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{room} is too wide for {width}"


def test_a_slider_changes_the_picture_and_the_address(page: Any, address: str) -> None:
    enter(page, address, "explore?run=vae")
    page.wait_for_selector('.stage img[src^="data:image/png"]')
    before = page.get_attribute(".stage img", "src")
    page.locator(".sliders input").first.focus()
    page.keyboard.press("End")  # one change: the picture that answers it is the last
    page.wait_for_selector(f'.stage img:not([src="{before}"])')
    page.wait_for_url(re.compile("z="))
    page.wait_for_timeout(2_000)  # the address may be ahead of the picture
    after = page.get_attribute(".stage img", "src")
    page.reload()
    page.wait_for_selector(f'.stage img[src="{after}"]')


def test_a_drawing_is_answered(page: Any, address: str) -> None:
    enter(page, address, "draw?run=vae")
    box = page.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + 90, box["y"] + 90)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 260, steps=5)
    page.mouse.up()
    page.wait_for_selector(".trio img")
    assert page.locator(".trio img").count() == 3
    assert page.locator(".sliders input").count() == 4


@pytest.mark.slow
def test_chinese_and_a_phone(browser: Any, address: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800}, locale="zh-CN")
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    enter(page, address, "explore?run=classes")
    assert page.inner_text("h1") == words("zh")["room.explore"]
    assert page.get_attribute("html", "lang") == "zh"
    context.close()


@pytest.mark.slow
def test_a_game_is_played_with_the_keyboard_alone(page: Any, address: str) -> None:
    enter(page, address, "play?family=vae")
    page.wait_for_selector("#pictures img")
    page.focus("#next-round")
    page.keyboard.press("Enter")
    page.wait_for_selector("#pictures figure:nth-child(2) img")
    before, after = (page.locator("#pictures .trio").first.locator("img").nth(k).get_attribute("src") for k in (0, 1))
    assert before != after
    assert page.locator("meter").count() == 2
    enter(page, address, "play?tab=plane")
    page.get_by_role("button", name=words("en")["plane.spiral"]).focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name=words("en")["plane.one"]).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("p:has-text('step 1')")


@pytest.mark.slow
def test_pictures_chosen_with_a_lasso_lead_to_new_ones(page: Any, address: str) -> None:
    enter(page, address, "map?run=vae")
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    page.mouse.down()
    for x, y in ((0.98, 0.02), (0.98, 0.98), (0.02, 0.98), (0.02, 0.03)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=3)
    page.mouse.up()
    page.wait_for_selector("p:text-is('297 chosen')")  # all test digits
    page.click("#more")
    page.wait_for_selector(f"button[aria-label='{words('en')['map.explore'].format(n=1)}']")
    page.click("#components")
    page.get_by_role("button", name=words("en")["map.keep"], exact=True).first.click()
    enter(page, address, "draw?run=vae")
    page.wait_for_selector("#moves input", state="attached")


@pytest.mark.slow
def test_two_tabs_show_two_models_at_once(browser: Any, address: str) -> None:
    context = browser.new_context(locale="en-US")
    tabs = [context.new_page() for _ in range(2)]
    for tab, run in zip(tabs, ("vae", "plane"), strict=True):
        tab.set_default_timeout(PATIENCE)
        enter(tab, address, f"explore?run={run}")
    for tab in tabs:
        tab.click("#new-sample")
        tab.wait_for_selector('.stage img[src^="data:image/png"]')
    assert [tab.locator(".sliders:not(#moves) input").count() for tab in tabs] == [4, 2]
    context.close()


@pytest.mark.slow
def test_every_step_of_a_lesson_leads_to_what_it_speaks_of(page: Any, address: str) -> None:
    for lesson, count in lesson_steps("plan", r"\{ room: ").items():
        enter(page, address, "lessons")
        page.locator("ol.lessons button").nth(list(lesson_steps("plan", "x")).index(lesson)).click()
        for step in range(count):
            page.wait_for_selector(f".guide .num:text-is('Step {step + 1} of {count}')")
            page.wait_for_selector(".lit, .guide pre", state="attached")  # what is spoken of, or how to get a model
            page.get_by_role(
                "button", name=words("en")["lessons.next" if step < count - 1 else "lessons.end"], exact=True
            ).click()
        page.wait_for_selector('main[data-room="lessons"] h1')
    assert page.locator("ol.lessons span").all_inner_texts() == ["✓ done"] * 8


@pytest.mark.slow
def test_a_training_goes_on_while_the_page_and_the_server_start_anew(browser: Any, tmp_path: Path) -> None:
    """The first click trains; a reload and a killed server lose nothing; what was stopped is in the gallery."""
    command = [sys.executable, "-m", "simulacra", "studio", str(tmp_path / "runs"), "--no-browser", "--port", "8491"]
    server, address = subprocess.Popen(command), "http://127.0.0.1:8491/"
    try:
        wait_for(address)
        page = browser.new_page()
        page.set_default_timeout(4 * PATIENCE)
        enter(page, address, "runs")
        page.get_by_role("button", name=words("en")["empty.quickstart"]).click()
        page.wait_for_selector(".charts path")
        page.reload()
        page.wait_for_selector(".charts path")
        server.kill()
        server.wait()
        server = subprocess.Popen(command)
        wait_for(address)
        page.goto(f"{address}#train?job=1")
        page.reload()
        page.wait_for_selector(f".badge:text-is('{words('en')['state.running']}')")
        page.get_by_role("button", name=words("en")["train.stop"]).click()
        page.wait_for_selector(f".badge:text-is('{words('en')['state.stopped']}')")
        enter(page, address, "runs")
        assert page.locator("article").count() == 1
    finally:
        server.terminate()
        server.wait(30)


def wait_for(address: str) -> None:
    until = time.monotonic() + 300
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"{address}api/about", timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"no studio at {address}")
