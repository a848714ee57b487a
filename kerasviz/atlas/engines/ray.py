"""The engine of a Ray cluster: actors on its machines, or on a Ray of this machine alone.

All machines of a cluster must have the same version of kerasviz installed, and the files that the
job reads at the same paths.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from kerasviz.atlas.engines.local import cores_here
from kerasviz.atlas.engines.protocol import Job
from kerasviz.atlas.engines.threads import SHARED, arithmetic, threads_environment
from kerasviz.atlas.engines.worker import Answer, JobWorker, one_line
from kerasviz.atlas.engines.worker_pool import Answered, Ended, Signal, WorkerPool
from kerasviz.errors import KerasvizError, UsageError

#: Seconds after which the machines of the cluster are counted again.
COUNT_INTERVAL = 10.0
#: Bytes of shared memory of a Ray that is started here. It is the least that Ray takes: results
#: are small.
OBJECT_STORE = 80 * 2**20


def ray_engine(
    address: str | None = None,
    workers: int | None = None,
    threads: int = 1,
    gpus: float | None = None,
) -> WorkerPool:
    """Make an engine of Ray actors, each with ``threads`` CPUs and ``gpus`` GPUs.

    ``address`` is that of a cluster, or ``"auto"`` for the one of this machine; by default that of
    RAY_ADDRESS, else a Ray is started here and shut down at the end. A Ray that this process has
    initialized is used. By default there are as many workers as the cluster has room for, also when
    machines join later; named ``workers`` wait for room. ``gpus`` is 1 by default where the cluster
    has GPUs. Raises :class:`UsageError` for numbers below 1 and where Ray is not installed.
    """
    if threads < 1 or (workers is not None and workers < 1):
        wrong = threads if threads < 1 else workers
        raise UsageError(f"{wrong} is no number of workers or threads; give 1 or more")
    return WorkerPool(Actors(_imported(), address, workers, threads, gpus))


class Actors:
    """Starts and ends actors, and collects their answers and deaths.

    Ray restarts no actor and repeats no task: the worker pool and the schedule decide. Each actor
    has a call that never returns and so tells its death while the actor is idle.
    """

    def __init__(
        self,
        ray: Any,
        address: str | None,
        workers: int | None,
        threads: int,
        gpus: float | None,
    ):
        self.address, self.workers, self.threads, self.gpus = address, workers, threads, gpus
        self._ray, self._connected, self._started = ray, False, False
        self._make: Callable[[], Any] | None = None
        self._job: Job | None = None
        self._actors: dict[str, Any] = {}
        self._calls: dict[Any, tuple[str, bool]] = {}
        self._room, self._counted = 0, float("-inf")
        self._printing: Any = None

    def open(self, job: Job) -> None:
        """Connect to the cluster, or start one."""
        self._job = job
        if not self._ray.is_initialized():
            self._connect()
        if self.gpus is None:
            self.gpus = 1.0 if self._ray.cluster_resources().get("GPU", 0) else 0.0
        variables = {**arithmetic(), **threads_environment(self.threads)}
        if 0 < self.gpus < 1:
            variables = {SHARED: "true", **variables}
        if not self.gpus:
            variables["CUDA_VISIBLE_DEVICES"] = "-1"
        if self._started:  # other machines may have other files at these paths
            variables["PYTHONPATH"] = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
        self._make = self._ray.remote(
            num_cpus=self.threads,
            num_gpus=self.gpus,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=2,  # a task, and the call that never returns
            runtime_env={"env_vars": variables},
        )(JobWorker).remote
        self._counted = float("-inf")
        if not self.wanted():
            raise UsageError(
                f"no machine of the cluster has room for a worker with {self.threads} CPUs"
                f"{f' and {self.gpus:g} GPUs' if self.gpus else ''}; ask for fewer threads, or name"
                " the number of workers to wait for machines"
            )

    def wanted(self) -> int:
        """Return the number that was asked for, or for which there is room now."""
        if self.workers is not None:
            return self.workers
        if time.monotonic() - self._counted >= COUNT_INTERVAL:
            self._room = sum(self._fit(node) for node in self._ray.nodes())
            self._counted = time.monotonic()
        return self._room

    def launch(self, worker: str, slot: int) -> None:
        """Ask for an actor, which starts when the cluster has room for it."""
        assert self._make is not None and self._job is not None
        actor = self._actors[worker] = self._make()
        argument = json.dumps(dict(self._job.argument))
        self._calls[actor.watch.remote()] = worker, True
        self._calls[actor.prepare.remote(self._job.make, argument)] = worker, False

    def send(self, worker: str, payload: str) -> None:
        """Give an actor a task."""
        self._calls[self._actors[worker].do.remote(payload)] = worker, False

    def wait(self, timeout: float) -> Sequence[Signal]:
        """Return the next signals; answers come before the death of their worker."""
        calls = list(self._calls)
        if not calls:
            time.sleep(timeout)
            return []
        ready, _ = self._ray.wait(calls, num_returns=1, timeout=timeout)
        if ready:
            ready, _ = self._ray.wait(calls, num_returns=len(calls), timeout=0)
        signals: list[Signal] = []
        for call in sorted(ready, key=lambda call: self._calls[call][1]):
            if call not in self._calls:  # of an actor that is among the signals as dead
                continue
            worker, _ = self._calls.pop(call)
            try:
                signals.append(Answered(worker, Answer.from_text(self._ray.get(call))))
            except self._ray.exceptions.RayError as error:
                signals.append(Ended(worker, _reason(str(error)), str(error)))
                self.end(worker)
        return signals

    def end(self, worker: str) -> None:
        """Kill an actor and forget it."""
        actor = self._actors.pop(worker, None)
        self._calls = {call: of for call, of in self._calls.items() if of[0] != worker}
        if actor is not None:
            self._ray.kill(actor, no_restart=True)

    def close(self) -> None:
        """Kill all actors, and disconnect from a Ray that was connected or started here."""
        for worker in list(self._actors):
            self.end(worker)
        if self._connected:
            self._ray.shutdown()
            self._connected = self._started = False
            self._replace_printing(self._printing)

    def _connect(self) -> None:
        address = self.address or os.environ.get("RAY_ADDRESS") or "local"
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if address == "local":
            cpus = max(len(cores_here()), (self.workers or 1) * self.threads)
            options |= {
                "num_cpus": cpus,
                "object_store_memory": OBJECT_STORE,
                "include_dashboard": False,
            }
        try:
            _check_listening(address)  # Ray itself tries for minutes
            self._ray.init(address=address, **options)
        except Exception as error:  # Ray has no class for a failed start
            raise KerasvizError(f"no Ray at {address!r}: {one_line(error)}") from error
        self._connected, self._started = True, address == "local"
        self._printing = self._replace_printing(lambda *_, **__: None)

    def _replace_printing(self, function: Any) -> Any:
        """Replace and return Ray's function that prints a paragraph for every dead worker.

        It prints whatever ``log_to_driver`` is. It is private: a Ray that has it elsewhere prints.
        """
        module = getattr(getattr(self._ray, "_private", None), "worker", None)
        before = getattr(module, "print_to_stdstream", None)
        if module is not None and before is not None and function is not None:
            module.print_to_stdstream = function
        return before

    def _fit(self, node: dict[str, Any]) -> int:
        if not node["Alive"]:
            return 0
        count = int(node["Resources"].get("CPU", 0) // self.threads)
        if self.gpus:
            count = min(count, int(node["Resources"].get("GPU", 0) // self.gpus))
        return count


def _imported() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage statistics are sent
    # CUDA_VISIBLE_DEVICES is set here for workers without GPUs; Ray need not warn of it.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError("the engine ray needs the extra: pip install 'kerasviz[ray]'") from error
    return ray


def _check_listening(address: str) -> None:
    """Raise OSError where no server listens at ``host:port`` or ``ray://host:port``."""
    parts = re.fullmatch(r"(?:ray://)?(.+):(\d+)", address)
    if parts:
        socket.create_connection((parts.group(1).strip("[]"), int(parts.group(2))), 10.0).close()


def _reason(text: str) -> str:
    """Say in one line why a worker died, without numbers that differ from case to case.

    >>> _reason("It died. pid: 7\\nWorker exit type: X Worker exit detail: Out of memory. (1)")
    'the worker died: Out of memory'
    >>> _reason("it died:\\nModuleNotFoundError: No module named 'kerasviz'")
    "the worker died: ModuleNotFoundError: No module named 'kerasviz'"
    """
    detail = re.search(r"exit detail: (.*?)(?:\. (?:Some|There|\()|$)", text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reason = detail.group(1) if detail else lines[-1] if lines else "Ray does not say why"
    if "End of file" in reason or "Connection reset" in reason:  # all that Ray knows of a signal
        return "the worker was killed or crashed"
    reason = re.sub(r"\b[0-9a-f]{12,}\b", "...", reason).strip().rstrip(".")
    return f"the worker died: {reason}"[:300]
