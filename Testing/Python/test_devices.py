"""Devices: names, number formats, and which errors mean that memory ran out."""

import errno

import pytest
import torch

from SuperResolution3DLib.errors import InputError, is_out_of_memory
from SuperResolution3DLib.inference import devices
from SuperResolution3DLib.inference.devices import (
    choose_device,
    choose_precision,
    free_device_memory,
    probe,
    usable_device,
)

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "is_faster", "wanted"),
    [
        ({"avx512_bf16": True}, True, "bf16"),
        ({"avx512_bf16": True}, False, "fp32"),
        ({"avx2": True, "amx_bf16": True}, True, "bf16"),
        ({"avx2": True}, None, "fp32"),
    ],
)
def test_the_cpu_computes_in_bf16_where_its_hardware_does_and_is_faster(monkeypatch, capabilities, is_faster, wanted):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    tried = (lambda: pytest.fail("tried without a need")) if is_faster is None else (lambda: is_faster)
    monkeypatch.setattr(devices, "bf16_is_faster", tried)
    assert choose_precision("auto", CPU) == wanted
    assert choose_precision("auto", CPU, by_trial=False) == ("fp32" if is_faster is None else "bf16")
    assert choose_precision("fp32", CPU) == "fp32"


@pytest.mark.parametrize(
    ("capability", "wanted"), [((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "fp16"), ((6, 1), "fp32")]
)
def test_a_gpu_computes_in_what_its_tensor_cores_take(monkeypatch, capability, wanted):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert choose_precision("auto", torch.device("cuda", 0)) == wanted


def test_what_pytorch_keeps_of_a_gpu_for_its_next_tensors_counts_as_free(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1000, 9000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 6000)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 500)
    assert free_device_memory(torch.device("cuda", 0)) == 6500


def test_auto_takes_the_first_gpu_or_else_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda", 0)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"No CUDA GPU can be used .* choose --device cpu or auto$"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(InputError, match="There is no GPU 2: 2 found"):
        choose_device("cuda:2")
    with pytest.raises(InputError, match="got 'cuda:x'"):
        choose_device("cuda:x")


def test_an_apple_gpu_is_offered_by_its_name_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"No Apple GPU can be used .* choose --device cpu or auto$"):
        choose_device("mps")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("mps") == torch.device("mps")
    assert choose_device("auto") == CPU
    assert choose_precision("auto", torch.device("mps")) == "fp32"


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (lambda right: right, None),
        (lambda right: right * 1.001, None),
        (lambda right: right * 1.02, r"depart from the CPU's by 0\.02 of their size"),
        (lambda right: right.flip(4), "depart from the CPU's by 1"),
        (lambda right: right * float("nan"), "depart from the CPU's by nan"),
    ],
)
def test_an_apple_gpu_is_used_where_it_computes_what_the_cpu_does(monkeypatch, result, error):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(devices, "probe", lambda device: result(probe(CPU)) if device.type == "mps" else probe(device))
    if error is None:
        assert usable_device("mps") == (torch.device("mps"), "")
        return
    with pytest.raises(InputError, match=rf"^mps cannot be used .*{error}.* choose --device cpu or auto$"):
        usable_device("mps")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("std::bad_alloc"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
        RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("bad allocation"),
        ImportError("libtorch_cuda.so: failed to map segment from shared object"),
        RuntimeError("Exception thrown in SimpleITK: Failed to allocate memory for image."),
    ],
)
def test_failed_allocations_of_any_library_count_as_out_of_memory(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shapes do not match"),
        RuntimeError("CUDA error: no kernel image is available for execution on the device"),
        ValueError("not enough memory"),
        OSError(errno.ENOSPC, "No space left on device"),
    ],
)
def test_other_errors_do_not_count_as_out_of_memory(error):
    assert not is_out_of_memory(error)
