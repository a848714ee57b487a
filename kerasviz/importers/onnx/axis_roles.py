"""Say what an axis of a value holds, and what becomes of it by a reshape or by broadcasting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

IMAGES = "images"
CHANNELS = "channels"
POSITIONS = "positions"


@dataclass(frozen=True)
class AxisRole:
    """Hold the role of an axis, empty if unknown, and its length, ``None`` if free."""

    role: str = ""
    length: int | None = None

    def with_role(self, role: str) -> AxisRole:
        """Return the axis in another role."""
        return replace(self, role=role)


UNKNOWN = AxisRole()
Axes = tuple[AxisRole, ...]


def joined(inputs: Sequence[Axes], lengths: Sequence[int | None]) -> Axes:
    """Return the axes of an elementwise operation, whose inputs are broadcast from the right.

    An axis of length 1 follows the others. Inputs that contradict each other leave a role open.
    """
    result = []
    for behind in range(len(lengths), 0, -1):
        present = [axes[-behind] for axes in inputs if len(axes) >= behind]
        long = [axis for axis in present if axis.length != 1] or present
        roles = {axis.role for axis in long if axis.role}
        result.append(AxisRole(roles.pop() if len(roles) == 1 else "", lengths[-behind]))
    return tuple(result)


def reshaped(source: Axes, lengths: Sequence[int | None]) -> Axes:
    """Return the axes of ``source`` in another shape.

    Axes are matched from both ends as far as their lengths are known. Parts of an axis keep its
    role, and so does what is joined out of axes of one role.

    >>> conv = (AxisRole("images"), AxisRole("channels", 6), AxisRole("positions"))
    >>> [axis.role for axis in reshaped(conv, [None, 2, 3, None])]
    ['images', 'channels', 'channels', 'positions']
    """
    target = [AxisRole("", length) for length in lengths]
    begin, left = _matched(source, target)
    head, source_left, target_left = target[:begin], source[left:], target[begin:]
    role = _common(source_left)
    if role is not None:
        return (*head, *(axis.with_role(role) for axis in target_left))
    back = target_left[::-1]
    end, right = _matched(source_left[::-1], back, from_start=False)
    role = _common(source_left[: len(source_left) - right]) or ""
    middle = [axis.with_role(role) for axis in back[end:]]
    return (*head, *middle[::-1], *back[:end][::-1])


def _common(axes: Sequence[AxisRole]) -> str | None:
    """Return the only role of axes, those of length 1 aside; ``None`` if there are several."""
    roles = {axis.role for axis in axes if axis.length != 1}
    return roles.pop() if len(roles) == 1 else None


def _matched(source: Axes, target: list[AxisRole], *, from_start: bool = True) -> tuple[int, int]:
    """Give roles to the first axes of ``target``; return how many of both are matched."""
    done = used = 0
    while used < len(source) and done < len(target):
        if from_start and _common(source[used:]) is not None:
            break
        have, want = source[used].length, target[done].length
        images = from_start and done == used == 0 and None in (have, want)
        if images or (have == want and have is not None):
            target[done] = target[done].with_role(source[used].role)
            done, used = done + 1, used + 1
            continue
        taken, parts, whole = _group([a.length for a in source[used:]], target[done:])
        role = _common(source[used : used + taken])
        if role is None or not parts:
            break
        for k in range(done, done + parts):
            target[k] = target[k].with_role(role)
        done += parts
        if not whole:
            break
        used += taken
    return done, used


def _group(source: list[int | None], target: Sequence[AxisRole]) -> tuple[int, int, bool]:
    """Return how many axes of both have one product, and whether they do.

    If lengths are free, the parts of the first axis that are known are returned.
    """
    have, want = source[0], target[0].length
    taken = parts = 1
    while have is not None and want is not None and have != want:
        if have < want:
            if taken == len(source) or (more := source[taken]) is None:
                return taken, 0, False
            have, taken = have * more, taken + 1
        else:
            if have % want:
                return taken, 0, False
            if parts == len(target) or (more := target[parts].length) is None:
                return taken, parts, False
            want, parts = want * more, parts + 1
    return (taken, parts, True) if have is not None and want is not None else (taken, 0, False)
