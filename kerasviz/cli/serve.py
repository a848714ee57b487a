"""``kerasviz serve``: networks and their pictures over HTTP."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from kerasviz.cli.completion import complete_models
from kerasviz.cli.options import (
    InputOptions,
    ModelOptions,
    input_options,
    model_options,
)
from kerasviz.cli.progress import import_tensorflow
from kerasviz.cli.reading import given_facts, remember_given
from kerasviz.cli.typed import command_line, typed_words
from kerasviz.errors import KerasvizError, UsageError

if TYPE_CHECKING:
    from kerasviz.service import ServiceSettings
    from kerasviz.zoo.remembered import Remembered

#: The packages of the extra ``serve``, as they are imported.
NEEDED = (
    *("fastapi", "fastapi_offline", "orjson", "prometheus_client"),
    *("prometheus_fastapi_instrumentator", "pythonjsonlogger", "uvicorn"),
)
#: Characters of a token, at least.
SHORTEST = 16
#: The command that makes a token.
MAKE_TOKEN = 'python -c "import secrets; print(secrets.token_urlsafe())"'


#: The file that folders of `kerasviz examples` have.
EXAMPLES = "examples.json"


def _examples_folder(context: click.Context, option: click.Parameter, folder: Path | None) -> Any:
    """Refuse a folder without examples before anything is loaded."""
    if folder is not None and not (folder / EXAMPLES).is_file():
        raise UsageError(f"{str(folder)!r} has no {EXAMPLES}; make it with `kerasviz examples`")
    return folder


examples_option = click.option(
    "--examples",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    callback=_examples_folder,
    help="Folder of `kerasviz examples`: what units respond to in your data.",
)


@click.command(
    "serve",
    epilog="""\b
Examples:
  kerasviz serve efficientnet-lite0
  kerasviz serve model.onnx --preprocess torchvision --port 8501 --data service
  export KERASVIZ_TOKEN=$(python -c "import secrets; print(secrets.token_urlsafe())")
  kerasviz serve model.keras --host 0.0.0.0

\b
Then open http://localhost:8501, or use TensorFlow Serving's protocol:
  curl http://localhost:8501/v1/models/efficientnet-lite0/metadata

Ctrl-C stops it; the next start continues unfinished jobs.
""",
)
@click.argument("models", metavar="[MODEL...]", nargs=-1, shell_complete=complete_models)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8501,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("service"),
    show_default=True,
    metavar="DIR",
    help="Folder for everything that is written: jobs, pictures and uploads.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    metavar="N",
    help="Processes that render.",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    metavar="N",
    help="Pictures that are optimized at once, for all users. It decides the last bits of a "
    "picture. [default: 8 on a GPU, else 2]",
)
@click.option(
    "--token",
    envvar="KERASVIZ_TOKEN",
    show_envvar=True,
    help="Secret of at least 16 characters that requests must send (Authorization: Bearer). Needed "
    "if --host is not this machine; prefer the variable, because other users can see the command "
    "line.",
)
@click.option(
    "--taps",
    multiple=True,
    metavar="A,B",
    help="Taps of the signatures activations and visualize, for networks that have them "
    "(repeatable). [default: main layers and the classes]",
)
@click.option(
    "--keep-jobs",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    metavar="N",
    help="Ended jobs that are kept; pictures of older jobs stay.",
)
@examples_option
@click.option("--allow-upload", is_flag=True, help="Let clients upload ONNX and .keras files.")
@click.option(
    "--cors",
    multiple=True,
    metavar="ORIGIN",
    help="Site whose pages may use the service, as https://example.org, or * for all "
    "(repeatable). [default: none]",
)
@input_options
@model_options
def command(
    models: tuple[str, ...],
    *,
    host: str,
    port: int,
    data: Path,
    workers: int,
    batch: int | None,
    token: str | None,
    taps: tuple[str, ...],
    keep_jobs: int,
    examples: Path | None,
    allow_upload: bool,
    cors: tuple[str, ...],
    input_options: InputOptions,
    model_options: ModelOptions,
) -> None:
    """Serve MODELs: a page to explore them, pictures on demand, TensorFlow Serving's protocol.

    MODEL is a file or a name of `kerasviz models list`; efficientnet-lite0 if none is given.
    Options for reading files apply to all of them.
    """
    require_service()
    import_tensorflow()  # before what follows imports it, and without its notes
    from kerasviz.service.server import listening, serve
    from kerasviz.service.settings import Limits, ServiceSettings

    setting = ServiceSettings(
        data=data,
        models=models or ("efficientnet-lite0",),
        host=host,
        port=port,
        workers=workers,
        token=token or None,
        examples=examples,
        allow_upload=allow_upload,
        origins=tuple(map(_origin, cors)),
        taps=tuple(name.strip() for part in taps for name in part.split(",") if name.strip()),
        batch=batch,
        reading=input_options.described(model_options.source("")),
        cli_args=command_line("", "fast", held=False).reading or (),
        folder_args=typed_words(["data"]),
        limits=Limits(kept=keep_jobs),
    )
    check_settings(setting)
    given = given_facts(input_options.spec(), setting.reading.labels)

    def ready(address: str) -> None:
        click.echo(f"serving at {address} (Ctrl-C stops)")
        remember_for(setting, given)

    with listening(setting) as at:
        serve(setting, at, ready)


def remember_for(setting: ServiceSettings, given: Remembered) -> None:
    """Remember the options on input and classes for the files that are served."""
    from kerasviz.io.download import sha256_of

    for model in setting.sources().values() if given.options else ():
        if Path(model).exists():
            remember_given(model, sha256_of(Path(model)), given)


def _origin(text: str) -> str:
    """Return an origin as browsers send it.

    >>> _origin("https://Example.org/")
    'https://example.org'
    """
    parts = urlsplit(text.strip())
    plain = f"{parts.scheme}://{parts.netloc}".lower()
    whole = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    if text.strip() == "*":
        return "*"
    if not whole or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise UsageError(
            f"--cors {text} is no site; give its scheme, host and port, as https://example.org"
        )
    return plain


def require_service() -> None:
    """Raise :class:`KerasvizError` if the extra is not installed."""
    if importlib.util.find_spec("fcntl") is None:
        raise KerasvizError("kerasviz serve needs file locks as Linux and macOS have them")
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise KerasvizError(
            f"kerasviz serve needs {', '.join(missing)}; run: pip install 'kerasviz[serve]'"
        )


def check_settings(setting: ServiceSettings) -> None:
    """Refuse invalid settings before anything is loaded."""
    from kerasviz.errors import near
    from kerasviz.service.middleware.security import is_loopback
    from kerasviz.zoo.hub import is_hub_address
    from kerasviz.zoo.model_card import cards

    known = cards()
    for model in setting.sources().values():
        if not Path(model).exists() and model not in known and not is_hub_address(model):
            raise UsageError(f"no file and no zoo network {model!r}; near: {near(model, known)}")
    if setting.token is None and not is_loopback(setting.host):
        raise UsageError(
            f"--host {setting.host} can be reached from other machines; give a --token too, made "
            f"with: {MAKE_TOKEN}"
        )
    if setting.token is not None and len(setting.token) < SHORTEST:
        raise UsageError(
            f"--token has {len(setting.token)} characters, which can be guessed; give {SHORTEST} "
            f"or more, made with: {MAKE_TOKEN}"
        )
