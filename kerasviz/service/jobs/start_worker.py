"""Start the process of a worker: its modules import TensorFlow, which is silent here.

A process can be started before anything is known of the service, so that it imports TensorFlow
while its parent does.
"""

from __future__ import annotations

import multiprocessing
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from kerasviz.network.quiet_tensorflow import start_tensorflow
from kerasviz.service.settings import ServiceSettings


@dataclass(frozen=True)
class StartedWorker:
    """Hold a process that waits for its settings, and the pipe for its orders."""

    process: SpawnProcess
    orders: Connection

    def take(self, setting: ServiceSettings, worker_id: str) -> None:
        """Let it be a worker of a service, whose parent notices if it has ended meanwhile."""
        try:
            self.orders.send((setting, worker_id))
        except OSError:
            return


def start() -> StartedWorker:
    """Start a process; it ends with this one."""
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
    ours, theirs = context.Pipe()
    process = context.Process(target=main, args=(theirs,), name="kerasviz worker", daemon=True)
    process.start()
    theirs.close()  # so that each side notices the end of the other
    return StartedWorker(process, ours)


def main(orders: Connection) -> None:
    """Run the worker process until the parent stops it or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group
    start_tensorflow()
    from kerasviz.service.jobs import worker

    try:
        setting, worker_id = orders.recv()
    except EOFError:  # the parent has ended before there was a service
        return
    worker.main(setting, worker_id, orders)
