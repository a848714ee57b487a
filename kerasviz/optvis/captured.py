"""Describe a Python function as data: its source, its code, and the values that it captures.

A function captures the variables of the functions around it, the globals that it reads, defaults,
arguments of a ``functools.partial`` and attributes of a callable object. Two functions of equal
descriptions compute the same, so that a description may stand in a key.
"""

from __future__ import annotations

import builtins
import dis
import functools
import importlib.util
import inspect
import math
import sys
import sysconfig
import textwrap
from collections.abc import Callable, Iterator, Mapping
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    MethodType,
    ModuleType,
)
from typing import Any

import numpy as np

from kerasviz.io.files import checksum, digest

#: The source of functions that Python keeps no text of.
NO_SOURCE = "no source text: typed at a prompt, made by exec, or built in"
#: The numbers of an array, or items of a list, that a description repeats, at most; of more it has
#: a checksum.
MOST = 64
#: Functions that see all names around them, not only those that their callers' code mentions.
_SEEING_ALL = ("eval", "exec", "globals")
#: Types whose text tells a value.
_PLAIN = (slice, range, type(...), np.dtype, np.ufunc)


class Captured:
    """Describe functions; ``lasting`` turns false at an object whose value cannot be described."""

    def __init__(self) -> None:
        self.lasting = True
        self._seen: dict[int, int] = {}

    def describe(self, f: Callable[..., Any]) -> dict[str, Any]:
        """Return a function, a partial, a method or a callable object as plain data."""
        if isinstance(f, functools.partial):
            parts = {"arguments": self.value(f.args), "keywords": self.value(f.keywords)}
            return {"partial": self.describe(f.func), **parts}
        if isinstance(f, MethodType):
            return {"method": self.describe(f.__func__), "of": self._instance(f.__self__)}
        if (inner := _traced(f)) is not None:
            return {"tf.function": self.describe(inner)}
        if isinstance(f, FunctionType) and not _is_library_function(f):
            return self._function(f)
        if isinstance(f, FunctionType | BuiltinFunctionType | type):
            return self._named(f)
        return self._instance(f)

    def value(self, value: Any) -> Any:
        """Return a value as plain data, or its type alone, which ends ``lasting``."""
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) in (float, complex):
            return value if isinstance(value, float) and math.isfinite(value) else repr(value)
        if type(value) is bytes:
            return {"bytes": checksum(value)}
        if isinstance(value, _PLAIN) or type(value).__name__ == "DType":
            return {"value": repr(value)}
        if isinstance(value, ModuleType):
            return self._module(value)
        if (array := _as_array(value)) is not None and not array.dtype.hasobject:
            return _of_array(array)
        return self._nested(value)

    def _nested(self, value: Any) -> Any:
        if id(value) in self._seen:
            return {"again": self._seen[id(value)]}
        self._seen[id(value)] = len(self._seen)
        if type(value) in (list, tuple):
            return _listed(type(value).__name__, [self.value(item) for item in value])
        if type(value) in (set, frozenset):
            return _listed("set", sorted((self.value(item) for item in value), key=digest))
        if type(value) is dict:
            return _listed("dict", [[self.value(k), self.value(v)] for k, v in value.items()])
        known = functools.partial, MethodType, FunctionType, BuiltinFunctionType, type
        if isinstance(value, known) or _traced(value) is not None:
            return self.describe(value)
        return self._unknown(value)

    def _unknown(self, value: Any) -> dict[str, Any]:
        self.lasting = False
        return {"object": f"{type(value).__module__}.{type(value).__qualname__}"}

    def _function(self, f: FunctionType) -> dict[str, Any]:
        source = {"source": source_of(f), "code": _of_code(f.__code__)}
        return {"function": f.__qualname__, **source, "captured": self._captured(f)}

    def _captured(self, f: FunctionType) -> dict[str, Any]:
        """Return what a function reads beside its arguments, by name; ``x=`` is a default."""
        found: dict[str, Any] = {}
        for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
            found[name] = {"cell": "empty"} if _is_empty(cell) else self.value(cell.cell_contents)
        names = f.__code__.co_varnames[: f.__code__.co_argcount]
        defaults = f.__defaults__ or ()
        for name, value in zip(names[len(names) - len(defaults) :], defaults, strict=True):
            found[f"{name}="] = self.value(value)
        for name, value in (f.__kwdefaults__ or {}).items():
            found[f"{name}="] = self.value(value)
        for chain in _chains(f.__code__):
            if chain[0] in f.__globals__:
                name, value = _followed(chain, f.__globals__[chain[0]])
                if name not in found:
                    found[name] = self.value(value)
        if any(not is_library(name) for name in _imports(f.__code__)):
            self.lasting = False  # a module that the function itself imports may change
        return found

    def _named(self, f: Any) -> dict[str, Any]:
        """Describe what a library has by its name; classes of the user's own are unknown."""
        owner = getattr(f, "__self__", None)
        if owner is not None and not isinstance(owner, ModuleType | type):
            return {"method": f.__name__, "of": self.value(owner)}
        if not is_library(f.__module__):
            return self._unknown(f)
        return {"library": _version(f.__module__), "path": f"{f.__module__}.{f.__qualname__}"}

    def _module(self, module: ModuleType) -> dict[str, Any]:
        if not is_library(module.__name__):
            self.lasting = False
        return {"library": _version(module.__name__), "path": module.__name__}

    def _instance(self, instance: Any) -> dict[str, Any]:
        """Describe a callable object of the user's by the code of its class and its attributes."""
        kind = type(instance) if not isinstance(instance, type) else instance
        if is_library(kind.__module__):
            return self._unknown(instance)
        members: dict[str, Any] = {}
        for base in reversed([c for c in kind.__mro__ if not is_library(c.__module__)]):
            for name, member in vars(base).items():
                code = getattr(member, "fget", None) or getattr(member, "__func__", member)
                if isinstance(code, FunctionType):
                    members[name] = code
                elif not name.startswith("__") and not inspect.isdatadescriptor(member):
                    members[name] = member
        state = _state(instance)
        return {
            "object": kind.__qualname__,
            "source": source_of(kind),
            "members": {name: self.value(member) for name, member in members.items()},
            "attributes": {name: self.value(value) for name, value in state.items()},
        }


def frozen(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return a copy of a function that keeps the variables around it as they are now.

    So the lambdas of ``[lambda a: a["x"][:, k] for k in range(3)]``, each frozen when it is made,
    differ, and a later assignment to a global changes nothing. Values that change in place, and
    callables that are no plain functions, stay shared.
    """
    if type(f) is functools.partial:
        return functools.partial(frozen(f.func), *f.args, **f.keywords)
    if not isinstance(f, FunctionType) or _is_library_function(f):
        return f
    names = {chain[0] for chain in _chains(f.__code__)}
    if names & set(_SEEING_ALL):
        return f
    always = ("__name__", "__package__", "__spec__", "__builtins__")
    scope = {n: f.__globals__[n] for n in (*names, *always) if n in f.__globals__}
    scope.setdefault("__builtins__", builtins)
    cells = tuple(c if _is_empty(c) else CellType(c.cell_contents) for c in f.__closure__ or ())
    copy = FunctionType(f.__code__, scope, f.__name__, f.__defaults__, cells)
    copy.__kwdefaults__, copy.__qualname__ = f.__kwdefaults__, f.__qualname__
    copy.__module__ = f.__module__
    return copy


def source_of(f: Any) -> str:
    """Return the source text of a function, of what it wraps or of its class; else why not.

    >>> source_of(max)
    'no source text: typed at a prompt, made by exec, or built in'
    """
    if isinstance(f, functools.partial):
        return source_of(f.func)
    if isinstance(f, MethodType):
        return source_of(f.__func__)
    if (inner := _traced(f)) is not None:
        return source_of(inner)
    if not isinstance(f, FunctionType | type):
        f = type(f)
    if f.__module__ == "builtins":
        return NO_SOURCE
    try:  # by its code: the text of a decorator's function is its own, not that of what it wraps
        text = inspect.getsource(f.__code__ if isinstance(f, FunctionType) else f)
    except (OSError, TypeError, SyntaxError):
        return NO_SOURCE
    return textwrap.dedent(text).strip()


@functools.lru_cache(maxsize=1024)
def is_library(name: str | None) -> bool:
    """Return whether a module belongs to Python or an installed package, and so does not change.

    >>> is_library("math"), is_library("numpy.linalg"), is_library("__main__")
    (True, True, False)
    """
    top = (name or "").partition(".")[0]
    if top in ("", "__main__"):  # what runs may itself be a library, as pytest's
        return False
    if top in sys.stdlib_module_names or top in ("builtins", "kerasviz"):
        return True
    module = sys.modules.get(top)
    file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    if module is None and (spec := importlib.util.find_spec(top)) is not None:
        file = spec.origin
    folders = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    return any(str(file).startswith(folder) for folder in folders)


def _is_library_function(f: FunctionType) -> bool:
    """Return whether a function stands in a library's file; those of doctests only seem to."""
    typed = f.__code__.co_filename.startswith("<") and "<frozen" not in f.__code__.co_filename
    return is_library(f.__module__) and not typed


def _version(name: str) -> str:
    top = name.partition(".")[0]
    version = getattr(sys.modules.get(top), "__version__", "")
    return f"{top} {version}".strip()


def _traced(f: Any) -> Callable[..., Any] | None:
    """Return the Python function behind a ``tf.function``, ``None`` for anything else."""
    inner = getattr(f, "python_function", None)
    return inner if inner is not None and type(f).__module__.startswith("tensorflow.") else None


def _as_array(value: Any) -> np.ndarray[Any, Any] | None:
    """Return an array, a NumPy number or a tensor with values as an array; variables change."""
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    if type(value).__name__ == "EagerTensor":
        return np.asarray(value)
    return None


def _of_array(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    kind = f"{array.dtype} {list(array.shape)}"
    data: dict[str, Any] = {"array": kind, "sha256": checksum(array.tobytes())}
    numbers = array.dtype.kind in "biuf" and array.size <= MOST
    if numbers and np.isfinite(array).all():
        data["values"] = array.tolist()
    return data


def _listed(kind: str, items: list[Any]) -> dict[str, Any]:
    """Return the items of a list; of a long one their number and a digest."""
    return {kind: items} if len(items) <= MOST else {kind: len(items), "digest": digest(items)}


def _of_code(code: CodeType) -> str:
    """Return a digest of bytecode: source text alone does not tell two lambdas of a line apart."""
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    constants = [_constant(constant) for constant in code.co_consts]
    shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return digest([code.co_code.hex(), constants, [list(n) for n in names], list(shape)])


def _constant(constant: Any) -> Any:
    if isinstance(constant, CodeType):
        return _of_code(constant)
    if isinstance(constant, frozenset):  # in an order that differs from process to process
        return sorted(map(repr, constant))
    return repr(constant)


def _chains(code: CodeType) -> Iterator[tuple[str, ...]]:
    """Yield the globals that code reads, with the attributes that follow: ("tf", "math", "exp")."""
    chain: list[str] = []
    for instruction in dis.get_instructions(code):
        follows = chain and instruction.opname in ("LOAD_ATTR", "LOAD_METHOD")
        if chain and not follows:
            yield tuple(chain)
            chain = []
        if follows or instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            chain.append(str(instruction.argval))
    for nested in code.co_consts:
        if isinstance(nested, CodeType):
            yield from _chains(nested)


def _imports(code: CodeType) -> Iterator[str]:
    """Yield the modules that code imports while it runs."""
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            yield str(instruction.argval)
    for nested in code.co_consts:
        if isinstance(nested, CodeType):
            yield from _imports(nested)


def _followed(chain: tuple[str, ...], value: Any) -> tuple[str, Any]:
    """Follow a chain of attributes through the user's own modules to what it names."""
    taken = 1
    while isinstance(value, ModuleType) and not is_library(value.__name__) and taken < len(chain):
        value = getattr(value, chain[taken], None)
        taken += 1
    return ".".join(chain[:taken]), value


def _is_empty(cell: CellType) -> bool:
    try:
        return cell.cell_contents is cell  # never; an empty cell raises
    except ValueError:
        return True


def _state(instance: Any) -> Mapping[str, Any]:
    """Return the attributes of an object, those in slots too."""
    slots = [s for kind in type(instance).__mro__ for s in getattr(kind, "__slots__", ())]
    held = {name: getattr(instance, name) for name in slots if hasattr(instance, name)}
    return {**held, **getattr(instance, "__dict__", {})}
