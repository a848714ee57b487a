"""Map a network: the tree of its modules, the tap of each, and which to look at first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from kerasviz.network.blocks import choose_layers
from kerasviz.network.dataflow import Dataflow
from kerasviz.network.module_tree import ModuleNode, module_tree
from kerasviz.network.program import Program
from kerasviz.types import NotebookView

#: The least length of the end of a module's path that is a name of its own.
_SHORTEST_END = 3


def in_short(names: Iterable[str], most: int = 6) -> str:
    """Write names, of many the first and the last ones.

    >>> in_short("abcdefgh", most=4), in_short("abc", most=4)
    ('a, b, c, ..., h', 'a, b, c')
    """
    listed = list(names)
    if len(listed) > most:
        listed = [*listed[: most - 1], "...", listed[-1]]
    return ", ".join(listed) or "none"


@dataclass(frozen=True)
class Module:
    """Describe a module of a network.

    Args:
        name: Its path, or the name of its tap.
        label: Its name within the module around it.
        kind: Its class, empty where the file does not say it.
        tap: The value that it returns, ``None`` if it returns several.
        main: Whether a person would look at it first.
        modules: The modules inside it, in order.
    """

    name: str
    label: str
    kind: str
    tap: str | None
    main: bool = False
    modules: tuple[Module, ...] = ()

    def walk(self) -> Iterator[Module]:
        """Yield the module and all modules inside it."""
        yield self
        for module in self.modules:
            yield from module.walk()


@dataclass(frozen=True, repr=False)
class Map(NotebookView):
    """Hold the modules of a network: ``root`` is the network itself.

    ``main`` maps the names of the main layers, in order, to their values; ``flow`` is that of the
    data.

    Example:
        >>> net = kerasviz.load("efficientnet-lite0")
        >>> [module.name for module in net.map.root.walk()][:4]
        ['', 'block1a', 'block2a', 'block2b']
    """

    root: Module
    main: Mapping[str, str]
    flow: Dataflow = field(repr=False, compare=False)

    def __repr__(self) -> str:
        modules = sum(1 for _ in self.root.walk()) - 1
        return f"<Map of {modules} modules; main layers: {in_short(self.main)}>"

    def layers(self) -> list[str]:
        """Return the values that are worth a look, in order: those of modules, and the rest.

        The rest are convolutions and joins, behind their activations.
        """
        flow = self.flow
        activated = [flow.activated(name) for name in (*flow.learned, *flow.joins)]
        modules = [tap for tap in self.names().values() if tap in flow.values]
        return sorted({*self.main.values(), *modules, *activated}, key=flow.order.__getitem__)

    def names(self) -> dict[str, str]:
        """Return the names of modules with the values of their taps."""
        paths = {m.name: m.tap for m in self.root.walk() if m.name and m.tap is not None}
        return {**self.main, **paths}

    def name_of(self, tap: str) -> str:
        """Return the name under which a value is shown: of its module, or within its module."""
        if tap in self._shown:
            return self._shown[tap]
        value = self.flow.values.get(tap)
        around = value.modules[-1] if value is not None and value.modules else None
        aliases = value.aliases if value is not None else ()
        return next((a for a in aliases if around and a.startswith(f"{around}.")), tap)

    @cached_property
    def _shown(self) -> dict[str, str]:
        """The main name of every tap that has one, else the path of the outermost module."""
        names = [*self.main.items(), *self.names().items()]
        return {tap: name for name, tap in reversed(names)}

    def short_names(self) -> dict[str, str]:
        """Return the ends of the paths of modules that are unique, such as ``layer.0``.

        PyTorch joins a path by dots, TensorFlow by slashes.
        """
        owners: dict[str, set[str]] = {}
        for path, tap in self.names().items():
            for separator in re.finditer("[./]", path):
                owners.setdefault(path[separator.end() :], set()).add(tap)
        return {
            end: taps.pop()
            for end, taps in owners.items()
            if len(taps) == 1 and len(end) >= _SHORTEST_END and not end.isdigit()
        }


def map_of(program: Program, names: Mapping[str, str], main: Sequence[str] = ()) -> Map:
    """Map a program.

    Args:
        program: The program.
        names: All names of its values.
        main: The names of the main layers where they are known, else they are found.
    """
    flow = Dataflow(program.values, program.outputs)
    tree = module_tree(flow)
    if main:
        layers = {name: names[name] for name in main}
    else:
        chosen = choose_layers(tree, flow).items()
        layers = {_free_name(name, tap, flow, names): tap for name, tap in chosen}
    root = _module(tree, program.module_kinds, layers)
    placed = {module.name for module in root.walk()}
    for name, tap in layers.items():
        if name not in placed:
            root = _with_layer(root, tree, Module(name, name, _kind(flow, tap), tap, main=True))
    return Map(root, layers, flow)


def _free_name(name: str, tap: str, flow: Dataflow, names: Mapping[str, str]) -> str:
    """Return the name of a main layer, such as ``conv1.relu`` where ``conv1`` is before its ReLU.

    If that is not free, it is the shortest one of the layer's tap.
    """
    if names.get(name, tap) == tap:
        return name
    value = flow.values[tap]
    kind = "activation" if value.op in ("Add", "Div", "Mul") else value.op.lower()
    if value.activation_input is not None and f"{name}.{kind}" not in names:
        return f"{name}.{kind}"
    return min((tap, *value.aliases), key=len)


def _kind(flow: Dataflow, tap: str) -> str:
    return flow.values[tap].op if tap in flow.values else ""


def _module(node: ModuleNode, kinds: Mapping[str, str], main: Mapping[str, str]) -> Module:
    shown = node.path in main
    outputs = node.outputs
    return Module(
        name=node.path,
        label=node.label,
        kind=kinds.get(node.path, ""),
        tap=main[node.path] if shown else outputs[0] if len(outputs) == 1 else None,
        main=shown,
        modules=tuple(_module(child, kinds, main) for child in node.children),
    )


def _with_layer(module: Module, node: ModuleNode, layer: Module) -> Module:
    """Return a module with a main layer inside it that is no module of the file."""
    inside = next((c for c in node.children if layer.tap in c.inside), None)
    if inside is None:
        around = module.name
        label = layer.name.removeprefix(around).lstrip("./_") if around else layer.name
        return replace(module, modules=(*module.modules, replace(layer, label=label)))
    k = node.children.index(inside)
    changed = _with_layer(module.modules[k], inside, layer)
    return replace(module, modules=(*module.modules[:k], changed, *module.modules[k + 1 :]))
