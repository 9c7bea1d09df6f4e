"""Observers of MRML objects that belong to a widget."""

import weakref
from collections.abc import Callable

import shiboken6
import vtk

from Testing.Slicer.double import signals


def while_alive(method: Callable[..., None], *, with_node: bool = False) -> Callable[..., None]:
    """Return an observer that keeps no widget alive, and does nothing once Qt has deleted it.

    The method is called with the observed object, the event's name and, ``with_node``, the node of the event.
    """
    reference = weakref.WeakMethod(method)

    def call(caller: object, event: str, node: object = None) -> None:
        alive = reference()
        if alive is None or not shiboken6.isValid(alive.__self__):
            return
        try:
            alive(*((caller, event, node) if with_node else (caller, event)))
        except Exception as error:  # VTK cannot pass it on: kept for the test
            signals.slot_errors.append(error)

    if with_node:
        call.CallDataType = vtk.VTK_OBJECT
    return call
