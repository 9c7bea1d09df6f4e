"""Features of slices without the weights of any network."""

from dataclasses import replace

import pytest

from Training.evaluation import method_scores as scoring
from Training.evaluation.frechet import SliceFeatures
from Training.evaluation.volume_scores import Evaluation, VolumeScores

FRECHET = "paper/Frechet distance, test"


class SlicesEvaluation(Evaluation):
    """Adds features as LPIPS would."""

    doubt: str | None = None

    def score(self, sr, hr, spacing, measured=None) -> VolumeScores:
        scores = super().score(sr, hr, spacing, measured)
        features = SliceFeatures(FRECHET, None, sr[:, 5:7, 0], hr[:, 5:7, 0], self.doubt)
        return replace(scores, features=[features])


def measure_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all evaluations of a test measure them."""
    monkeypatch.setattr(scoring, "Evaluation", SlicesEvaluation)
    monkeypatch.setattr(scoring.Scoring, "_measures_slices", True)
