"""The module loaded in the double, and its panel as a person sees it, for tests.

Importing this file installs the double, which the module's files need to be imported.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from Testing.Slicer import core, double

double.install()

MODULE_FILE = Path(__file__).resolve().parents[2] / "SuperResolution3D" / "SuperResolution3D.py"


@contextmanager
def loaded_module(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[double.LoadedModule]:
    """Load the module into a clean scene without a main window, the user's model folder and settings in ``folder``."""
    app = double.install()
    running = core.start()
    running.reset()
    app.setLayoutManager(None)
    double.dialogs.reset()
    for variable in ("XDG_DATA_HOME", "APPDATA", "HOME"):
        monkeypatch.setenv(variable, str(folder))
    monkeypatch.delenv("SUPERRES3D_MODELS", raising=False)
    app.userSettings().clear()
    module = double.load_module(MODULE_FILE)
    module.page.show()
    try:
        yield module
        double.turn(60)
    finally:
        module.close()
        app.setTesting(True)
        running.reset()
        double.turn(10)


class ThePanel:
    """The loaded module, as a person at the panel sees it."""

    def __init__(self, module: double.LoadedModule) -> None:
        self.module = module
        self.ui = module.widget.ui
        self.processes: list[Any] = []

    @property
    def parameters(self) -> Any:
        return self.module.widget.panel._parameters

    def will(self, *endings: str) -> None:
        """Let the next runs end so."""
        from SuperResolution3DSlicer.self_test.fake_process import pretend

        new_process, self.processes = pretend(*endings)
        self.module.widget.logic.newProcess = new_process

    def choose(self, **values: object) -> None:
        """Set parameters and let the panel show them."""
        for name, value in values.items():
            setattr(self.parameters, name, value)
        double.turn(80)

    def click(self, button: Any) -> None:
        """Click a button, which must be enabled."""
        if not button.enabled:
            raise AssertionError(f"{button.text!r} is disabled: {button.toolTip}")
        button.click()

    def run(self) -> None:
        """Click Super-resolve and wait for the end."""
        self.click(self.ui.applyButton)
        double.wait_until(lambda: self.ui.applyButton.text != "Cancel")
        double.turn(80)


def is_running(pid: int) -> bool:
    """Tell whether a process is there and has not ended (a zombie has)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
