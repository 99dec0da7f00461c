"""The machine port: what there is, with a double of NVML, and the real one where its package is."""

from __future__ import annotations

import importlib
import inspect
import os
from typing import NoReturn

import psutil
import pytest

from foureyes_actors.invocation import install_command
from foureyes_actors.messages import GpuUsage
from foureyes_actors.ports.local_machine import LocalMachine
from tests.ports.nvml_double import Card, NVMLDouble
from tests.support import need

GB = 1_000_000_000


def machine(*cards: Card, **more: bool) -> tuple[LocalMachine, NVMLDouble]:
    nvml = NVMLDouble(*cards, **more)
    return LocalMachine(lambda: nvml), nvml


def test_each_gpu_with_its_figures() -> None:
    it, nvml = machine(Card("NVIDIA GeForce RTX 4090", 24 * GB, 20 * GB, 55), Card(b"Tesla T4"))
    assert it.gpus() == (
        GpuUsage("NVIDIA GeForce RTX 4090", 24 * GB, 20 * GB, 55.0),
        GpuUsage("Tesla T4", 8 * GB, 6 * GB, 12.0),
    )
    it.gpus()
    assert nvml.inits == 1
    assert it.parts().gpus == ("NVIDIA GeForce RTX 4090", "Tesla T4") and it.parts().gpu_note == ""


def test_what_a_gpu_does_not_support_is_unknown_and_not_zero() -> None:
    it, _ = machine(
        Card("MIG", broken=("load",)), Card("Old", broken=("memory", "name")), Card("x", broken=("handle",))
    )
    assert it.gpus() == (GpuUsage("MIG", 8 * GB, 6 * GB, None), GpuUsage("GPU 1", None, None, 12.0))


def test_a_driver_without_gpus_has_none_which_is_known() -> None:
    assert machine()[0].gpus() == ()


def test_without_a_driver_nobody_can_tell_and_it_is_tried_once() -> None:
    it, nvml = machine(Card("x"), no_driver=True)
    assert it.gpus() is None and it.gpus() is None
    assert nvml.inits == 1
    parts = it.parts()
    assert parts.gpus is None and parts.gpu_note == "GPUs are not known: NVML Shared Library Not Found"


def test_without_the_package_nobody_can_tell_and_it_says_what_to_install() -> None:
    def absent() -> NoReturn:
        raise ModuleNotFoundError("No module named 'pynvml'")

    it = LocalMachine(absent)
    assert it.gpus() is None
    assert install_command("gpu") in it.parts().gpu_note


def test_a_driver_that_is_lost_is_opened_anew() -> None:
    it, nvml = machine(Card("x"))
    assert it.gpus() != ()
    nvml.lost = True
    assert it.gpus() is None, "unknown while it is away"
    assert it.gpus() == (GpuUsage("x", 8 * GB, 6 * GB, 12.0),)
    assert (nvml.inits, nvml.open) == (2, 1)


def test_a_binding_that_does_not_fit_is_given_up_and_harms_nobody() -> None:
    it, nvml = machine(Card("x"))
    nvml.nvmlDeviceGetCount = lambda: nvml.nvmlDeviceGetCount_v9()  # type: ignore[attr-defined,method-assign]
    assert it.gpus() is None and it.gpus() is None
    assert "AttributeError" in it.parts().gpu_note and nvml.inits == 1


def test_cores_and_memory_are_this_machines() -> None:
    parts = LocalMachine(lambda: NVMLDouble()).parts()
    assert parts.cores == os.cpu_count()
    assert parts.memory == psutil.virtual_memory().total


def test_the_double_has_the_real_modules_names_and_arguments() -> None:
    need(modules=("pynvml",), install="pip install -e '.[gpu]'")
    real = importlib.import_module("pynvml")
    names = [name for name in vars(NVMLDouble) if name.startswith("nvml")]
    assert len(names) == 7
    for name in names:
        ours = list(inspect.signature(getattr(NVMLDouble(), name)).parameters)
        theirs = inspect.signature(getattr(real, name)).parameters.values()
        assert len(ours) <= len(theirs), name
        assert all(p.default is not p.empty for p in list(theirs)[len(ours) :]), name
    assert issubclass(real.NVMLError, Exception)


def test_the_real_module_on_this_machine() -> None:
    """With a GPU of NVIDIA it has a name; without a driver nobody can tell. Both are well."""
    need(modules=("pynvml",), install="pip install -e '.[gpu]'")
    it = LocalMachine()
    found = it.gpus()
    if found is None:
        assert it.parts().gpu_note.startswith("GPUs are not known: ")
        return
    assert all(gpu.name and (gpu.free_memory is None or gpu.memory is not None) for gpu in found)


@pytest.mark.parametrize("name", ["nvmlDeviceGetCount", "nvmlDeviceGetName"])
def test_the_double_refuses_what_was_not_opened(name: str) -> None:
    nvml = NVMLDouble(Card("x"))
    with pytest.raises(nvml.NVMLError, match="Uninitialized"):
        getattr(nvml, name)(*([nvml.cards[0]] if name.endswith("Name") else []))
