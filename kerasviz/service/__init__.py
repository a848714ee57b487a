"""The service: networks, their pictures and TensorFlow Serving's protocol over HTTP."""

from kerasviz.service.setting import Limits, ServiceSetting

__all__ = ["Limits", "ServiceSetting"]
