"""Which generator is trained, and its size."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from SuperResolution3DLib.networks.generator_config import GeneratorConfig
from SuperResolution3DLib.networks.table import NETWORKS
from SuperResolution3DLib.volumes.geometry import Scale


@dataclass(frozen=True)
class NetworkConfig:
    """Which generator, and its size."""

    name: str = "rrdb"
    """rrdb, srresnet, dcsrn, rcan, or through-plane for thick slices"""
    size: Literal["", "authors", "original", "small"] = ""
    """Of srresnet, dcsrn and rcan: that of the paper's authors, of the original publication, or for two CPU cores"""
    config: dict[str, Any] = field(default_factory=dict)
    """Fields of the network's own config (see SuperResolution3DLib/networks); what is left out keeps its default"""

    def __post_init__(self) -> None:
        if self.name not in NETWORKS:
            raise ValueError(f"network.name is one of {', '.join(NETWORKS)}, got {self.name!r}")
        if self.size and not hasattr(self._class, self.size):
            raise ValueError(f"network.size: {self.name} has no size {self.size!r}")
        scale = self.config.get("scale", [1, 1, 1])
        if not isinstance(scale, list | tuple) or [type(factor) for factor in scale] != [int, int, int]:
            raise ValueError(f"network.config.scale must be three whole numbers (D, H, W), got {scale!r}")
        known = {field.name: field for field in fields(self._class)}
        unknown = sorted(set(self.config) - set(known))
        if unknown:
            raise ValueError(
                f"network.config has {', '.join(unknown)}, which {self.name} has not: it has {', '.join(known)}"
            )
        for name, value in self.config.items():
            if known[name].type in (int, "int") and type(value) is not int:
                raise ValueError(f"network.config.{name} must be a whole number, got {value!r}")
        try:
            self._build()
        except (TypeError, ValueError) as error:
            raise ValueError(f"network.config of {self.name}: {error}") from error

    @property
    def _class(self) -> type[GeneratorConfig]:
        return NETWORKS[self.name]

    def _build(self) -> Any:
        own = asdict(getattr(self._class, self.size)()) if self.size else {}
        return self._class(**own | self.config)

    @property
    def complete(self) -> dict[str, Any]:
        """All fields of the network's own config."""
        return asdict(self._build())

    @property
    def scale(self) -> Scale:
        """The factor per axis (D, H, W)."""
        scale: Scale = self._build().scale
        return scale
