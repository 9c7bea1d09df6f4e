"""Devices: which are there, what memory is free on them, which number format suits them."""

import torch

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.memory_plan import free_memory

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name: str) -> torch.device:
    """Return the device of a name: auto (the first GPU, else the CPU), cpu, cuda or cuda:N.

    Raises:
        InputError: no such device on this machine.
    """
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    kind, _, number = name.partition(":")
    if kind != "cuda" or not (number.isdigit() or not number):
        raise InputError(f"The device is auto, cpu, cuda or cuda:N, got {name!r}")
    if not torch.cuda.is_available():
        raise InputError(
            "No CUDA GPU can be used by this installation of PyTorch: choose cpu (the CPU) or auto (automatic)"
        )
    index = int(number or 0)
    if index >= torch.cuda.device_count():
        raise InputError(f"There is no GPU {index}: {torch.cuda.device_count()} found, counted from 0")
    return torch.device("cuda", index)


def choose_precision(name: str, device: torch.device) -> str:
    """Return fp32, bf16 or fp16: what was asked for, or under auto what the device computes natively.

    Raises:
        InputError: an unknown name.
    """
    if name not in ("auto", "fp32", "bf16"):
        raise InputError(f"The precision is auto, fp32 or bf16, got {name!r}")
    if name != "auto":
        return name
    if device.type == "cpu":
        return "bf16" if _cpu_computes_bf16() else "fp32"
    capability = torch.cuda.get_device_capability(device)
    if capability >= (8, 0):
        return "bf16"
    return "fp16" if capability >= (7, 0) else "fp32"  # tensor cores, accumulating in fp32


def _cpu_computes_bf16() -> bool:
    """Tell whether the CPU multiplies bfloat16 in hardware; elsewhere it is slower than fp32."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    if capabilities:
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    older = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # PyTorch before get_capabilities
    return any(getattr(torch.cpu, name, bool)() for name in older)


def device_name(device: torch.device) -> str:
    return "CPU" if device.type == "cpu" else torch.cuda.get_device_name(device)


def free_device_memory(device: torch.device) -> int:
    """Return the free bytes of main or GPU memory."""
    return free_memory() if device.type == "cpu" else torch.cuda.mem_get_info(device)[0]
