"""The service: networks, their pictures and TensorFlow Serving's protocol over HTTP."""

from kerasviz.service.settings import Limits, ServiceSettings

__all__ = ["Limits", "ServiceSettings"]
