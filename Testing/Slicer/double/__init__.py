"""A strict double of what Slicer's desktop application gives to Python: ``qt``, ``ctk``, ``slicer.app`` and the rest.

Below it are the real C++ core of Slicer (slicer-core) and the real Qt (PySide6, offscreen); the double adds PythonQt's
conventions and what is in no wheel, from the documented interfaces. It answers only what it knows: an unknown widget,
property, signal or argument type raises.

    from Testing.Slicer import double
    double.install()                                  # import qt, ctk, slicer.app ... work from here on
    module = double.load_module(path)                 # module.widget, module.page
    double.turn(50)                                   # the event loop, for 50 ms
    double.wait_until(lambda: condition, 5_000)
    double.grab(module.page, Path("panel.png"))
    double.dialogs.prepare(qt.QMessageBox.Ok)         # the answer to the next dialog
"""

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before Qt is imported

from Testing.Slicer.double import dialogs
from Testing.Slicer.double.event_loop import grab, raise_slot_errors, turn, wait_until
from Testing.Slicer.double.session import LoadedModule, install, load_module

__all__ = ["LoadedModule", "dialogs", "grab", "install", "load_module", "raise_slot_errors", "turn", "wait_until"]
