"""Values that no run can have are refused by the name of their field, before anything is read."""

import pytest
from training_runs import arguments

from Training.train import main

TINY = '"num_features": 4, "num_blocks": 1, "growth": 2, "tail_features": 4'


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("optimisation.betas", "[1.5, 0.9]", "must be in [0, 1), got (1.5, 0.9)"),
        ("optimisation.betas", "[0.9, 1.0]", "must be in [0, 1), got (0.9, 1.0)"),
        ("optimisation.learning_rate", ".nan", "must be positive, got nan"),
        ("optimisation.learning_rate", ".inf", "must be positive, got inf"),
        ("optimisation.discriminator_learning_rate", 0, "must be positive, got 0"),
        ("optimisation.gradient_clip", ".nan", "must be positive, got nan"),
        ("loop.time_limit", -5, "must be 0 (none) or more minutes, got -5"),
        ("loop.time_limit", ".nan", "must be 0 (none) or more minutes, got nan"),
        ("loss.pixel_weight", ".nan", "must be 0 or more, got nan"),
        ("loss.adversarial_weight", -1, "must be 0 or more, got -1"),
        ("loss.pixel_weight", 0, "adversarial_weight must be above 0"),
        ("loss.perceptual.layers", "{relu1_2: .nan}", "each with a positive weight"),
        ("data.preparation.floor", ".nan", "must be a finite number, got nan"),
        ("model.intensity.policy", "fixed", "values (HU) that become 0 and 1, got 0.5 and 99.5"),
        ("model.intensity", "{policy: fixed, low: -1024}", "got -1024 and 99.5, which are percentiles"),
        ("network.config", f'{{"scale": [2, 2], {TINY}}}', "scale must be three whole numbers (D, H, W), got [2, 2]"),
        ("network.config", '{"scale": "x"}', "scale must be three whole numbers (D, H, W), got 'x'"),
        ("network.config", '{"scale": [-2, 2, 2]}', "of rrdb: Each factor of a scale"),
        ("network.config", '{"scale": [2, 2, 2], "num_blocks": 0}', "num_blocks must be a whole number above 0, not 0"),
        ("model.name", "", "cannot be a file's name"),
        ("model.name", "a/b", "cannot be a file's name"),
        ("model.modality", " ", "is empty"),
    ],
)
def test_a_value_that_no_run_can_have_is_refused_by_name(tmp_path, capsys, field, value, message):
    assert main(arguments(tmp_path / "absent.json", tmp_path / "run", **{field: value})) == 2
    error = capsys.readouterr().err
    assert field in error and message in error


def test_a_gradient_that_is_never_clipped_and_a_policy_with_both_its_values_are_no_mistakes(tmp_path, capsys):
    options = {"optimisation.gradient_clip": ".inf", "model.intensity": "{policy: fixed, low: -1024, high: 3000}"}
    assert main(arguments(tmp_path / "absent.json", tmp_path / "run", **options)) == 2
    assert "absent.json cannot be read" in capsys.readouterr().err
