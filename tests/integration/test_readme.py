"""Every command and example of the README is run as it stands there."""

import json
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from PIL import Image
from skimage import data
from support.onnx_models import write_convolutions

from kerasviz.optvis.recipes import RECIPES
from kerasviz.rendering.manifest import MANIFEST

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: Steps of a picture, of 128: enough for a graph call of its own after the first.
STEPS = 24
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.M | re.S)


def commands():
    lines = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
    return [line.partition("#")[0].strip() for line in lines if line.strip()]


def write_photos(folder):
    """Someone's photos: those that come with scikit-image."""
    folder.mkdir()
    for name in ("chelsea", "coffee", "astronaut", "rocket"):
        Image.fromarray(getattr(data, name)()).save(folder / f"{name}.png")


def test_the_readme_has_commands():
    assert len(commands()) >= 8


def test_the_scripts_are_there_and_ci_runs_them():
    scripts = [c for c in commands() if c.startswith("./")]
    assert scripts == ["./scripts/demo", "./scripts/test"]
    ci = (ROOT / ".ci" / "run").read_text()
    for script in scripts:
        assert (ROOT / script).stat().st_mode & 0o111
        assert script.removeprefix("./") in ci


@pytest.mark.slow
def test_every_kerasviz_command_works_as_written(tmp_path, monkeypatch, run_cli):
    """The commands are those of the README; the recipe that they name has fewer steps here.

    With all of its steps `.ci/run` makes figures of the same network (scripts/demo).
    """
    monkeypatch.setitem(RECIPES, "fast", RECIPES["fast"].replace(steps=STEPS))
    monkeypatch.chdir(tmp_path)
    write_convolutions(tmp_path / "model.onnx", 8)  # as someone's PyTorch export
    write_photos(tmp_path / "photos")
    for command in commands():
        words = shlex.split(command)
        if words[0].startswith("./"):
            continue
        assert words[0] == "kerasviz", f"no test runs {command!r}"
        done = run_cli(*words[1:])
        assert done.code == 0, f"{command}: {done.err}"
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 10
    assert (tmp_path / "pictures" / "index.html").is_file()
    assert len(list((tmp_path / "atlas" / "pictures").rglob("*.png"))) == 7 * 8
    assert (tmp_path / "atlas" / "index.html").is_file()
    manifest = json.loads((tmp_path / "figures" / "pictures" / MANIFEST).read_text())
    assert {r["recipe"]["steps"] for r in manifest["requests"].values()} == {STEPS}
    for figure in ("objectives", "optimization-progress", "dataset-vs-optimization"):
        assert (tmp_path / "figures" / f"{figure}.png").is_file()


@pytest.mark.slow
def test_the_service_answers_as_written(tmp_path, monkeypatch):
    """The commands of the service, at another port; its picture is short, so that it ends soon."""
    (block,) = (text for kind, text in BLOCKS if kind == "bash")
    install, serve, ask = (shlex.split(line) for line in block.splitlines())
    assert install == ["pip", "install", ".[serve]"]
    assert serve[:2] == ["kerasviz", "serve"]
    monkeypatch.chdir(tmp_path)
    write_convolutions(tmp_path / "model.onnx", 8)  # as someone's PyTorch export
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


def test_every_python_example_works_as_written(capsys):
    examples = [text for kind, text in BLOCKS if kind == "python"]
    assert examples
    for text in examples:
        exec(compile(text, "README.md", "exec"), {})
    assert "(2, 96, 96, 3)" in capsys.readouterr().out


def test_every_picture_and_link_of_the_readme_exists():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
