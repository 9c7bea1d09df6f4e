"""The threshold of a trust mask: known small cases, and the promise kept where the truth is known."""

import numpy as np
import pytest

from SuperResolution3DLib.errors import InputError
from Training.calibration.conformal import CAP, conformal_threshold, fit_caution, outside_risk, weighed


def a_volume(rng, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Caution and error of 400 voxels: errors are normal, with a spread known up to a volume's scale."""
    caution = rng.uniform(0.01, 0.2, 400)
    return caution, np.abs(rng.normal(0, scale * caution))


def test_the_risk_is_counted_among_the_voxels_outside_the_mask():
    caution, exceeds = np.array([0.3, 0.1, 0.2, 0.4]), np.array([True, False, True, False])
    risk, share = outside_risk(caution, exceeds, np.array([0.05, 0.15, 0.25, 0.35, 0.5]))
    np.testing.assert_allclose(risk, [0, 0, 1 / 2, 2 / 3, 2 / 4])
    np.testing.assert_allclose(share, [1, 0.75, 0.5, 0.25, 0])


@pytest.mark.parametrize("count", [12, 40])
def test_the_risk_of_the_next_volume_stays_below_alpha_on_average(count):
    rng = np.random.default_rng(0)
    risks, shares = [], []
    for _ in range(150):
        scales = rng.lognormal(0, 0.3, count + 1)
        *known, unknown = [a_volume(rng, scale) for scale in scales]
        threshold = conformal_threshold([c for c, _ in known], [e for _, e in known], 0.1, 0.1).caution
        (risk,), (share,) = outside_risk(unknown[0], unknown[1] > 0.1, np.array([threshold]))
        risks.append(risk)
        shares.append(share)
    capped = np.minimum(risks, CAP)  # as the theorem has it; 150 draws know its mean to their standard error
    assert np.mean(capped) < 0.1 + 2 * np.std(capped) / np.sqrt(len(capped))
    assert 0.05 < np.mean(shares) < 0.9  # it neither marks everything nor nothing


def test_more_volumes_mark_less():
    rng = np.random.default_rng(0)
    volumes = [a_volume(rng) for _ in range(60)]
    marked = [
        conformal_threshold([c for c, _ in volumes[:n]], [e for _, e in volumes[:n]], 0.1, 0.1).mask_share
        for n in (10, 60)
    ]
    assert marked[0] > marked[1]


def test_a_caution_that_tells_errors_marks_less_than_one_that_does_not():
    rng = np.random.default_rng(0)
    volumes = [a_volume(rng) for _ in range(30)]
    errors = [e for _, e in volumes]
    knowing = conformal_threshold([c for c, _ in volumes], errors, 0.1, 0.1)
    perfect = conformal_threshold(errors, errors, 0.1, 0.1)
    assert perfect.mask_share < knowing.mask_share


def test_nine_volumes_are_the_least_at_a_tenth():
    flat = [np.linspace(0.1, 1, 50)] * 9
    fine = conformal_threshold(flat, [np.zeros(50)] * 9, 0.1, 0.1)
    assert fine.mask_share == 0
    with pytest.raises(
        InputError, match=r"at alpha 0\.1 needs at least 9 volumes that no model was trained on; there are 8"
    ):
        conformal_threshold(flat[:8], [np.zeros(50)] * 8, 0.1, 0.1)


def test_a_mask_that_would_mark_everything_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="No threshold keeps the voxels that are off by more than 10% below 10%"):
        conformal_threshold([rng.random(50) for _ in range(9)], [np.ones(50)] * 9, 0.1, 0.1)


def test_the_weights_of_the_signals_are_found_again():
    rng = np.random.default_rng(0)
    signals = np.exp(rng.normal(0, 1, (5000, 4)))
    errors = 3 * signals[:, 0] ** 0.5 * signals[:, 3] ** 0.8
    factor, exponents = fit_caution(signals, errors)
    assert factor == pytest.approx(3, rel=0.05)
    np.testing.assert_allclose(exponents, [0.5, 0, 0, 0.8], atol=0.02)
    np.testing.assert_allclose(weighed(signals, factor, exponents), errors, rtol=0.2)


def test_a_stronger_signal_never_makes_less_caution():
    rng = np.random.default_rng(0)
    signals = np.exp(rng.normal(0, 1, (5000, 4)))
    _, exponents = fit_caution(signals, signals[:, 0] / signals[:, 1])
    assert min(exponents) == 0
    assert exponents[0] == pytest.approx(1, abs=0.1)
