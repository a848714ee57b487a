"""Adam (Kingma & Ba 2015, algorithm 1 in the form at the end of its section 2), ascending."""

from __future__ import annotations

import numpy as np


class Adam:
    def __init__(self, rate=0.05, beta1=0.9, beta2=0.999, epsilon=1e-8):
        self.rate, self.beta1, self.beta2, self.epsilon = rate, beta1, beta2, epsilon
        self.count, self.mean, self.spread = 0, 0.0, 0.0

    def __call__(self, value, gradient):
        """The value after one step up the gradient."""
        self.count += 1
        self.mean = self.beta1 * self.mean + (1 - self.beta1) * gradient
        self.spread = self.beta2 * self.spread + (1 - self.beta2) * gradient**2
        rate = self.rate * np.sqrt(1 - self.beta2**self.count) / (1 - self.beta1**self.count)
        return value + rate * self.mean / (np.sqrt(self.spread) + self.epsilon)
