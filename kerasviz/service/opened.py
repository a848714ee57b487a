"""Open a network in a frame of a notebook, or in the browser: ``kerasviz open`` from Python."""

from __future__ import annotations

import atexit
import html
import os
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kerasviz.errors import KerasvizError, UsageError
from kerasviz.io.files import cache_folder
from kerasviz.types import NotebookView
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Model, as_network

if TYPE_CHECKING:
    from kerasviz.network.network import Network

#: The height of the frame in pixels.
HEIGHT = 720
#: What the command prints when it is ready.
_READY = re.compile(r" (?:is|are) open at (\S+)")


class Opened(NotebookView):
    """Hold a page that is open. A notebook shows it in a frame; :meth:`close` ends it.

    Args:
        address: The address of the page, for a browser on this machine.
    """

    def __init__(self, address: str, process: subprocess.Popen[str]):
        self.address = address
        self._process = process
        atexit.register(self.close)

    def close(self) -> None:
        """Stop the service behind the page. The pictures are kept for the next time."""
        atexit.unregister(self.close)
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()

    def __repr__(self) -> str:
        return f"<Opened {self.address}>"

    def _repr_html_(self) -> str:
        address = html.escape(self.address)
        return (
            f'<iframe src="{address}" width="100%" height="{HEIGHT}" style="border: 0" '
            'allow="camera" title="kerasviz"></iframe>'
            f'<p><a href="{address}" target="_blank">{address}</a></p>'
        )


@named_arguments()
def open(
    model: Model | Sequence[Model],
    *,
    examples: str | os.PathLike[str] | None = None,
    facets: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    browser: bool = False,
    embed: bool = True,
) -> Opened:
    """Open a network on a page that fills itself with pictures of every layer and unit.

    This is ``kerasviz open``. In a notebook on this machine the result shows the page in a frame;
    elsewhere open its ``address``. A model in memory is written into the cache as it is now.

    Args:
        model: The network, or what :func:`kerasviz.load` takes; several to compare their units.
        examples: A folder of :func:`kerasviz.find_examples`.
        facets: A folder of folders with photos: a picture of each unit is steered towards each.
        data: The folder of pictures; by default one of the network in the user cache.
        browser: Whether to open a window, too.
        embed: Whether pages of this machine may show it in a frame.

    Returns:
        The page, until it is closed or Python ends.

    Raises:
        UsageError: For a model that no command reads.
        KerasvizError: Where the service does not start, with its line.

    Example:
        >>> page = kerasviz.open("efficientnet-lite0")
        >>> page.address
        'http://127.0.0.1:8501/#/efficientnet-lite0'
        >>> page.close()
    """
    models = model if isinstance(model, list | tuple) else [model]
    files, options = zip(*map(_source_of, models), strict=True)
    if len(set(options)) > 1:
        raise UsageError("the models are read with different options; open them one by one")
    words = [sys.executable, "-m", "kerasviz.cli", "open", *files, *options[0]]
    for name, folder in (("examples", examples), ("facets", facets), ("data", data)):
        words += [f"--{name}", os.fspath(folder)] if folder is not None else []
    words += ["--browser" if browser else "--no-browser", *(["--embed"] if embed else [])]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    for line in process.stdout:
        if found := _READY.search(line):
            for stream in (process.stdout, process.stderr):  # a full pipe would stop the service
                threading.Thread(target=stream.read, daemon=True).start()
            return Opened(found[1], process)
    lines = process.stderr.read().strip().splitlines()
    raise KerasvizError(
        lines[-1].removeprefix("kerasviz: error: ") if lines else "it did not start"
    )


def _source_of(model: Model) -> tuple[str, tuple[str, ...]]:
    """Return the file of a model, which is written if need be, and the options that read it."""
    from kerasviz.rendering.commands import reading_args

    if isinstance(model, str | os.PathLike):
        return os.fspath(model), ()
    net = as_network(model)
    args = reading_args(net)
    if args is not None:
        return net.identity.source, args
    return str(_written(net)), _input_words(net)


def _written(net: Network) -> Path:
    """Write a network as a Keras file into the cache, once for the same weights."""
    from kerasviz.export.convert import convert
    from kerasviz.service.settings import served_name

    folder = cache_folder() / "open" / "models" / net.identity.sha256[:16]
    file = folder / f"{served_name(net.name)}.keras"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        convert(net, file, taps=list(net.main_taps))
    return file


def _input_words(net: Network) -> tuple[str, ...]:
    from kerasviz.rendering.commands import input_args

    if net.input_spec is None:
        return ()
    words = input_args(net.input_spec)
    if words is None:
        raise UsageError(f"{net.name}: no option describes its input; save it and give the file")
    return tuple(words)
