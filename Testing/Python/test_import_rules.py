"""Who may import whom. Every file is parsed and none is run, so the rules hold without Slicer, torch or a GPU."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = "SuperResolution3DLib"
# Folder -> where its module names start. Slicer puts the folder of the module file itself on sys.path.
FOLDERS = {"SuperResolution3D": ROOT / "SuperResolution3D", LIBRARY: ROOT, "Training": ROOT}
NEVER = {
    "SuperResolution3D": {"torch", "monai", "lpips", "torchvision", "Training"},
    LIBRARY: {"slicer", "qt", "vtk", "monai", "lpips", "torchvision", "Training"},
    "Training": {"slicer", "qt", "vtk", "SuperResolution3D", "SuperResolution3DSlicer"},
}
GUI_MODULES = [
    f"{LIBRARY}.{name}"
    for name in (
        *(
            "errors",
            "free_memory",
            "volumes.geometry",
            "volumes.box",
            "models.model_card",
            "cli.super_resolve_job",
            "cli.report",
        ),
        *("models.installed_models", "models.choice", "models.card_words", "sentence", "advice", "volumes.body_axes"),
        "cli.time_left",
        *("inference.computation", "inference.memory_plan", "inference.monitor", "inference.sliding_window"),
        *("inference.slice_plan", "inference.slice_report", "inference.slice_stack", "forward.slice_axis"),
        *("volumes.sidecar", "volumes.slice_positions", "volumes.dicom.slice_sizes", "cli.slice_arguments"),
        *("volumes.intensity", "volumes.hounsfield", "models.trust_calibration"),
    )
]
TORCH_FREE = [LIBRARY, f"{LIBRARY}.networks.table", *GUI_MODULES] + [
    f"{LIBRARY}.{name}"
    for name in (
        *("volumes.volume", "metrics.foreground", "metrics.metrics", "cli.figure"),
        *("inference.thick_slices", "forward.forward_model"),
    )
]
# The rooms of each package, lowest first, and those that stand beside each other: none imports a higher one.
ROOMS = {
    LIBRARY: ("volumes", "forward", "networks", "models", "metrics", "inference", "cli"),
    "Training": ("data datasets", "trainer evaluation", "reporting calibration", "cross_validation"),
}
COMMANDS = {  # above all rooms; what else stands outside of them is below
    module: {path.stem for path in (ROOT / module).glob("*.py") if "def main(" in path.read_text("utf-8")}
    for module in ROOMS
}
WHERE_USED = {"nibabel", "tqdm", "matplotlib"}  # imported inside functions: the worker in Slicer runs without them


Level = Literal["module", "function", "typing"]


@dataclass(frozen=True)
class Import:
    """One imported module."""

    target: str
    """dotted name, made absolute"""
    level: Level
    """when it happens: on import of the file, on a call, or never (TYPE_CHECKING)"""
    line: int


Project = dict[str, list[Import]]  # module -> its imports


# --- The rules on this project ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def the_project() -> Project:
    return parse({name: path.read_text("utf-8") for name, path in source_files()}, package_names())


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_folder_imports_what_it_must_never_import(the_project: Project, folder: str) -> None:
    modules = [name for name, path in source_files() if path.is_relative_to(ROOT / folder)]
    assert forbidden(the_project, modules, NEVER[folder], levels=("module", "function", "typing")) == []


@pytest.mark.parametrize("module", TORCH_FREE)
def test_module_works_without_torch(the_project: Project, module: str) -> None:
    assert module in the_project, f"{module} is in the list of this test, but there is no such module"
    assert forbidden(the_project, [module], {"torch"}) == []
    assert chain(the_project, module, {"torch"}) == []


def test_the_slicer_module_imports_only_the_torch_free_part_of_the_library(the_project: Project) -> None:
    modules = [name for name, path in source_files() if path.is_relative_to(ROOT / "SuperResolution3D")]
    used = {item.target for name in modules for item in the_project[name] if item.target.split(".")[0] == LIBRARY}
    assert used <= {LIBRARY, *GUI_MODULES}


def test_the_library_imports_nibabel_tqdm_and_matplotlib_only_where_they_are_used(the_project: Project) -> None:
    assert forbidden(the_project, library_modules(the_project), WHERE_USED, levels=["module"]) == []


def test_the_library_imports_only_what_the_base_installation_has(the_project: Project) -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    installed = {re.split(r"[^\w-]", dependency)[0] for dependency in dependencies}
    known = installed | set(sys.stdlib_module_names) | {LIBRARY}
    imports = [(name, item) for name in library_modules(the_project) for item in the_project[name]]
    assert [
        f"{name}:{item.line} {item.target}" for name, item in imports if item.target.split(".")[0] not in known
    ] == []


@pytest.mark.parametrize("package", ROOMS)
def test_rooms_import_only_lower_rooms_and_no_command_line(the_project: Project, package: str) -> None:
    assert room_violations(the_project, package) == []


def test_the_rooms_and_command_lines_are_those_that_there_are() -> None:
    for package, rooms in ROOMS.items():
        folders = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
        assert folders == set(" ".join(rooms).split())
    assert COMMANDS[LIBRARY] == {"__main__"}
    assert {"prepare", "train", "evaluate", "crossvalidate", "publish"} <= COMMANDS["Training"]


def test_there_are_no_import_cycles(the_project: Project) -> None:
    assert cycle(the_project) == []


def test_package_files_import_nothing_heavy(the_project: Project) -> None:
    light = set(sys.stdlib_module_names) | {name.split(".")[0] for name in the_project}
    for package in package_names():
        assert [part for part in closure(the_project, package) if part.split(".")[0] not in light] == [], package


def test_importing_what_the_gui_needs_leaves_torch_out() -> None:
    heavy = "{'torch', 'scipy', 'SimpleITK', 'nibabel', 'matplotlib', 'tqdm', 'monai', 'lightning'}"
    program = f"import sys, {LIBRARY}, {', '.join(GUI_MODULES)}; print(*sorted({heavy} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == ""


# --- The checks themselves, on small sources that break the rules ----------------------------------------------------


def test_a_forbidden_import_is_found_wherever_it_stands() -> None:
    sources = {
        "top": "import torch.nn\n",
        "inside": "def run():\n    from torch import nn\n",
        "guarded": "try:\n    import torch as t\nexcept ImportError:\n    pass\n",
        "dynamic": "import importlib\nnetwork = importlib.import_module('torch')\n",
        "similar": "import torchlike\nfrom a.torch import nn\n",
    }
    found = forbidden(parse(sources), list(sources), {"torch"})
    assert found == ["top:1 torch.nn", "inside:2 torch", "guarded:2 torch", "dynamic:2 torch"]


def test_imports_for_annotations_alone_are_told_apart() -> None:
    project = parse(
        {"a": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\nelse:\n    import b\n"}
    )
    assert [(item.target, item.level) for item in project["a"]][1:] == [("torch", "typing"), ("b", "module")]
    assert forbidden(project, ["a"], {"torch"}) == []


def test_torch_is_found_behind_other_modules_and_their_packages() -> None:
    sources = {
        "p": "from p import engine\n",
        "p.engine": "import torch\n",
        "p.job": "import json\n",
        "q": "",
        "q.card": "from q import plan\n",
        "q.plan": "from .deep import thing\n",
        "q.deep": "class A:\n    import torch\n",
        "q.lazy": "def run():\n    import q.deep\n",
    }
    project = parse(sources, packages={"p", "q"})
    assert chain(project, "p.job", {"torch"}) == ["p.job", "p", "p.engine", "torch"]  # importing p.job runs p first
    assert chain(project, "q.card", {"torch"}) == ["q.card", "q.plan", "q.deep", "torch"]
    assert chain(project, "q.lazy", {"torch"}) == []


def test_an_import_inside_a_function_does_not_count_as_one_of_the_file() -> None:
    project = parse({"a": "def draw():\n    import matplotlib\n", "b": "import matplotlib.image\n"})
    assert forbidden(project, ["a", "b"], {"matplotlib"}, levels=["module"]) == ["b:1 matplotlib.image"]


def test_a_cycle_is_found_and_shown() -> None:
    assert cycle(parse({"a": "import b\n", "b": "from c import x\n", "c": "import a\n"})) == ["a", "b", "c", "a"]
    assert cycle(parse({"a": "import b\n", "b": "def run():\n    import a\n"})) == []


def test_an_import_of_a_higher_room_is_found_at_every_level() -> None:
    sources = {
        f"{LIBRARY}.volumes.volume": f"def read():\n    from {LIBRARY}.cli import super_resolve_job\n",
        f"{LIBRARY}.cli.super_resolve_job": f"from {LIBRARY}.volumes import volume\n",
        f"{LIBRARY}.networks.rrdb": f"from {LIBRARY}.models import model_card\n",
        f"{LIBRARY}.models.model_card": "",
        f"{LIBRARY}.errors": f"from {LIBRARY}.cli import super_resolve_job\n",
    }
    assert room_violations(parse(sources), LIBRARY) == [
        f"{LIBRARY}.volumes.volume:2 {LIBRARY}.cli.super_resolve_job",
        f"{LIBRARY}.networks.rrdb:1 {LIBRARY}.models.model_card",
        f"{LIBRARY}.errors:1 {LIBRARY}.cli.super_resolve_job",
    ]


def test_an_import_of_a_report_by_an_evaluation_or_of_a_command_line_by_a_room_is_found() -> None:
    sources = {
        "Training.config": "from Training.trainer import losses\n",  # made of what the rooms declare
        "Training.data.splits": "",
        "Training.datasets.folder": "from Training.data import splits\n",
        "Training.trainer.losses": "def run():\n    from Training.train import main\n",
        "Training.evaluation.plan": "from Training.trainer import losses\nfrom Training.reporting import tables\n",
        "Training.reporting.tables": "from Training.evaluation import plan\n",
        "Training.cross_validation.parts": "import Training.evaluate\nfrom Training.reporting import tables\n",
        "Training.train": "from Training import evaluate\n",
        "Training.evaluate": "from Training.cross_validation import parts\n",
    }
    assert room_violations(parse(sources), "Training") == [
        "Training.trainer.losses:2 Training.train",
        "Training.evaluation.plan:2 Training.reporting.tables",
        "Training.cross_validation.parts:1 Training.evaluate",
    ]


def test_relative_imports_are_made_absolute() -> None:
    sources = {"p": "from .a import x\n", "p.a": "from . import b\n", "p.b": "", "p.n.c": "from ..a import x\n"}
    project = parse(sources, packages={"p"})
    assert {name: [item.target for item in items] for name, items in project.items()} == {
        "p": ["p.a"],
        "p.a": ["p.b"],
        "p.b": [],
        "p.n.c": ["p.a"],
    }


# --- Reading ---------------------------------------------------------------------------------------------------------


def source_files() -> Iterator[tuple[str, Path]]:
    """Yield each Python file of the project with the name that it is imported by."""
    for folder, start in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(start).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def package_names() -> set[str]:
    return {name for name, path in source_files() if path.name == "__init__.py"}


def library_modules(project: Project) -> list[str]:
    return [name for name in project if name.split(".")[0] == LIBRARY]


def parse(sources: dict[str, str], packages: Collection[str] = ()) -> Project:
    """Return the imports of each module, given as name -> source; packages are the names of ``__init__`` files."""
    project = {}
    for name, source in sources.items():
        found: list[Import] = []
        _collect(
            ast.parse(source), name if name in packages else name.rpartition(".")[0], set(sources), "module", found
        )
        project[name] = found
    return project


def _collect(node: ast.AST, package: str, modules: set[str], level: Level, found: list[Import]) -> None:
    """Walk the tree, knowing at each node when its code runs."""
    if isinstance(node, ast.Import):
        found += [Import(alias.name, level, node.lineno) for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = package.split(".")
            base = ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])
        targets = [f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules else base for alias in node.names]
        found += [Import(target, level, node.lineno) for target in dict.fromkeys(targets)]
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "__import__"):
        found += [
            Import(str(name.value), level, node.lineno) for name in node.args[:1] if isinstance(name, ast.Constant)
        ]
    if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        for statement in node.body:
            _collect(statement, package, modules, "typing", found)
        children: list[ast.AST] = [*node.orelse]
    else:
        children = [*ast.iter_child_nodes(node)]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and level == "module":
        level = "function"
    for child in children:
        _collect(child, package, modules, level, found)


# --- Checking --------------------------------------------------------------------------------------------------------


def forbidden(
    project: Project, modules: list[str], names: set[str], levels: Collection[str] = ("module", "function")
) -> list[str]:
    """Return "module:line target" for each import of a forbidden top-level name."""
    return [
        f"{module}:{item.line} {item.target}"
        for module in modules
        for item in project[module]
        if item.level in levels and item.target.split(".")[0] in names
    ]


def room_violations(project: Project, package: str) -> list[str]:
    """Return "module:line target" for each import by which a lower room of a package knows a higher one."""
    heights = {room: height for height, rooms in enumerate(ROOMS[package]) for room in rooms.split()}
    heights |= dict.fromkeys(COMMANDS[package], len(heights))

    def height(module: str) -> int:
        return heights.get(module.split(".")[1] if module.count(".") else "", -1)

    return [
        f"{module}:{item.line} {item.target}"
        for module in project
        if module.split(".")[0] == package and module != package
        # Training's configuration is made of what its rooms declare.
        if package == LIBRARY or module.count(".") > 1
        for item in project[module]
        if item.target.split(".")[0] == package and height(item.target) > height(module)
    ]


def closure(project: Project, start: str) -> dict[str, str]:
    """Return everything that importing ``start`` imports, project or not, each with the module that asked for it."""
    reason: dict[str, str] = {}
    waiting = [(start, "")]
    while waiting:
        module, asked_by = waiting.pop(0)
        if module in reason:
            continue
        reason[module] = asked_by
        parent = module.rpartition(".")[0]
        wanted = [item.target for item in project.get(module, []) if item.level == "module"]
        waiting += [(target, module) for target in ([parent] if parent in project else []) + wanted]
    return reason


def chain(project: Project, start: str, names: set[str]) -> list[str]:
    """Return the way from ``start`` to the first module of the forbidden top-level names; empty if there is none."""
    reason = closure(project, start)
    reached = next((module for module in reason if module.split(".")[0] in names), "")
    way: list[str] = []
    while reached:
        way.insert(0, reached)
        reached = reason[reached]
    return way


def cycle(project: Project) -> list[str]:
    """Return the first cycle of imports at module level; empty if there is none."""
    finished: set[str] = set()

    def visit(module: str, way: list[str]) -> list[str]:
        if module in way:
            return [*way[way.index(module) :], module]
        if module in finished or module not in project:
            return []
        for item in project[module]:
            if item.level == "module" and (found := visit(item.target, [*way, module])):
                return found
        finished.add(module)
        return []

    return next((found for module in project if (found := visit(module, []))), [])
