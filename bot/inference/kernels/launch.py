"""Launches Triton kernels, or notes them to be compiled together before the first of them is needed.

With programmatic dependent launch (`PDL`, sm_90 and above) a kernel may start while the one before it still drains. The
order that everything relies on is then kept by two calls in each kernel: `gdc_wait` stands before the first read or
write of anything that a pass computes (weights, which nobody writes, may be loaded ahead of it), and returns once the
kernel before has ended and its writes are seen; `gdc_launch_dependents` stands behind it, so that no kernel is ever
further ahead than one. A kernel without `gdc_wait` between two others would break that chain.
"""

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import torch
import triton

log = logging.getLogger(__name__)

_MOST_PARSES = 32  # on a busy machine one in two may meet another


class _NotedCall(NamedTuple):
    kernel: Any
    compile: Callable[[], object]


class KernelLauncher:
    """Launches on one device.

    Args:
        has_pdl: the card can launch a kernel before the one ahead of it has ended (sm_90 and above).
    """

    def __init__(self, device: torch.device, *, has_pdl: bool) -> None:
        self._device = device
        self._options = {"PDL": has_pdl, "launch_pdl": has_pdl}
        self._calls: dict[object, _NotedCall] | None = None

    def run(self, kernel: Any, grid: tuple[int, ...], *arguments: object, **constants: object) -> None:
        """Launch a kernel, or note it for `compile_ahead`."""
        if self._calls is None:
            kernel[grid](*arguments, **constants, **self._options)
        else:
            types = [getattr(argument, "dtype", None) for argument in arguments]
            key = (id(kernel), *types, *sorted(constants.items()))  # hashing a kernel would parse its source
            call = partial(kernel.run, *arguments, grid=grid, warmup=True, **constants, **self._options)
            self._calls[key] = _NotedCall(kernel, call)

    def compile_ahead(self, visit: Callable[[], None]) -> None:
        """Compile the kernels that `visit` calls, several at a time; they don't run, so what it computes is void."""
        self._calls = {}
        try:
            visit()
            calls = list(self._calls.values())
        finally:
            self._calls = None
        if self._device.type == "cuda":
            triton.runtime.driver.active.get_current_device()  # the driver is made once, by one thread
        for call in calls:
            if isinstance(call.kernel, triton.JITFunction):  # Triton's interpreter compiles nothing
                _hash(call.kernel)
        with ThreadPoolExecutor(min(16, os.cpu_count() or 1), initializer=self._enter_device) as threads:
            list(threads.map(_compile, [call.compile for call in calls]))

    def _enter_device(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)


def _hash(kernel: Any) -> None:
    """Have Triton compute what it finds a compiled kernel by, on one thread.

    Where its parse fails (see `_compile`), Triton keeps a placeholder made of the kernel's name alone, and would find
    by it what another version of the kernel was compiled to. A kernel that is interpreted isn't compiled at all.
    """
    if not isinstance(kernel, triton.JITFunction):
        return
    for _ in range(_MOST_PARSES - 1):
        try:
            _ = kernel.cache_key
        except SystemError:
            for function in _jit_functions(kernel.__globals__, set()):
                function.hash = None
        else:
            return
    _ = kernel.cache_key


def _jit_functions(namespace: dict[str, Any], seen: set[int]) -> Iterator[Any]:
    """All functions for Triton that can be reached from a module's names."""
    if id(namespace) in seen:
        return
    seen.add(id(namespace))
    for value in list(namespace.values()):
        if isinstance(value, triton.JITFunction):
            yield value
            yield from _jit_functions(value.__globals__, seen)


def _compile(call: Callable[[], object]) -> object:
    """Compile a kernel, and the launcher that is built and loaded when its `run` is first asked for.

    Triton parses the kernel's source, and Python 3.11 now and then raises SystemError where two threads parse at once
    ("AST constructor recursion depth mismatch"); nothing else is the matter then, so it is tried again. In a function
    that the kernel calls, it is the cause of Triton's own error.
    """
    for _ in range(_MOST_PARSES - 1):
        try:
            return getattr(call(), "run", None)
        except Exception as error:
            if not any(isinstance(each, SystemError) for each in _causes(error)):
                raise
            log.info("a kernel's source is parsed once more", exc_info=True)
    return getattr(call(), "run", None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
