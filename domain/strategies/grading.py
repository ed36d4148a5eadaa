"""Turn a score into directions and confidences, the same way for every built-in strategy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from domain.bars import Floats
from domain.strategies.protocol import SignalArrays


def graded(score: Floats, threshold: float, span: float, faults: NDArray[np.int8]) -> SignalArrays:
    """Grade `score`, a distance in standard deviations, one entry per bar.

    direction = +1 where score >= threshold, -1 where score <= -threshold, else 0; a score of 0 is 0.
    confidence = 0.5 + 0.5 x min(1, (|score| - threshold) / span) where direction is not 0, else 0: it is 0.5
    at the threshold and 1 from threshold + span on. A score of NaN keeps its NaN as confidence, so that an
    undefined bar fails instead of passing for an abstention. `span` > 0.
    """
    size = np.abs(score)
    fires = (size >= threshold) & (size > 0.0)
    graded_size = 0.5 + 0.5 * np.minimum((size - threshold) / span, 1.0)
    confidence = np.where(fires, graded_size, np.where(np.isnan(size), size, 0.0))
    direction = np.where(fires, np.sign(score), 0.0).astype(np.int8)
    return SignalArrays(direction, confidence, faults)
