"""Following a network while it runs."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def before_each(modules: Iterable[nn.Module], call: Callable[[], object]) -> Iterator[None]:
    """Call something before each module runs, as long as the ``with`` block lasts; what it raises ends the run."""

    def hook(*_: object) -> None:
        call()

    hooks = [module.register_forward_pre_hook(hook) for module in modules]
    try:
        yield
    finally:
        for registered in hooks:
            registered.remove()
