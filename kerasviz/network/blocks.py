"""Choose the modules of a network that a person would look at first: its blocks."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from kerasviz.network.dataflow import POOL, Dataflow
from kerasviz.network.module_tree import ModuleNode

#: A list of at most this many modules that join ways is one of stages if it holds a longer list.
_STAGES = 6
#: Operators with weights in a module of a list that is shown whole although nothing joins in it.
_SMALL = range(2, 5)
#: The share of the network above which a module is the network in a wrapper.
_WRAPPER = 0.5
_MERGING = re.compile("add|sum|concat|merge", re.IGNORECASE)
#: Operators without weights whose modules are shown among blocks.
_REARRANGING = re.compile("resize|upsampl|transpose|reshape|concat", re.IGNORECASE)


@dataclass
class _Pattern:
    """Gather what modules of one pattern have in common."""

    members: list[ModuleNode] = field(default_factory=list)
    blocks: bool = False

    @property
    def one_output(self) -> bool:
        """Whether most members have one output."""
        return sum(len(m.outputs) == 1 for m in self.members) * 2 > len(self.members)

    @property
    def container(self) -> str:
        """The path of the module that holds the list, empty for the network itself."""
        paths = [re.split(r"[./]", member.path)[:-1] for member in self.members]
        levels = itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False))
        return self.members[0].path[: len(".".join(parts[0] for parts in levels))]

    @property
    def equal_siblings(self) -> bool:
        """Whether two members of one list are equal."""
        seen = [(id(m.parent), m.signature) for m in self.members if m.learned > 1]
        return len(set(seen)) < len(seen)

    @property
    def joins(self) -> bool:
        return any(member.joins for member in self.members)

    @property
    def small(self) -> bool:
        """Whether the members are a few operators each, as convolutions in pairs are."""
        return len(self.members) > 1 and all(m.learned in _SMALL for m in self.members)


def choose_layers(root: ModuleNode, flow: Dataflow) -> dict[str, str]:
    """Return the names of the main layers with their values, in order.

    They are the modules of :func:`find_blocks`. Where the names tell of fewer than two, or of less
    than half of the network, they are those of :func:`find_joints`.
    """
    blocks, named = find_blocks(root, flow), [c for c in root.children if c.learned]
    joints = find_joints(flow)
    covered = sum(child.learned for child in named) * 2 >= root.learned
    return blocks if (covered and len(blocks) > 1) or len(blocks) >= len(joints) else joints


def find_joints(flow: Dataflow) -> dict[str, str]:
    """Return the main layers by the structure alone: their values by names of their own.

    They are residual additions, concatenations and the last values before a change of the
    resolution, else all convolutions, each behind its activation, else all values with positions.
    """
    joints = [n for n in flow.joins if _MERGING.search(flow.values[n].op) and not _scores(n, flow)]
    for name in flow.learned:
        roots = {flow.roots.get(source, source) for source in flow.inputs[name]}
        joints += [r for r in roots if r in flow.values and _sides(name, flow) < _sides(r, flow)]
    layers = {flow.activated(name) for name in joints if flow.has_positions(name)}
    if len(layers) < 2:
        layers = {flow.activated(name) for name in flow.learned if flow.has_positions(name)}
    layers = layers or {name for name in flow.values if flow.has_positions(name)}
    return {_called(name, flow): name for name in sorted(layers, key=flow.order.__getitem__)}


def _called(name: str, flow: Dataflow) -> str:
    """Return the name of a value; of one that lists all operators merged in it, the shortest."""
    return min((name, *flow.values[name].aliases), key=len) if ";" in name else name


def _scores(name: str, flow: Dataflow) -> bool:
    """Return whether a sum is the argument of a softmax, as the scores of attention are."""
    return any("softmax" in flow.values[user].op.lower() for user in flow.users[name])


def _sides(name: str, flow: Dataflow) -> tuple[int, ...]:
    return tuple(n or 0 for n in (flow.values[name].shape or ())[1:-1])


def find_blocks(root: ModuleNode, flow: Dataflow) -> dict[str, str]:
    """Return the paths of the main modules with the values of their outputs, in order.

    Blocks are modules of a list in which ways of the data join (residual blocks, transformer
    blocks, branches), or which are equal. Beside them, or where there are none, the convolutions
    before and after them count, behind their activations.
    """
    patterns = _patterns(root)
    _mark_blocks(patterns)
    chosen: dict[str, str] = {}
    blocks: set[str] = set()
    shown = list(_shown(root, patterns, root.learned))
    for node in shown:
        tap = _output(node, flow)
        if tap is not None and flow.has_positions(tap) and tap not in chosen.values():
            name = _name_of(node, tap)
            chosen[name] = tap
            if patterns[node.pattern].blocks or node.learned > 1:
                blocks.add(name)
    ordered = dict(sorted(chosen.items(), key=lambda item: flow.order[item[1]]))
    lists = {patterns[node.pattern].container for node in shown if patterns[node.pattern].blocks}
    return _without_between(ordered, blocks, lists - {""})


def _patterns(root: ModuleNode) -> dict[str, _Pattern]:
    patterns: dict[str, _Pattern] = {}
    for node in root.walk():
        patterns.setdefault(node.pattern, _Pattern()).members.append(node)
    return patterns


def _mark_blocks(patterns: dict[str, _Pattern]) -> None:
    """Mark the patterns of lists of blocks, innermost first."""
    for path in sorted(patterns, key=len, reverse=True):
        pattern = patterns[path]
        computing = [m for m in pattern.members if m.learned > 1]
        if not pattern.members[0].numbered or not computing or not pattern.one_output:
            continue
        inside = [p for q, p in patterns.items() if q.startswith(path) and q != path]
        inner = [p for p in inside if p.blocks and (p.joins or not pattern.joins)]
        if pattern.equal_siblings:
            pattern.blocks = True
        elif pattern.joins:
            few = len(pattern.members) <= _STAGES
            longer = any(len(p.members) >= 2 * len(pattern.members) for p in inner)
            pattern.blocks = not (few and longer)
        else:
            pattern.blocks = pattern.small and not inner


def _shown(node: ModuleNode, patterns: dict[str, _Pattern], total: int) -> Iterator[ModuleNode]:
    """Yield the modules to show inside a module, or the module itself."""
    for child in node.children:
        if _is_whole(child, patterns, total):
            yield child
        else:
            yield from _shown(child, patterns, total)


def _is_whole(node: ModuleNode, patterns: dict[str, _Pattern], total: int) -> bool:
    """Return whether a module is shown as one."""
    pattern = patterns[node.pattern]
    if pattern.blocks:
        rearranging = any(_REARRANGING.search(node.flow.values[name].op) for name in node.inside)
        return node.learned > 0 or node.joins or rearranging
    if node.learned < 2:
        return node.learned == 1
    if not node.joins or len(node.outputs) != 1 or node.learned > _WRAPPER * total:
        return False
    return not any(patterns[inner.pattern].blocks for inner in node.walk() if inner is not node)


def _output(node: ModuleNode, flow: Dataflow) -> str | None:
    """Return the value that a module returns, behind the activation that follows it."""
    if not node.outputs:
        return None
    output = node.outputs[-1]
    if node.learned == 1 and len(node.outputs) == 1:
        return flow.activated(output)
    (source, *others) = flow.inputs[output] or [""]
    ends_in_pool = POOL.search(flow.values[output].op) and not others and source in node.inside
    return source if ends_in_pool else output


def _name_of(node: ModuleNode, tap: str) -> str:
    """Return the path of a module, or of the module of the activation that follows it."""
    if tap in node.inside or node.parent is None:
        return node.path
    last = next((c for c in node.parent.children if c.outputs == [tap]), None)
    return last.path if last else node.path


def _without_between(
    chosen: dict[str, str], blocks: set[str], containers: set[str]
) -> dict[str, str]:
    """Leave out what lies between blocks, or inside the module that holds their list.

    Such are the convolutions that reduce the resolution.
    """
    places = [k for k, name in enumerate(chosen) if name in blocks]
    if not places:
        return chosen
    return {
        name: tap
        for k, (name, tap) in enumerate(chosen.items())
        if name in blocks
        or not (places[0] < k < places[-1] or any(_is_inside(name, c) for c in containers))
    }


def _is_inside(name: str, container: str) -> bool:
    return name.startswith((f"{container}.", f"{container}/"))
