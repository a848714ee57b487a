"""Engines: workers that are processes of this machine, or actors of a Ray cluster."""

from kerasviz.atlas.engines.local import local_engine as local_engine
from kerasviz.atlas.engines.protocol import Began as Began
from kerasviz.atlas.engines.protocol import Done as Done
from kerasviz.atlas.engines.protocol import Event as Event
from kerasviz.atlas.engines.protocol import Failed as Failed
from kerasviz.atlas.engines.protocol import Job as Job
from kerasviz.atlas.engines.protocol import Joined as Joined
from kerasviz.atlas.engines.protocol import Lost as Lost
from kerasviz.atlas.engines.protocol import Task as Task
from kerasviz.atlas.engines.protocol import TaskAbandoned as TaskAbandoned
from kerasviz.atlas.engines.ray import ray_engine as ray_engine
from kerasviz.atlas.engines.run import run as run
from kerasviz.atlas.engines.worker_pool import Engine as Engine
