"""Keeps Python 3.11 alive under PySide6's wheels.

From Python 3.12 on, None, True, False and NotImplemented are immortal (PEP 683), and a module compiled against its
headers returns them without counting. PySide6 6.12.0's wheel is such a module although it installs on Python 3.11:
every call that returns None takes one reference from it, until Python ends with "none_dealloc: deallocating None".
"""

import ctypes
import sys

MANY = 2**40  # references: more than a test run can lose, far from the counter's end


def make_singletons_immortal() -> None:
    """Give the singletons more references than can be lost; later Pythons need nothing."""
    if sys.version_info >= (3, 12):
        return
    for singleton in (None, True, False, NotImplemented):
        count = ctypes.c_ssize_t.from_address(id(singleton))  # the first field of an object
        if count.value < MANY:
            count.value += MANY
