"""The U-Net discriminator: the published size, one logit a voxel, spectral norms of one, the adversarial loss."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from Training.trainer.discriminator import DiscriminatorConfig, UNetDiscriminator
from Training.trainer.losses import adversarial_loss


@pytest.fixture
def a_small_discriminator():
    torch.manual_seed(0)
    return UNetDiscriminator(DiscriminatorConfig(num_features=4))


def test_the_paper_s_discriminator_has_its_number_of_parameters():
    assert sum(parameter.numel() for parameter in UNetDiscriminator().parameters()) == 15_879_617


@pytest.mark.parametrize("shape", [(8, 8, 8), (16, 24, 32), (9, 13, 11)])
def test_there_is_one_logit_a_voxel(a_small_discriminator, shape):
    assert a_small_discriminator(torch.rand(2, 1, *shape)).shape == (2, 1, *shape)


def test_a_patch_that_is_too_small_is_refused(a_small_discriminator):
    with pytest.raises(ValueError, match=r"needs 8 voxels an axis, got \(8, 7, 8\)"):
        a_small_discriminator(torch.rand(1, 1, 8, 7, 8))


def test_the_inner_convolutions_have_spectral_norm_one(a_small_discriminator):
    volume = torch.rand(1, 1, 8, 8, 8)
    for _ in range(50):  # each forward pass in training brings the estimate nearer
        a_small_discriminator(volume)
    a_small_discriminator.eval()
    normalised = 0
    for name, module in a_small_discriminator.named_modules():
        if isinstance(module, nn.Conv3d):
            largest = np.linalg.norm(module.weight.detach().flatten(1).numpy(), ord=2)
            if name in ("conv_first", "conv_last"):
                assert module.bias is not None
                assert abs(largest - 1) > 0.02
            else:
                assert module.bias is None
                assert largest == pytest.approx(1, abs=0.02)
                normalised += 1
    assert normalised == 8


def test_a_judgement_depends_on_its_neighbourhood(a_small_discriminator):
    a_small_discriminator.eval()
    volume = torch.rand(1, 1, 16, 16, 16)
    moved = volume.clone()
    moved[..., 8, 8, 8] += 1
    change = (a_small_discriminator(moved) - a_small_discriminator(volume)).abs()
    assert change[..., 8, 8, 8] > 0
    assert change[..., 0, 0, 0] > 0  # through the U-Net's bottom


@pytest.mark.parametrize("real", [True, False])
def test_the_adversarial_loss_is_the_voxelwise_binary_cross_entropy(real):
    logits = torch.randn(2, 1, 3, 4, 5, dtype=torch.float64)
    wanted = softplus(-logits if real else logits).mean()
    torch.testing.assert_close(adversarial_loss(logits, real=real).double(), wanted, rtol=1e-6, atol=0)


def test_the_adversarial_loss_is_in_single_precision():
    assert adversarial_loss(torch.zeros(1, 1, 2, 2, 2, dtype=torch.bfloat16), real=True).dtype == torch.float32
