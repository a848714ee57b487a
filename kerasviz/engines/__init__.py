"""Where work runs: processes of this machine (local) or the actors of a Ray cluster."""

from kerasviz.engines.engine import Engine
from kerasviz.engines.events import Began, Done, Event, Failed, GivenUp, Joined, Lost
from kerasviz.engines.job import Job
from kerasviz.engines.local import local_engine
from kerasviz.engines.ray import ray_engine
from kerasviz.engines.run import run
from kerasviz.engines.task import Task

__all__ = [
    "Began",
    "Done",
    "Engine",
    "Event",
    "Failed",
    "GivenUp",
    "Job",
    "Joined",
    "Lost",
    "Task",
    "local_engine",
    "ray_engine",
    "run",
]
