"""The extension, built and installed with a stand-in for Slicer's build: all is there, and it runs there."""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from SuperResolution3DLib.models.model_card import read_card
from Testing.Slicer import system_libraries

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = ROOT / "Testing" / "Slicer" / "cmake"
MODULES = Path("lib/Slicer-5.12/qt-scripted-modules")  # where Slicer looks for scripted modules
TOOLS = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
PACKAGES = f"{sysconfig.get_path('purelib')}{os.pathsep}{sysconfig.get_path('platlib')}"
MODELS = sorted((ROOT / "Resources" / "Models").glob("*.safetensors"))


@dataclass(frozen=True)
class Trees:
    """The extension after `cmake --install`."""

    build: Path
    """build tree, from which Slicer's test machines run"""
    install: Path
    """what a user gets"""

    @property
    def modules(self) -> Path:
        return self.install / MODULES


@pytest.fixture(scope="module")
def the_trees(tmp_path_factory: pytest.TempPathFactory) -> Trees:
    folder = tmp_path_factory.mktemp("extension")
    trees = Trees(folder / "build", folder / "install")
    configure(ROOT, trees.build, f"-DCMAKE_INSTALL_PREFIX={trees.install}", check=True)
    cmake("--build", trees.build, check=True)
    cmake("--install", trees.build, check=True)
    return trees


# --- What is installed -----------------------------------------------------------------------------------------------


def test_nothing_is_missing_from_the_installed_tree(the_trees):
    missing = wanted_files() - files_in(the_trees.modules)
    assert not missing, f"not installed; list them in the folder's CMakeLists.txt: {sorted(missing)}"


def test_nothing_else_is_installed(the_trees):
    assert files_in(the_trees.modules) - wanted_files() == set()


def test_the_build_tree_has_the_same_files(the_trees):
    assert files_in(the_trees.build / MODULES) == files_in(the_trees.modules)


def test_only_the_module_lies_where_slicer_takes_every_file_for_a_module(the_trees):
    assert [path.name for path in the_trees.modules.glob("*.py")] == ["SuperResolution3D.py"]
    packages = {path.name for path in the_trees.modules.iterdir() if path.is_dir()}
    assert packages == {"SuperResolution3DLib", "SuperResolution3DSlicer", "Resources"}


def test_installed_files_have_the_content_of_the_source_tree(the_trees):
    for name in wanted_files():
        assert (the_trees.modules / name).read_bytes() == source_of(name).read_bytes(), name


# --- It runs there ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tree", ["installed", "source"])
def test_the_module_and_the_library_are_imported_from_the_tree(the_trees, tmp_path, tree):
    folder = the_trees.modules if tree == "installed" else ROOT / "SuperResolution3D"
    program = f"""
import json, pathlib, sys
from Testing.Slicer import double
double.load_module(pathlib.Path({str(folder / "SuperResolution3D.py")!r}))
own = [item for name, item in sys.modules.items() if name.startswith("SuperResolution3D")]
print(json.dumps({{item.__name__: item.__file__ for item in own}}))
assert "torch" not in sys.modules
"""
    files = json.loads(run_python(tmp_path, [support_folder(tmp_path)], "-c", program).splitlines()[-1])
    assert {
        "SuperResolution3D",
        "SuperResolution3DSlicer.panel.panel",
        "SuperResolution3DLib.cli.super_resolve_job",
    } <= set(files)
    start = the_trees.modules if tree == "installed" else ROOT
    assert [file for file in files.values() if not Path(file).is_relative_to(start)] == []


def test_the_self_test_passes_on_the_installed_tree(the_trees, tmp_path):
    program = f"""
import json, pathlib, unittest
from Testing.Slicer import double
module = double.load_module(pathlib.Path({str(the_trees.modules / "SuperResolution3D.py")!r})).python
result = unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromTestCase(module.SuperResolution3DTest))
double.raise_slot_errors()
print(json.dumps([result.testsRun, [text for _, text in result.errors + result.failures + result.skipped]]))
"""
    output = run_python(tmp_path, [support_folder(tmp_path)], "-c", program)
    num_tests, problems = json.loads(output.splitlines()[-1])
    assert problems == []
    assert num_tests >= 10


def test_the_worker_lists_the_installed_models_from_an_unrelated_folder(the_trees, tmp_path):
    output = run_python(tmp_path, [the_trees.modules], "-m", "SuperResolution3DLib", "models", "--verbose")
    for path in MODELS:
        assert read_card(path).name in output
        assert str(the_trees.modules) in output


def test_every_library_module_is_imported_from_the_installed_tree(the_trees, tmp_path):
    library = the_trees.modules / "SuperResolution3DLib"
    sources = (ROOT / "SuperResolution3DLib").rglob("*.py")
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sources]
    program = f"import importlib\nfor name in {sorted(names)}: print(importlib.import_module(name).__file__)"
    files = run_python(tmp_path, [the_trees.modules], "-c", program).split()
    assert len(files) == len(names) > 30
    assert all(Path(file).is_relative_to(library) for file in files)


# --- What Slicer's build and the extension index read ----------------------------------------------------------------


def test_slicer_runs_the_self_test_and_the_generic_test_without_a_main_window(the_trees):
    listing = subprocess.run(
        ["ctest", "--show-only=json-v1"], cwd=the_trees.build, env={"PATH": TOOLS}, capture_output=True, check=True
    )
    commands = {test["name"]: test["command"] for test in json.loads(listing.stdout)["tests"]}
    assert set(commands) == {
        "py_nomainwindow_SuperResolution3D",
        "py_nomainwindow_qSlicerSuperResolution3DModuleGenericTest",
    }
    for command in commands.values():
        assert {"--testing", "--no-main-window", "--additional-module-path"} <= set(command)
        assert command[command.index("--additional-module-path") + 1] == str(the_trees.build / MODULES)


def test_cmake_and_the_index_entry_say_the_same(the_trees):
    entry = json.loads((ROOT / "SuperResolution3D.json").read_text())
    extension = description(the_trees)
    assert entry["category"] == extension["category"] == "Image Synthesis"
    assert entry["build_dependencies"] == extension["depends"].split() == ["PyTorch"]
    assert entry["scm_url"] == f"{extension['homepage']}.git"


def test_the_index_entry_follows_the_schema():
    """https://github.com/Slicer/Slicer/blob/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.1.json"""
    entry = json.loads((ROOT / "SuperResolution3D.json").read_text())
    assert entry["$schema"].endswith("/slicer-extension-catalog-entry-schema-v1.0.1.json#")
    texts = {"$schema", "category", "scm_url", "scm_revision", "build_subdirectory"}
    assert set(entry) == {*texts, "scm_type", "build_dependencies", "tier"}
    assert all(isinstance(entry[name], str) and entry[name] for name in texts)
    assert entry["scm_type"] == "git"
    assert entry["tier"] in (1, 3, 5)
    assert entry["scm_url"].startswith("https://")


def test_icon_and_screenshots_are_files_of_the_repository(the_trees):
    extension = description(the_trees)
    urls = [extension["iconurl"], *extension["screenshoturls"].split()]
    owner = extension["homepage"].removeprefix("https://github.com/")
    files = [ROOT / url.removeprefix(f"https://raw.githubusercontent.com/{owner}/main/") for url in urls]
    assert len(files) >= 2
    for file in files:
        assert png_size(file), file
    assert png_size(files[0]) == (128, 128)


def test_the_index_finds_name_and_urls_in_the_top_file():
    """As the index's own check reads them: one line each, in quotes."""
    text = (ROOT / "CMakeLists.txt").read_text()
    assert re.search(r"^project\((\w+)\)$", text, re.MULTILINE)[1] == "SuperResolution3D"
    for name in ("EXTENSION_ICONURL", "EXTENSION_SCREENSHOTURLS"):
        assert re.search(rf'^set\({name} "https://[^"\n]+"\)$', text, re.MULTILINE)
    assert text.startswith("cmake_minimum_required(VERSION 3.16.3...3.28)\n")
    assert (ROOT / "LICENSE.txt").is_file()


# --- The stand-in is as strict as Slicer -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("slicerMacroBuildScriptedModule(NAME A SCRIPTS a.py absent.py)", "nonexistent file 'absent.py'"),
        ("slicerMacroBuildScriptedModule(NAME A SCRIPTS a.py RESOURCES absent.ui)", "nonexistent file 'absent.ui'"),
        ("slicerMacroBuildScriptedModule(SCRIPTS a.py)", "NAME is missing"),
        ("slicerMacroBuildScriptedModule(OTHER NAME A SCRIPTS a.py)", "unknown keywords OTHER"),
        ("slicer_add_python_unittest(SCRIPT absent.py)", "nonexistent script 'absent.py'"),
        ("slicer_add_python_unittest(OTHER SCRIPT a.py)", "unknown keywords OTHER"),
        ("include(${Slicer_EXTENSION_CPACK})", "EXTENSION_HOMEPAGE is empty"),
    ],
)
def test_the_stand_in_refuses(tmp_path, call, message):
    configured = configure(small_extension(tmp_path, call), tmp_path / "build")
    assert configured.returncode != 0
    assert message in re.sub(r"\s+", " ", configured.stderr)


def test_a_file_that_is_not_listed_is_not_installed(tmp_path):
    source = small_extension(tmp_path, "slicerMacroBuildScriptedModule(NAME A SCRIPTS a.py part/b RESOURCES c.ui)")
    configure(source, tmp_path / "build", f"-DCMAKE_INSTALL_PREFIX={tmp_path / 'install'}", check=True)
    cmake("--build", tmp_path / "build", check=True)
    cmake("--install", tmp_path / "build", check=True)
    assert files_in(tmp_path / "install" / MODULES) == {"a.py", "part/b.py", "c.ui"}  # not part/unlisted.py


def test_a_library_is_installed_under_the_name_of_its_folder(tmp_path):
    source = small_extension(tmp_path, "slicerMacroBuildScriptedModule(NAME A SCRIPTS a.py part/b.py WITH_SUBDIR)")
    configure(source, tmp_path / "build", f"-DCMAKE_INSTALL_PREFIX={tmp_path / 'install'}", check=True)
    cmake("--build", tmp_path / "build", check=True)
    cmake("--install", tmp_path / "build", check=True)
    assert files_in(tmp_path / "install" / MODULES) == {"AnExtension/a.py", "AnExtension/part/b.py"}


# --- The system libraries of Qt --------------------------------------------------------------------------------------


def test_missing_system_libraries_are_named(monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(system_libraries, "PACKAGES", {"libc6": "libc.so.6", "libabsent1": "libabsent.so.1"})
    assert system_libraries.main(["--packages"]) == 0
    assert capsys.readouterr().out == "libabsent1\n"
    assert system_libraries.main([]) == 1
    assert "apt-get install libabsent1" in capsys.readouterr().err


def test_no_system_library_is_missing_here():
    assert system_libraries.missing_packages() == []


# --- Tools -----------------------------------------------------------------------------------------------------------


def wanted_files() -> set[str]:
    """Return what the installed folder must hold, no more and no less, by its path there."""
    resources = {f"SuperResolution3DLib/Resources/{name}" for name in files_in(ROOT / "Resources") if in_use(name)}
    library = {f"SuperResolution3DLib/{name}" for name in files_in(ROOT / "SuperResolution3DLib") | {"LICENSE.txt"}}
    return (files_in(ROOT / "SuperResolution3D") | library | resources) - {
        "CMakeLists.txt",
        "SuperResolution3DLib/CMakeLists.txt",
        "SuperResolution3DLib/README.md",  # of the command line, which is read in the repository
    }


def in_use(resource: str) -> bool:
    return resource.startswith(("Models/", "SampleData/"))


def source_of(name: str) -> Path:
    """Return the file of the source tree that is installed as ``name``."""
    shared = name.removeprefix("SuperResolution3DLib/")
    if name != shared and (shared == "LICENSE.txt" or shared.startswith("Resources/")):
        return ROOT / shared
    return ROOT / name if name != shared else ROOT / "SuperResolution3D" / name


def files_in(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def description(trees: Trees) -> dict[str, str]:
    """Return what the extension says of itself, as CMake evaluated it."""
    lines = (trees.install / "share/Slicer-5.12/SuperResolution3D.s4ext").read_text().splitlines()
    return dict(line.split(" ", 1) for line in lines)


def png_size(file: Path) -> tuple[int, int]:
    """Return width and height (pixels) from the header of a PNG file."""
    start = file.read_bytes()[:24]
    assert start[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", start[16:24])
    return width, height


def small_extension(folder: Path, call: str) -> Path:
    """Write an extension of four files whose CMakeLists.txt makes one call; return its folder."""
    source = folder / "AnExtension"
    (source / "part").mkdir(parents=True)
    for name in ("a.py", "part/b.py", "part/unlisted.py", "c.ui"):
        (source / name).write_text("")
    lines = ["cmake_minimum_required(VERSION 3.16.3...3.28)", "project(AnExtension)", "find_package(Slicer REQUIRED)"]
    (source / "CMakeLists.txt").write_text("\n".join([*lines, "include(${Slicer_USE_FILE})", call, ""]))
    return source


def configure(source: Path, build: Path, *options: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    toolchain = f"-DCMAKE_TOOLCHAIN_FILE={STAND_IN / 'NoCompiler.cmake'}"
    return cmake("-S", source, "-B", build, f"-DSlicer_DIR={STAND_IN}", toolchain, *options, check=check)


def cmake(*arguments: str | Path, check: bool = False) -> subprocess.CompletedProcess[str]:
    program = shutil.which("cmake", path=TOOLS)
    assert program, "the test needs cmake: pip install '.[slicer]'"
    run = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    assert not check or run.returncode == 0, run.stdout + run.stderr
    return run


def support_folder(folder: Path) -> Path:
    """Return a folder with nothing in it but the package of the double: the source tree stays off the path."""
    support = folder / "support"
    support.mkdir()
    (support / "Testing").symlink_to(ROOT / "Testing")
    return support


def run_python(folder: Path, paths: list[Path], *arguments: str) -> str:
    """Run Python in an unrelated folder as Slicer would: with the paths and the packages, and no `pip install -e`."""
    path = os.pathsep.join([*map(str, paths), PACKAGES])
    environment = {name: value for name, value in os.environ.items() if name != "SUPERRES3D_MODELS"}
    environment |= {"PYTHONPATH": path, "XDG_DATA_HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(
        [sys.executable, "-S", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout
