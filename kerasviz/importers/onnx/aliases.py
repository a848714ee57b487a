"""Derive short names from the module scopes that PyTorch's exporters write into ONNX files."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from kerasviz.importers.onnx.graph import Node

#: Operators whose results are lengths, not activations.
_LENGTHS = frozenset({"Shape", "Size"})


@dataclass(frozen=True)
class ModulePath:
    """Locate a node: the paths of the modules around it, outermost first, and its label."""

    modules: tuple[str, ...]
    label: str


def module_path(scopes: Sequence[str]) -> str:
    """Return the path of a PyTorch module from the scopes around it.

    A scope repeats the scope before it where the module's name is a number.

    >>> module_path(["features", "features.1", "conv", "conv.0", "conv.0.0"])
    'features.1.conv.0.0'
    """
    parts: list[str] = []
    for scope in scopes:
        if parts and scope.startswith(parts[-1] + "."):
            parts.pop()
        parts.append(scope)
    return ".".join(parts)


def places_of(nodes: Sequence[Node]) -> dict[str, ModulePath]:
    """Locate the first outputs of nodes.

    If no node has the scopes of PyTorch, the parts of a path such as ``block1/conv/Relu`` count as
    scopes.
    """
    located = {
        node.outputs[0]: place for node in nodes if node.outputs and (place := place_of(node))
    }
    if located:
        return located
    paths = {
        node.outputs[0]: first_name(node.name or node.outputs[0]) for node in nodes if node.outputs
    }
    return {
        value: ModulePath(tuple(accumulate(scopes, "{}/{}".format)), label)
        for value, path in paths.items()
        for *scopes, label in [path.strip("/").split("/")]
    }


def first_name(name: str) -> str:
    """Return the first of the names that TensorFlow Lite joins where it merges operators.

    >>> first_name("net/relu/Relu;net/bias/BiasAdd;net/conv/Conv2D1__37:0")
    'net/relu/Relu'
    """
    return name.partition(";")[0]


def first_names(nodes: Sequence[Node], taken: Collection[str]) -> dict[str, str]:
    """Return the values that the first of joined names stand for: the last that has it.

    Those of operators that the converter to ONNX inserted, which end in ``__`` and a number, stand
    back. Names in ``taken`` are skipped.
    """
    found: dict[str, str] = {}
    own: dict[str, str] = {}
    for node in nodes:
        whole = next((n for n in (node.name, *node.outputs[:1]) if ";" in n), None)
        if whole is not None and node.outputs:
            inserted = re.search(r"__\d+(:\d+)?$", whole)
            (found if inserted else own)[first_name(whole)] = node.outputs[0]
    return {name: value for name, value in (found | own).items() if name not in taken}


def modules_around(nodes: Sequence[Node]) -> dict[str, tuple[str, ...]]:
    """Return the paths of the modules around every value.

    A value without a place is in the modules that hold both its input and its user: exporters give
    none to the operators that they insert.
    """
    places = places_of(nodes)
    modules = {value: place.modules for value, place in places.items()}
    users = {name: node.outputs[0] for node in reversed(nodes) for name in node.needs}
    for node in nodes:
        for name in node.outputs:
            if name not in modules:
                near = [modules[n] for n in (*node.needs, users.get(name, "")) if n in modules]
                levels = zip(*near, strict=False)
                modules[name] = tuple(p for p, *others in levels if set(others) <= {p})
    return modules


def place_of(node: Node) -> ModulePath | None:
    """Locate a node from its metadata, its name, or the name of its first output.

    >>> place_of(Node("/layer1/layer1.0/conv1/Conv", "Conv", "", 13, (), ("y",), {})).modules
    ('layer1', 'layer1.0', 'layer1.0.conv1')
    """
    return (
        _from_metadata(node)
        or _from_name(node.name)
        or _from_name(re.sub(r"_output_\d+$", "", node.outputs[0] if node.outputs else ""))
    )


def _from_name(name: str) -> ModulePath | None:
    """Parse names such as ``/layer1/layer1.0/conv1/Conv``: every scope, then the operator."""
    if not name.startswith("/") or name.endswith("/"):
        return None
    *scopes, label = name[1:].split("/")
    if "" in scopes:
        return None
    return ModulePath(tuple(module_path(scopes[: k + 1]) for k in range(len(scopes))), label)


def _from_metadata(node: Node) -> ModulePath | None:
    """Parse the scopes that ``torch.export`` records: full paths, then the name of the call."""
    scopes = _list(node.metadata.get("pkg.torch.onnx.name_scopes", ""))
    if not scopes and ": " in node.metadata.get("namespace", ""):
        # "layer1: torch.nn...Sequential/layer1.0: ...BasicBlock/relu: aten.relu.default"
        scopes = [part.partition(": ")[0] for part in node.metadata["namespace"].split("/")]
    if not scopes:
        return None
    modules = (_called(scope) for scope in scopes[:-1])
    return ModulePath(tuple(dict.fromkeys(filter(None, modules))), scopes[-1])


def _called(scope: str) -> str:
    """Return the path of a module; one that is called again is marked by "@1"."""
    return re.sub(r"@(\d+)", r"_\1", scope)


def module_kinds(nodes: Sequence[Node]) -> dict[str, str]:
    """Return the class names of modules by their paths, which ``torch.export`` records."""
    kinds: dict[str, str] = {}
    for node in nodes:
        scopes = _list(node.metadata.get("pkg.torch.onnx.name_scopes", ""))
        classes = _list(node.metadata.get("pkg.torch.onnx.class_hierarchy", ""))
        if len(scopes) == len(classes):
            for scope, path in zip(scopes[:-1], classes[:-1], strict=True):
                kinds.setdefault(_called(scope), path.rpartition(".")[2])
    return kinds


def _list(text: str) -> list[str]:
    try:
        entries = ast.literal_eval(text) if text else []
    except (ValueError, SyntaxError):
        return []
    good = isinstance(entries, list | tuple) and all(isinstance(entry, str) for entry in entries)
    return list(entries) if good else []


def short_names(
    nodes: Sequence[Node], outputs: Collection[str], taken: Iterable[str] = ()
) -> dict[str, tuple[str, ...]]:
    """Name the values of a graph after the modules that return them.

    A module returns the only value that leaves its scope: ``layer3.0``, also its last call
    ``layer3.0.relu_1``. Calls of a module without submodules are counted within their scope
    (``relu``, ``relu_1``). A value that no module returns is named by its operator and the module
    around it: ``layer3.0.Add``. Names in ``taken`` are skipped.
    """
    places = {node.outputs[0]: p for node in nodes if node.outputs and (p := place_of(node))}
    operators = {node.outputs[0]: node.op for node in nodes if node.outputs}
    leaving = _leaving(nodes, places, outputs)
    inner = {place.modules[k] for place in places.values() for k in range(len(place.modules) - 1)}
    free = _Free(taken)
    names: dict[str, list[str]] = {value: [] for value in places}
    # Innermost modules first: a name that two modules want belongs to the nearest one.
    for module, values in sorted(leaving.items(), key=lambda item: -item[0].count(".")):
        calls = module not in inner and len({operators[value] for value in values}) == 1
        if len(values) == 1 or calls:
            for count, value in enumerate(values):
                name = f"{module}_{count}" if count else module
                if not count or name not in leaving:
                    free.give(name, names[value])
    labels: dict[str, list[str]] = {}
    for value, place in places.items():
        if not names[value]:
            labels.setdefault(".".join((*place.modules[-1:], place.label)), []).append(value)
    for label, values in labels.items():
        if len(values) == 1:
            free.give(label, names[values[0]])
    return {value: tuple(found) for value, found in names.items() if found}


class _Free:
    """Give every name once."""

    def __init__(self, taken: Iterable[str]):
        self._taken = set(taken)

    def give(self, name: str, to: list[str]) -> None:
        if name not in self._taken:
            self._taken.add(name)
            to.append(name)


def _leaving(
    nodes: Sequence[Node], places: dict[str, ModulePath], outputs: Collection[str]
) -> dict[str, list[str]]:
    """Return the values of every module that are used outside of it, in the order of the graph."""
    shapes = shape_arithmetic(nodes)
    users: dict[str, list[frozenset[str]]] = {}  # value -> the modules around each user
    for node in nodes:
        place = places.get(node.outputs[0]) if node.outputs else None
        around = frozenset(place.modules if place else ())
        for name in node.needs:
            users.setdefault(name, []).append(around)
    leaving: dict[str, list[str]] = {}
    for value, place in places.items():
        if value not in shapes:
            for module in place.modules:
                outside = any(module not in around for around in users.get(value, ()))
                if outside or value in outputs or value not in users:
                    leaving.setdefault(module, []).append(value)
    return leaving


def shape_arithmetic(nodes: Sequence[Node]) -> set[str]:
    """Return the values that depend on the shapes of inputs only, not on their numbers."""
    computed = {name for node in nodes for name in node.outputs}
    lengths: set[str] = set()
    for node in nodes:
        inputs = [name for name in node.needs if name in computed]
        if node.op in _LENGTHS or (inputs and lengths.issuperset(inputs)):
            lengths.update(filter(None, node.outputs))
    return lengths
