from __future__ import annotations

import math

import numpy as np
import pytest

from domain.strategies.grading import graded

NO_FAULTS = np.zeros(1, np.int8)


@pytest.mark.parametrize(
    ("score", "direction", "confidence"),
    [
        (0.0, 0, 0.0),
        (0.99, 0, 0.0),
        (1.0, 1, 0.5),
        (1.4, 1, 0.6),
        (2.0, 1, 0.75),
        (3.0, 1, 1.0),
        (50.0, 1, 1.0),
        (-0.99, 0, 0.0),
        (-1.0, -1, 0.5),
        (-2.0, -1, 0.75),
        (-3.5, -1, 1.0),
        (math.inf, 1, 1.0),
    ],
)
def test_confidence_runs_from_a_half_at_the_threshold_to_one(
    score: float, direction: int, confidence: float
) -> None:
    result = graded(np.array([score]), threshold=1.0, span=2.0, faults=NO_FAULTS)
    assert result.direction[0] == direction
    assert result.confidence[0] == pytest.approx(confidence)


def test_undefined_score_fails_its_bar_instead_of_abstaining() -> None:
    result = graded(np.array([math.nan]), threshold=1.0, span=2.0, faults=NO_FAULTS)
    assert result.direction[0] == 0
    assert math.isnan(result.confidence[0])


def test_score_of_zero_abstains_at_a_threshold_of_zero() -> None:
    result = graded(np.array([0.0, 1e-9]), threshold=0.0, span=1.0, faults=np.zeros(2, np.int8))
    assert result.direction.tolist() == [0, 1]
    assert result.confidence.tolist() == [0.0, pytest.approx(0.5)]
