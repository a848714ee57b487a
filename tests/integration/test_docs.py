"""The README and the pages of the documentation: every block is run, every link leads somewhere.

Blocks that show pictures or outputs, and tutorials, are run by ``scripts/docs``, which `.ci/run`
calls; here are the others.
"""

import json
import re
import shlex
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from docsite import commands, pages
from support.page_files import write_files

from kerasviz.zoo.model_source import ModelSource

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "pages"
TUTORIALS = sorted((PAGES / "tutorials").glob("*.md"))
#: All texts with blocks that are run as they stand there.
TEXTS = [ROOT / "README.md", *(p for p in pages.sources(PAGES) if p not in TUTORIALS)]
#: Steps and pixels of pictures: enough for a graph call of its own after the first.
SIZE = commands.Size(steps=24, pixels=64)
#: What blocks may be; of these, `text` and `yaml` are for other machines and are not run.
LANGUAGES = {"sh", "bash", "python", "json", "text", "yaml"}
BUILT = {"pictures", "output"}


def name(path):
    return str(path.relative_to(ROOT))


def runnable(path):
    return [
        block
        for block in pages.blocks(path.read_text())
        if block.language in ("sh", "python") and not BUILT & set(block.words)
    ]


@pytest.fixture(scope="module", autouse=True)
def shared_networks():
    """Networks of the zoo are read and compiled once, as where the pages are built."""
    load = ModelSource.load
    commands.share_networks()
    yield
    ModelSource.load = load


@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in TEXTS if runnable(p)], ids=name)
def test_the_blocks_of_a_page_work_as_written(path, tmp_path, monkeypatch):
    """In their order, in one folder with networks and photos; pictures have few steps here."""
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)
    namespace = {}
    for block in runnable(path):
        if block.language == "python":
            text = "\n" * (block.line - 1) + SIZE.shorten_python(block.text)
            with SIZE.short_recipes():
                exec(compile(text, name(path), "exec"), namespace)
            continue
        for command in block.commands:
            if not command.startswith(("./", "kerasviz ")):
                pytest.fail(f"{name(path)}:{block.line}: no test runs {command!r}")
            if command.startswith("kerasviz "):
                commands.run(command, tmp_path, SIZE)


def test_blocks_are_of_known_kinds():
    for path in [*TEXTS, *TUTORIALS]:
        for block in pages.blocks(path.read_text()):
            place = f"{name(path)}:{block.line}"
            assert block.language in LANGUAGES, place
            words = {w for w in block.words if not w.endswith(".json")}
            assert words <= BUILT, place
            if block.language == "json":
                json.loads(block.text)
            assert path not in TUTORIALS or block.language in ("python", "text"), place


def test_the_scripts_of_the_readme_are_there_and_ci_runs_them():
    ci = (ROOT / ".ci" / "run").read_text()
    blocks = pages.blocks((ROOT / "README.md").read_text())
    scripts = [c for b in blocks if b.language == "sh" for c in b.commands if c.startswith("./")]
    assert scripts == ["./scripts/demo", "./scripts/test"]
    for script in [*scripts, "./scripts/docs"]:
        assert (ROOT / script).stat().st_mode & 0o111
        assert script.removeprefix("./") in ci


def test_every_page_is_in_the_navigation():
    site = tomllib.loads((ROOT / "docs" / "zensical.toml").read_text())["project"]

    def files(entry):
        if isinstance(entry, dict):
            return [f for value in entry.values() for f in files(value)]
        return [f for each in entry for f in files(each)] if isinstance(entry, list) else [entry]

    listed = files(site["nav"])
    assert len(listed) == len(set(listed))
    assert set(listed) == {str(p.relative_to(PAGES)) for p in pages.sources(PAGES)}


def anchors(path):
    """The anchors of a page's headings, as the site and code hosts make them, and of docstrings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.M)
    names = re.findall(r"^::: (.+)$", path.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings} | {
        *names
    }


@pytest.mark.parametrize("path", [*TEXTS, *TUTORIALS], ids=name)
def test_links_lead_somewhere(path):
    """To files and headings; addresses are only looked at."""
    for target in pages.links(path.read_text()):
        address = urlsplit(target)
        if address.scheme:
            assert address.scheme == "https" and "." in address.netloc, target
            continue
        there = (path.parent / address.path).resolve() if address.path else path
        assert there.exists(), target
        # A page with a part that is written from the code is checked when the site is built.
        if address.fragment and there.suffix == ".md" and "<!-- " not in there.read_text():
            assert address.fragment in anchors(there), target


def test_committed_pictures_are_small():
    for path in (ROOT / "docs").rglob("*"):
        if path.suffix in (".png", ".webp", ".jpg", ".svg"):
            assert path.suffix == ".webp" and path.stat().st_size < 100_000, path


@pytest.mark.slow
def test_the_service_answers_as_written(tmp_path, monkeypatch):
    """The commands of the service, at another port; its picture is short, so that it ends soon."""
    text = (PAGES / "start" / "explore.md").read_text()
    first, second = (b for b in pages.blocks(text) if b.language == "bash")
    install, opened = (shlex.split(line) for line in first.commands)
    serve, ask = (shlex.split(line) for line in second.commands)
    assert install == ["pip", "install", "kerasviz[serve]"]
    assert opened == ["kerasviz", "open", "model.onnx"]  # tests/cli/test_open.py opens others
    assert serve[:2] == ["kerasviz", "serve"]
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    program = [sys.executable, "-c", "from kerasviz.cli import main; main()", *serve[1:]]
    server = subprocess.Popen([*program, "--port", port])
    try:
        address = next(word for word in ask if word.startswith("http"))
        body = {**json.loads(ask[-1]), "recipe": "fast", "steps": 2, "size": 32}
        job = requested(address.replace("8501", port), server, json.dumps(body).encode())
        while job["state"] in ("accepted", "running"):
            time.sleep(0.2)
            job = requested(f"http://127.0.0.1:{port}{job['url']}", server)
        assert job["state"] == "done", job["error"]
        assert len(list((tmp_path / "service" / "pictures" / "model").glob("*.png"))) == 1
    finally:
        server.terminate()
        assert server.wait(60) == 0


def requested(address, server, body=None):
    """The answer of a server that may not have started yet."""
    asked = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    while server.poll() is None:
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server has ended")
