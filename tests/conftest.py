"""What all tests share: quiet TensorFlow, a cache folder of their own, the shared models."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import kerasviz  # noqa: F401 - before anything imports TensorFlow, which it prepares for

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before anything imports TensorFlow
# A shell has what it starts in the background ignore Ctrl-C, and tests send it to themselves.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, those of one long test before all others.

    Whole files go to a worker, in this order: a long one that came last would leave the others
    with nothing to do.
    """
    slow: dict[Path, list[bool]] = {}
    for item in items:
        slow.setdefault(item.path, []).append(item.get_closest_marker("slow") is not None)
    share = {path: sum(marks) / len(marks) for path, marks in slow.items()}
    items.sort(key=lambda item: -share[item.path])  # files and tests of a share keep their order


def pytest_collection_finish() -> None:
    """What has been imported by now stays: the garbage collector need not go through it again.

    That is half a million objects of TensorFlow, which are some percent of the time of tests.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERASVIZ_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    """What a test gives as an option is not remembered for the same file in the next test."""
    yield
    shutil.rmtree(Path(os.environ["KERASVIZ_CACHE"], "remembered"), ignore_errors=True)


@pytest.fixture(scope="session")
def models_folder() -> Path:
    """The folder of googlenet.onnx and squeezenet1_1.onnx, named by KERASVIZ_TEST_MODELS."""
    named = os.environ.get("KERASVIZ_TEST_MODELS")
    if not named:
        pytest.skip("KERASVIZ_TEST_MODELS names no folder with the shared models")
    folder = Path(named)
    assert folder.is_dir(), f"KERASVIZ_TEST_MODELS={named} is not a folder"
    return folder


@pytest.fixture(scope="session")
def inception5h_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The article's network with random weights, as ``kerasviz models fetch`` leaves its file."""
    from support import inception5h

    return inception5h.fetched(tmp_path_factory.mktemp("inception5h"))


@pytest.fixture
def inceptionv1(inception5h_file: Path) -> Iterator[str]:
    """The name of that network, which the zoo knows during the test."""
    from support import inception5h

    with inception5h.known(inception5h.known_card(), inception5h_file.parents[2]):
        yield "inceptionv1"


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def notes(self) -> str:
        """The standard error without what is remembered for later commands."""
        lines = self.err.splitlines(keepends=True)
        return "".join(line for line in lines if " is remembered for " not in line)


@pytest.fixture
def run_cli(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Finished]:
    """Run the command line in this process: ``run_cli("taps", model).out``.

    It goes through the installed entry point, so exit codes and error lines are those of a shell.
    """

    def run(*arguments: object) -> Finished:
        from kerasviz.cli import main

        monkeypatch.setattr(sys, "argv", ["kerasviz", *map(str, arguments)])
        capsys.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        if isinstance(code, str):  # sys.exit("a line") prints it and means 1
            return Finished(1, captured.out, captured.err + code)
        return Finished(int(code or 0), captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def ray_there() -> Any:
    """Ray; where it is not installed the tests are skipped, in CI they fail."""
    try:
        import ray
    except ImportError:
        needed = os.environ.get("CI") or os.environ.get("KERASVIZ_TEST_RAY") == "required"
        (pytest.fail if needed else pytest.skip)("no Ray here: pip install 'kerasviz[ray]'")
    return ray
