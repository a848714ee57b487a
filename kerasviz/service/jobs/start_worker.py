"""Start the process of a worker: its modules import TensorFlow, which is silent here."""

from __future__ import annotations

import signal
from multiprocessing.connection import Connection

from kerasviz.network.quiet_tensorflow import start_tensorflow
from kerasviz.service.settings import ServiceSettings


def main(setting: ServiceSettings, worker_id: str, orders: Connection) -> None:
    """Run the worker process until the parent stops it or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group
    start_tensorflow()
    from kerasviz.service.jobs import worker

    worker.main(setting, worker_id, orders)
