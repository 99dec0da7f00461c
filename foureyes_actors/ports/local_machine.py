"""The machine port: psutil, and NVML where the extra ``gpu`` and a driver are there. That they are not is normal.

NVML's API: https://docs.nvidia.com/deploy/nvml-api/ ; its Python binding is the module ``pynvml`` of nvidia-ml-py.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from typing import Any

import psutil

from foureyes_actors.invocation import install_command
from foureyes_actors.messages import GpuUsage
from foureyes_actors.ports.machine import MachineParts

MAX_GPUS = 16


def _import_nvml() -> Any:
    return importlib.import_module("pynvml")


class LocalMachine:
    """``load_nvml``: gives the module ``pynvml``; raises ImportError. It is loaded at the first look, once: a driver
    that is installed later is seen after the next start. A driver that is updated meanwhile loses its handles; then
    the GPUs are looked for anew."""

    def __init__(self, load_nvml: Callable[[], Any] = _import_nvml) -> None:
        self._load_nvml = load_nvml
        self._nvml: Any = None
        self._note: str | None = None  # why NVML cannot be used; None: not tried yet, or it can

    def parts(self) -> MachineParts:
        gpus = self.gpus()
        names = None if gpus is None else tuple(gpu.name for gpu in gpus)
        memory = None
        with contextlib.suppress(psutil.Error, OSError):
            memory = psutil.virtual_memory().total
        return MachineParts(psutil.cpu_count(), memory, names, self._note or "")

    def gpus(self) -> tuple[GpuUsage, ...] | None:
        try:
            nvml = self._opened()
            return None if nvml is None else self._look_at_all(nvml)
        except Exception as error:  # a binding that does not fit its driver may raise anything: GPUs are an extra
            self._nvml, self._note = None, f"GPUs are not known: {type(error).__name__}: {error}"
            return None

    def _look_at_all(self, nvml: Any) -> tuple[GpuUsage, ...] | None:
        try:
            count = min(nvml.nvmlDeviceGetCount(), MAX_GPUS)
        except nvml.NVMLError:
            self._close()
            return None
        found = (self._look(nvml, index) for index in range(count))
        return tuple(gpu for gpu in found if gpu is not None)

    def _opened(self) -> Any:
        if self._nvml is not None or self._note is not None:
            return self._nvml
        try:
            nvml = self._load_nvml()
        except ImportError:
            self._note = f"GPUs are not known: NVIDIA's driver can be asked after {install_command('gpu')}"
            return None
        try:
            nvml.nvmlInit()
        except nvml.NVMLError as error:  # no driver, or no GPU of NVIDIA
            self._note = f"GPUs are not known: {error}"
            return None
        self._nvml = nvml
        return nvml

    def _close(self) -> None:
        nvml, self._nvml = self._nvml, None
        with contextlib.suppress(nvml.NVMLError):
            nvml.nvmlShutdown()

    def _look(self, nvml: Any, index: int) -> GpuUsage | None:
        """None for one that has fallen off the bus. What a GPU does not support is None, not zero."""

        def told(read: Callable[[], Any]) -> Any:
            try:
                return read()
            except nvml.NVMLError:
                return None

        handle = told(lambda: nvml.nvmlDeviceGetHandleByIndex(index))
        if handle is None:
            return None
        name = told(lambda: nvml.nvmlDeviceGetName(handle))
        memory = told(lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
        rates = told(lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
        return GpuUsage(
            name=_text(name) or f"GPU {index}",
            memory=None if memory is None else int(memory.total),
            free_memory=None if memory is None else int(memory.free),
            load=None if rates is None else float(rates.gpu),
        )


def _text(name: Any) -> str:
    """Older bindings give bytes."""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name or "")
