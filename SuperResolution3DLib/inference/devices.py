"""Devices: which are there, what memory is free on them, which number format suits them."""

import torch
from torch import Tensor
from torch.nn import functional

from SuperResolution3DLib.advice import OTHER_DEVICE
from SuperResolution3DLib.errors import InputError, ResourceError, is_out_of_memory
from SuperResolution3DLib.free_memory import free_memory
from SuperResolution3DLib.inference.bf16_trial import bf16_is_faster
from SuperResolution3DLib.inference.memory_plan import FREE_SHARE, GIB
from SuperResolution3DLib.sentence import Sentence

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
PROBE_TOLERANCE = 1e-2  # relative L2 error against the CPU; CUDA may round the factors to 11 bits (TF32)
_GPU_LIBRARIES = ("cuda", "cudnn", "cublas", "cufft", "nvrtc", "hip error", "miopen", "mps")  # named in their errors


def choose_device(name: str) -> torch.device:
    """Return the device of a name: auto (the first CUDA GPU, else the CPU), cpu, cuda, cuda:N or mps.

    Raises:
        InputError: no such device on this machine.
    """
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise InputError(Sentence("input-no-mps", {"advice": OTHER_DEVICE}))
        return torch.device("mps")
    kind, _, number = name.partition(":")
    if kind != "cuda" or not (number.isdigit() or not number):
        raise InputError(f"The device is auto, cpu, cuda, cuda:N or mps, got {name!r}")
    if not torch.cuda.is_available():
        raise InputError(Sentence("input-no-gpu", {"advice": OTHER_DEVICE}))
    index = int(number or 0)
    if index >= torch.cuda.device_count():
        raise InputError(Sentence("input-gpu-number", {"index": index, "count": torch.cuda.device_count()}))
    return torch.device("cuda", index)


def usable_device(name: str) -> tuple[torch.device, str]:
    """Return the device of a name after one convolution on it; under auto the CPU and why, where the GPU fails.

    Raises:
        InputError: no such device, or one that this PyTorch cannot compute on (too old or too new a GPU or driver).
        ResourceError: the GPU has no memory even for that.
    """
    device = choose_device(name)
    if device.type == "cpu":
        return device, ""
    try:
        _convolve(device)
    except (MemoryError, RuntimeError) as error:
        reason = reason_of(error)
        if name == "auto":
            return torch.device("cpu"), reason
        values = {"device": name, "reason": reason, "advice": OTHER_DEVICE}
        if is_out_of_memory(error):
            raise ResourceError(Sentence("memory-gpu-taken", values)) from error
        raise InputError(Sentence("input-gpu-unusable", values)) from error
    return device, ""


def _convolve(device: torch.device) -> None:
    """Compare what networks are made of with the CPU; a GPU without kernels in this PyTorch is found and fails here."""
    wanted, given = probe(torch.device("cpu")), probe(device)
    error = float((given - wanted).norm() / wanted.norm())
    if not error <= PROBE_TOLERANCE:  # NaN is not
        raise RuntimeError(f"its convolutions depart from the CPU's by {error:.2g} of their size")


def probe(device: torch.device) -> Tensor:
    """Enlarge random features and convolve them on a device in fp32, laid out as in the engine; return them on the CPU.

    Apple's GPUs have given wrong voxels without an error for layouts other than PyTorch's default.
    """
    random = torch.Generator().manual_seed(0)
    volume, kernel = (torch.randn(shape, generator=random) for shape in ((1, 8, 5, 6, 7), (8, 8, 3, 3, 3)))
    volume = volume.to(device).contiguous(memory_format=torch.channels_last_3d)
    kernel = kernel.to(device)
    enlarged = functional.interpolate(volume, scale_factor=2.0, mode="nearest")
    features = functional.leaky_relu(functional.conv3d(enlarged, kernel, padding=1), 0.2)
    return functional.conv3d(torch.cat([features, enlarged], dim=1), torch.cat([kernel, kernel], dim=1)).cpu()


def is_device_failure(error: BaseException) -> bool:
    """Tell whether a GPU or one of its libraries failed, for want of memory or not."""
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(word in text for word in _GPU_LIBRARIES)


def reason_to_go_on(error: Exception, device: torch.device, *, may_choose: bool) -> str:
    """Return why a run failed ("": no memory) where smaller tiles or the CPU may help.

    Args:
        error: of the run.
        device: where it ran.
        may_choose: whether the device was nobody's wish.

    Raises:
        InputError: the GPU that was asked for fails.
        Exception: the error itself, where nothing helps.
    """
    if is_out_of_memory(error):
        return ""
    if device.type == "cpu" or not (is_device_failure(error) or (isinstance(error, ResourceError) and may_choose)):
        raise error
    if not may_choose:
        values = {"reason": reason_of(error), "advice": OTHER_DEVICE}
        raise InputError(Sentence("input-gpu-failed", values)) from error
    return reason_of(error)


def reason_of(error: BaseException) -> str:
    """Return the first line of a library's message, or the kind of an error that says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def choose_precision(name: str, device: torch.device, *, by_trial: bool = True) -> str:
    """Return fp32, bf16 or fp16: what was asked for, or under auto what the device computes natively.

    Args:
        name: auto, fp32 or bf16.
        device: CPU or GPU.
        by_trial: a CPU that has bf16 must also be faster in it; without, several processes choose alike.

    Raises:
        InputError: an unknown name.
    """
    if name not in ("auto", "fp32", "bf16"):
        raise InputError(f"The precision is auto, fp32 or bf16, got {name!r}")
    if name != "auto":
        return name
    if device.type == "cpu":
        return "bf16" if _cpu_computes_bf16() and (not by_trial or bf16_is_faster()) else "fp32"
    if device.type == "mps":
        return "fp32"
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
    if device.type == "cpu":
        return "CPU"
    if device.type == "mps":
        return "Apple GPU"
    try:
        return torch.cuda.get_device_name(device)
    except RuntimeError:  # it has failed, which is what shall be told
        return str(device)


def allowed_bytes(device: torch.device, limit: float | None) -> float:
    """Return the bytes that a run may take on a device: a limit (GiB), or its share of what is free."""
    return FREE_SHARE * free_device_memory(device) if limit is None else limit * GIB


def free_device_memory(device: torch.device) -> int:
    """Return the free bytes of main or GPU memory."""
    if device.type == "mps":  # which shares the main memory
        return min(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory(), free_memory())
    if device.type == "cpu":
        return free_memory()
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # from an earlier run, for the next
    return torch.cuda.mem_get_info(device)[0] + kept


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has done what it was given: a clock that is read before tells when it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
