"""Arrange the values of a program in the tree of the modules that compute them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from kerasviz.network.dataflow import Dataflow
from kerasviz.network.program import Value

#: Names of layers after their class, which Keras numbers: ``conv2d_1``, ``zero_padding2d_3``.
_LAYER_CLASS = re.compile(r"(conv|ing|dropout)[123]d$")


@dataclass(eq=False)
class ModuleNode:
    """Hold a module: its path, the modules inside it, and all values that are computed inside."""

    path: str
    parent: ModuleNode | None
    flow: Dataflow = field(repr=False)
    children: list[ModuleNode] = field(default_factory=list)
    inside: dict[str, ModuleNode | None] = field(default_factory=dict)  # value -> child around it

    @property
    def label(self) -> str:
        """The name of the module within its parent.

        >>> ModuleNode("a.b.0", ModuleNode("a.b", None, Dataflow({})), Dataflow({})).label
        '0'
        """
        around = self.parent.path if self.parent else ""
        return self.path.removeprefix(around).lstrip("./_") or self.path

    @cached_property
    def pattern(self) -> str:
        """The path without numbers, which the modules of a list have in common."""
        return re.sub(r"\d+", "#", self.path)

    @property
    def numbered(self) -> bool:
        """Whether the module is one of a list, by its name."""
        return bool(re.search(r"\d", self.label))

    @cached_property
    def learned(self) -> int:
        """The number of values inside that operators with weights compute."""
        return len(self.flow.learned.intersection(self.inside))

    @cached_property
    def outputs(self) -> list[str]:
        """The values that leave the module, the last one of each root."""
        flow, last = self.flow, {}
        for name in self.inside:
            users = flow.users[name]
            if name in flow.outputs or not users or any(u not in self.inside for u in users):
                last[flow.roots[name]] = name
        return list(last.values())

    @cached_property
    def joins(self) -> bool:
        """Whether ways of the data meet in the module: residual additions, concatenations."""
        sources: dict[object, set[object]] = {}
        for name, child in self.inside.items():
            into: object = child or name
            for source in self.flow.inputs[name]:
                root = self.flow.roots.get(source, source)
                origin = self.inside.get(root) or root
                if origin is not into:
                    sources.setdefault(into, set()).add(origin)
        return any(len(origins) > 1 for origins in sources.values())

    @cached_property
    def signature(self) -> tuple[object, ...]:
        """What equal modules have in common: their operators and the shape of their output."""
        values = self.flow.values
        shape = values[self.outputs[-1]].shape if self.outputs else None
        return (*(values[name].op for name in self.inside), shape)

    def walk(self) -> Iterator[ModuleNode]:
        """Yield the module and all modules inside it."""
        yield self
        for child in self.children:
            yield from child.walk()


def module_tree(flow: Dataflow) -> ModuleNode:
    """Return the root of the modules around the values of a program."""
    root = ModuleNode("", None, flow)
    nodes = {"": root}
    for name, paths in _paths(flow.values).items():
        node = root
        for path in paths:
            if path not in nodes:
                nodes[path] = ModuleNode(path, node, flow)
                node.children.append(nodes[path])
            child = nodes[path]
            node.inside.setdefault(name, child)
            node = child
        node.inside.setdefault(name, None)
    return root


def _paths(values: Mapping[str, Value]) -> dict[str, tuple[str, ...]]:
    """Return the paths of the modules around every value.

    Names of Keras and TensorFlow such as ``conv2_block1_add`` hide modules: their parts end at
    numbers.
    """
    if any("." in path for value in values.values() for path in value.modules):  # PyTorch's
        return {name: value.modules for name, value in values.items()}
    paths = {name: tuple(_with_numbered_parts((*v.modules, name))) for name, v in values.items()}
    modules = {path for around in paths.values() for path in around[:-1]}
    inside = Counter(path for around in paths.values() for path in around if path in modules)
    own = {path for value in values.values() for path in value.modules}
    known = {path for path, count in inside.items() if count > 1 or path in own}
    return {name: tuple(path for path in around if path in known) for name, around in paths.items()}


def _with_numbered_parts(paths: tuple[str, ...]) -> Iterator[str]:
    """Yield paths, and before each the beginnings of its last part that end with a number.

    >>> list(_with_numbered_parts(("net", "net/conv2_block1_1_relu")))
    ['net', 'net/conv2', 'net/conv2_block1', 'net/conv2_block1_1', 'net/conv2_block1_1_relu']
    """
    for path in paths:
        start = path.rfind("/") + 1
        for match in re.finditer(r"\d+[a-z]?(?=_)", path[start:]):
            beginning = path[: start + match.end()]
            if not _LAYER_CLASS.search(beginning):
                yield beginning
        yield path
