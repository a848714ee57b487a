"""The service: networks, their pictures and TensorFlow Serving's protocol over HTTP."""

from kerasviz.service.settings import Limits as Limits
from kerasviz.service.settings import ServiceSettings as ServiceSettings
