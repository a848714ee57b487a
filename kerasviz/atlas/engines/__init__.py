"""Engines: workers that are processes of this machine, or actors of a Ray cluster."""

from kerasviz.atlas.engines.local import local_engine
from kerasviz.atlas.engines.protocol import (
    Began,
    Done,
    Engine,
    Event,
    Failed,
    Job,
    Joined,
    Lost,
    Task,
    TaskAbandoned,
)
from kerasviz.atlas.engines.ray import ray_engine
from kerasviz.atlas.engines.run import run

__all__ = [
    "Began",
    "Done",
    "Engine",
    "Event",
    "Failed",
    "Job",
    "Joined",
    "Lost",
    "Task",
    "TaskAbandoned",
    "local_engine",
    "ray_engine",
    "run",
]
