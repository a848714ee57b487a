"""``kerasviz convert``: a network as a Keras file or a SavedModel, and the report on ONNX files."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from kerasviz.cli.completion import complete_models
from kerasviz.cli.options import ModelOptions, json_option, model_options, size_of
from kerasviz.cli.progress import import_tensorflow
from kerasviz.cli.reading import read_network
from kerasviz.errors import UsageError
from kerasviz.types import OutputKind, OutputLayout

if TYPE_CHECKING:
    from kerasviz.export import Converted
    from kerasviz.importers.onnx.report import ExecutedTranspose, ImportReport, PortReport


def _size(text: str) -> tuple[int | None, int | None]:
    return (None, None) if text.strip() == "any" else size_of(text)


@click.command(
    "convert",
    epilog="""\b
Examples:
  kerasviz convert model.onnx model.keras
  kerasviz convert model.onnx served/1 --taps relu1,relu2
  kerasviz convert model.onnx model.keras --size 320
  kerasviz convert model.onnx --report
""",
)
@click.argument("model", shell_complete=complete_models)
@click.argument("out", required=False, type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Choice(get_args(OutputKind)),
    help="What to write. By default a name that ends in .keras means a Keras file, any other the "
    "folder of a SavedModel.",
)
@click.option(
    "--taps",
    multiple=True,
    metavar="A,B",
    help="Taps that become outputs, under these names, beside the network's own (again for more).",
)
@click.option(
    "--layout",
    type=click.Choice(get_args(OutputLayout)),
    help="Order of the axes of inputs and outputs: the model's own (default of SavedModels), or "
    "batch, height, width, channels (default of Keras files).",
)
@click.option(
    "--size",
    type=_size,
    metavar="N|HxW|any",
    help="Image size for a network that was exported for another one, if its graph allows it.",
)
@click.option("--report", is_flag=True, help="Write nothing; describe an ONNX file.")
@json_option
@model_options
def command(
    model: str,
    out: Path | None,
    *,
    report: bool,
    as_json: bool,
    model_options: ModelOptions,
    **options: Any,
) -> None:
    """Write MODEL as OUT, which loads without kerasviz and gives the same numbers.

    OUT is a Keras file (NAME.keras) of Keras' own layers, named after the taps, or the folder of a
    SavedModel with the signature serving_default. What was written is loaded and compared with
    MODEL before it gets its name.

    --report prints what an ONNX file holds and where its import has to transpose.
    """
    if report:
        if out is not None:
            raise UsageError(f"--report writes nothing; leave {str(out)!r} out")
        _print_report(model, as_json)
        return
    if out is None:
        raise UsageError("give OUT: NAME.keras, or the name of a folder (or --report)")
    import_tensorflow()
    from kerasviz.cli.progress import working
    from kerasviz.export.convert import convert, kind_of_output

    kind_of_output(out, options["to"])  # before the model is loaded
    net = read_network(model, model_options)
    with working(f"writing {out}"):
        made = convert(net, out, **options)
    if as_json:
        click.echo(json.dumps({**asdict(made), "path": str(made.path)}, indent=1))
    else:
        _print_made(made)


def _print_made(made: Converted) -> None:
    from kerasviz.cli.taps import aligned
    from kerasviz.export.exported_function import shown_shape

    what = "Keras file" if made.kind == "keras" else "SavedModel"
    click.echo(f"{made.path}: {what}, {bytes_in_words(made.size)}")
    rows = [("input", name, shown_shape(shape)) for name, shape in made.inputs.items()]
    rows += [("output", name, shown_shape(shape)) for name, shape in made.outputs.items()]
    for line in aligned(rows):
        click.echo(f"  {line}")
    if made.difference is None:
        click.echo("  not checked: the network cannot be run on random numbers")
    else:
        click.echo(
            f"  checked on a random input: differs by at most {made.difference:.0e} of the "
            "largest number"
            if made.difference
            else "  checked on a random input: the same numbers"
        )


def bytes_in_words(count: int) -> str:
    """Write a file's size for people."""
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.0f} kB"


# -- the report ------------------------------------------------------------------------------


def _print_report(model: str, as_json: bool) -> None:
    import_tensorflow()
    path = _onnx_file(model)
    from kerasviz.cli.progress import working
    from kerasviz.importers.onnx.report import report_of

    with working(f"reading {model}"):
        found = report_of(path)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=1))
        return
    for line in _report_lines(model, found):
        click.echo(line)


def _onnx_file(model: str) -> Path:
    """Return the file of a model. Raises :class:`UsageError` unless it is ONNX."""
    from kerasviz.importers.detect import kind_of
    from kerasviz.zoo import cached, cards
    from kerasviz.zoo.locate import locate

    located = locate(model)
    path = None if located is None else located.path
    if path is None:
        known = cards()
        path = cached(known[model]) if model in known and not known[model].embedded else None
    if path is None:
        raise UsageError(f"no file {model!r}; --report describes an ONNX file")
    kind = kind_of(path)
    if kind != "onnx":
        raise UsageError(f"--report describes ONNX files; {model} is of the format {kind}")
    return path


def _report_lines(model: str, report: ImportReport) -> list[str]:
    from kerasviz.cli.taps import aligned

    opsets = ", ".join(f"{domain} opset {n}" for domain, n in report.opsets.items())
    count = sum(report.operators.values())
    folded = f", {report.folded} more computed once from constants" if report.folded else ""
    lines = [f"{model}: {opsets or 'no nodes'}; {count} nodes{folded}", ""]
    ports = [("input", *_port(p)) for p in report.inputs]
    ports += [("output", *_port(p)) for p in report.outputs]
    lines += [*aligned(ports), ""] if ports else []
    lines += aligned([(op, str(n)) for op, n in report.operators.items()] or [("no nodes", "")])
    lines.append("")
    if report.unsupported:
        lines.append(f"not supported, so it cannot be run ({len(report.unsupported)}):")
        return lines + [f"  {node}" for node in report.unsupported]
    places = report.transposes or ()
    lines.append(f"transposes executed: {len(places)}")
    return lines + [f"  {_place(place)}" for place in places]


def _port(port: PortReport) -> tuple[str, str, str, str]:
    from kerasviz.export.exported_function import shown_shape

    shape = "" if port.shape is None else shown_shape(port.shape)
    return port.name, port.dtype or "", shape, "channels first" if port.channels_first else ""


def _place(place: ExecutedTranspose) -> str:
    if place.own:
        return f"{place.before}, a node of the model, after {place.after}"
    where = f" for {place.before}" if place.before else ""
    return f"after {place.after}{where}"
