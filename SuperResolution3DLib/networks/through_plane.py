"""One network for every slice spacing: the paper's trunk on the measured slices, a decoder for any place between two.

    slices      |           |           |           |       features F0 F1 F2 F3, computed once
    positions   0   .25  .5  .75    1                       each from the features of the slice below and above it

The trunk is that of the paper's generator. Blocks of ``unshuffle`` x ``unshuffle`` pixels become channels before it
(pixel unshuffle, as Real-ESRGAN does for small factors, Wang et al. 2021), so that its voxels are about as wide as the
slices are apart and a result voxel costs little more than in the isotropic network. The decoder mixes the two slices'
features, channel by channel, with weights that a small perceptron computes from the position and the slices' spacing
and thickness (feature-wise modulation, Perez et al. 2018); three convolutions at the result's spacing follow.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from SuperResolution3DLib.forward.slice_profile import SliceProfile
from SuperResolution3DLib.networks.generator import Generator
from SuperResolution3DLib.networks.pixel_shuffle import pixel_shuffle, pixel_unshuffle
from SuperResolution3DLib.networks.rrdb import RRDB, conv3, leaky_relu
from SuperResolution3DLib.networks.through_plane_config import ThroughPlaneConfig
from SuperResolution3DLib.volumes.geometry import Scale

MODULATION_INPUTS = 4  # position, 2t(1 - t), spacing, thickness
MODULATION_FEATURES = 64
SPACING_UNIT = 8.0  # pixels: a spacing of 8 pixels is 1 for the network


class SliceQuery(NamedTuple):
    """Where between the slices results are wanted, and what the slices are; floating-point tensors."""

    positions: Tensor
    """(M,), counted in slices from the centre of the first one, from 0 to the number of slices - 1"""
    slices: Tensor
    """(2, M): spacing of the slices around each position in pixels of the plane, slice thickness as a share of it"""

    def part(self, first: int, last: int) -> "SliceQuery":
        """Return the query for the positions ``first`` to ``last`` - 1."""
        return SliceQuery(self.positions[first:last], self.slices[:, first:last])

    def counted_from_slices_around(self, count: int) -> tuple[slice, "SliceQuery"]:
        """Return which of ``count`` slices lie around the positions, and the query counted from the first of them."""
        first = min(max(int(self.positions.min()), 0), max(count - 2, 0))
        last = min(max(int(self.positions.max()), 0) + 1, count - 1)
        return slice(first, last + 1), self._replace(positions=self.positions - first)


class Modulation(NamedTuple):
    """What the features of two slices are mixed with at M positions, channel by channel; (M, C) each."""

    below: Tensor
    """factor of the slice below"""
    above: Tensor
    """factor of the slice above"""
    offset: Tensor


class Mixing(nn.Module):
    """The features between the slices, each of the slice below and the one above, and activated."""

    def forward(self, below: Tensor, above: Tensor, index: Tensor, modulation: Modulation) -> Tensor:
        """Return the features at M positions, (N, C, M, H, W).

        Args:
            below: (N, C, D, H, W), of the slices where they lie below.
            above: (N, C, D, H, W), of the slices where they lie above.
            index: (M,), the slice below each position.
            modulation: what they are multiplied with, and what is added.
        """
        factor_below, factor_above, offset = (part.t()[None, :, :, None, None] for part in modulation)
        # A gather by index_select: the backward pass of advanced indexing is serial on the CPU.
        mixed = below.index_select(2, index) * factor_below + offset
        last = above.shape[2] - 1
        return leaky_relu(mixed + above.index_select(2, (index + 1).clamp(max=last)) * factor_above)


class Unfolding(nn.Module):
    """Channels become the pixels of a voxel of the trunk, activated: (N, T*u*u, M, H, W) to (N, T, M, H*u, W*u)."""

    def __init__(self, in_plane: Scale) -> None:
        super().__init__()
        self.in_plane = in_plane

    def forward(self, folded: Tensor) -> Tensor:
        return leaky_relu(pixel_shuffle(folded, self.in_plane))


class ThroughPlaneNet(Generator):
    """Slices (N, 1, D, H, W) to result voxels (N, 1, M, H, W) at M positions between them, in network units.

    H and W are multiples of ``unshuffle``.
    """

    def __init__(self, config: ThroughPlaneConfig | None = None) -> None:
        super().__init__()
        config = config or ThroughPlaneConfig()
        self.scale = config.scale
        self.in_plane: Scale = (1, config.unshuffle, config.unshuffle)
        folded = config.unshuffle**2
        self.conv_first = conv3(folded, config.num_features)
        self.body = nn.Sequential(*[RRDB(config.num_features, config.growth) for _ in range(config.num_blocks)])
        self.conv_body = conv3(config.num_features, config.num_features)
        self.below = _in_plane(config.num_features, config.decoder_features)
        self.above = _in_plane(config.num_features, config.decoder_features)
        self.modulation = nn.Sequential(
            nn.Linear(MODULATION_INPUTS, MODULATION_FEATURES),
            nn.SiLU(),
            nn.Linear(MODULATION_FEATURES, 3 * config.decoder_features),
        )
        self.mixing = Mixing()
        self.conv_mixed = conv3(config.decoder_features, config.decoder_features)
        self.conv_unfolded = conv3(config.decoder_features, config.tail_features * folded)
        self.unfolding = Unfolding(self.in_plane)
        self.conv_last = conv3(config.tail_features, 1)

    def trunk(self, lr: Tensor) -> Tensor:
        """Return the features of the slices: (N, 1, D, H, W) to (N, F, D, H/u, W/u)."""
        features = self.conv_first(pixel_unshuffle(lr, self.in_plane))
        return features + self.conv_body(self.body(features))

    def tail(self, features: Tensor, query: SliceQuery | None = None) -> Tensor:
        """Return the result at the positions asked for: (N, F, D, H/u, W/u) to (N, 1, M, H, W)."""
        if query is None:
            raise ValueError("A through-plane network is told the positions between the slices")
        last = features.shape[2] - 1
        positions = query.positions.clamp(0, last)
        below = positions.floor().clamp(max=max(last - 1, 0))
        index = below.long()
        modulation = self._modulation(positions - below, query.slices, features.dtype)
        mixed = leaky_relu(self.conv_mixed(self.mixing(self.below(features), self.above(features), index, modulation)))
        return self.conv_last(self.unfolding(self.conv_unfolded(mixed)))

    def forward(self, lr: Tensor, query: SliceQuery | None = None) -> Tensor:
        return self.tail(self.trunk(lr), query)

    def _modulation(self, t: Tensor, slices: Tensor, dtype: torch.dtype) -> Modulation:
        """Return what the slices' features are mixed with at M positions; t from 0 to 1."""
        spacing, thickness = slices[0] / SPACING_UNIT, slices[1]
        inputs = torch.stack([t, 2 * t * (1 - t), spacing, thickness], dim=1)
        below, above, offset = self.modulation(inputs.to(dtype)).chunk(3, dim=1)
        return Modulation(1 + below, 1 + above, offset)


def slice_query(profile: SliceProfile, pixel: float, first: int = 0, last: int | None = None) -> SliceQuery:
    """Return the query for the HR voxels of a profile's grid, all or those from ``first`` to ``last`` - 1.

    Args:
        profile: the slices and their HR grid; around uneven slices each position has its own spacing.
        pixel: spacing within the plane, mm.
        first: HR voxel.
        last: HR voxel.
    """
    wanted = profile.hr_centres[first:last]
    positions = np.interp(wanted, profile.centres, np.arange(profile.lr_size))
    spacing = np.diff(profile.centres)[np.minimum(positions.astype(int), profile.lr_size - 2)]
    slices = np.stack([spacing / pixel, profile.thickness / spacing])
    return SliceQuery(torch.from_numpy(positions).float(), torch.from_numpy(slices).float())


def _in_plane(in_features: int, out_features: int) -> nn.Conv3d:
    return nn.Conv3d(in_features, out_features, kernel_size=(1, 3, 3), padding=(0, 1, 1))
