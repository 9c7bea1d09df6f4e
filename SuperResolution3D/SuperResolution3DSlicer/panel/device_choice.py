"""The list of devices: automatic, each GPU by name and memory, CPU. torch is not asked, so it need not be there."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import qt
from slicer.i18n import tr as _

from SuperResolution3DLib.inference.memory_plan import GIB

QUERY = ["--query-gpu=index,uuid,name,memory.total,memory.free", "--format=csv,noheader,nounits"]  # MiB
MIB = 1024**2


@dataclass(frozen=True)
class Gpu:
    """A GPU as its driver tells."""

    index: int
    name: str
    total_bytes: int | None = None
    """None: not told, as where GPU and CPU share one memory"""
    free_bytes: int | None = None

    @property
    def label(self) -> str:
        """Return name and memory as a person reads them."""
        if self.total_bytes is None or self.free_bytes is None:
            return self.name
        return _("{name}, {total:.0f} GiB ({free:.0f} GiB free)").format(
            name=self.name, total=self.total_bytes / GIB, free=self.free_bytes / GIB
        )


def parse_gpus(text: str, visible: str | None = None) -> list[Gpu]:
    """Read the answer of nvidia-smi; numbers count as CUDA does, among the visible ones (CUDA_VISIBLE_DEVICES)."""
    rows = [row for line in text.splitlines() if len(row := _columns(line)) == 5 and row[0].isdigit()]
    if visible is not None:
        rows = _visible(rows, visible)
    return [Gpu(index, row[2], *_memory(row)) for index, row in enumerate(rows)]


def _columns(line: str) -> list[str]:
    return [part.strip() for part in line.split(",")]


def _visible(rows: list[list[str]], wanted: str) -> list[list[str]]:
    """Return the GPUs that CUDA shows: by number or the beginning of the UUID, up to the first that is not there."""
    found: list[list[str]] = []
    for name in _columns(wanted):
        matches = [row for row in rows if name == row[0] or (name.startswith("GPU-") and row[1].startswith(name))]
        if len(matches) != 1:
            break
        found += matches
    return found


def _memory(row: list[str]) -> tuple[int | None, int | None]:
    """Return total and free bytes; drivers write [N/A] where they do not tell them."""
    if not all(number.isdigit() for number in row[3:]):
        return None, None
    return int(row[3]) * MIB, int(row[4]) * MIB


class DeviceChoice:
    """Fills a combo box; the GPUs come when the driver has answered."""

    def __init__(
        self,
        combo: qt.QComboBox,
        on_change: Callable[[], None] = lambda: None,
        on_known: Callable[[], None] = lambda: None,
        program: str = "nvidia-smi",
    ) -> None:
        """Take the combo box, who hears that a person chose another device, and who that the GPUs became known."""
        self.gpus: list[Gpu] = []
        self.is_known = False
        """the driver has answered, or there is none"""
        self._combo = combo
        self._on_known = on_known
        self._program = program
        self._process: qt.QProcess | None = None
        self._then: list[Callable[[], None]] = []
        self._is_closed = False
        self._fill("auto")
        combo.connect("currentIndexChanged(int)", lambda _index: on_change())

    @property
    def current(self) -> str:
        """Return auto, cpu or cuda:N."""
        return str(self._combo.itemData(self._combo.currentIndex))

    @property
    def current_gpu(self) -> Gpu | None:
        """Return the GPU that a run would use, None for the CPU."""
        if self.current == "cpu" or not self.gpus:
            return None
        return self.gpus[0 if self.current == "auto" else int(self.current.partition(":")[2])]

    def select(self, name: str) -> None:
        """Choose a device; one that is not there (the scene came from another computer) becomes automatic.

        Which ones are there is known when the driver has answered; until then it stays chosen.
        """
        self._fill(name)

    def look(self, then: Callable[[], None] = lambda: None) -> None:
        """Ask the driver for GPUs and return at once; ``then`` is called when it has answered."""
        self._then.append(then)
        if self._process is not None:
            return
        self._process = qt.QProcess()
        self._process.connect("finished(int,QProcess::ExitStatus)", self._on_answer)
        self._process.connect("errorOccurred(QProcess::ProcessError)", self._on_error)
        self._process.start(self._program, QUERY)

    def close(self) -> None:
        """The combo box is about to go: no answer is shown any more."""
        self._is_closed = True
        if self._process is not None:
            self._process.kill()

    def _on_answer(self, exit_code: int, exit_status: int) -> None:
        text = bytes(self._process.readAllStandardOutput().data()).decode("utf-8", "replace")
        self._take(parse_gpus(text, os.environ.get("CUDA_VISIBLE_DEVICES")) if exit_code == 0 else [])

    def _on_error(self, error: int) -> None:
        if error == qt.QProcess.FailedToStart:  # no driver, no GPU
            self._take([])

    def _take(self, gpus: list[Gpu]) -> None:
        self._process.deleteLater()
        self._process = None
        if self._is_closed:
            return
        self.gpus, self.is_known = gpus, True
        self._fill(self.current)
        self._on_known()
        waiting, self._then = self._then, []
        for then in waiting:
            then()

    def _fill(self, chosen: str) -> None:
        entries = [("auto", _("Automatic (a GPU if there is one)"))]
        entries += [(f"cuda:{gpu.index}", gpu.label) for gpu in self.gpus]
        entries += [("cpu", _("CPU"))]
        names = [name for name, _label in entries]
        if chosen not in names and not self.is_known:
            entries.append((chosen, _("{device} (not looked for yet)").format(device=chosen)))
            names.append(chosen)
        was_blocked = self._combo.blockSignals(True)
        self._combo.clear()
        for name, label in entries:
            self._combo.addItem(label, name)
        self._combo.currentIndex = names.index(chosen) if chosen in names else 0
        self._combo.blockSignals(was_blocked)
