"""The double's application, its managers, the scripted module classes, translation and the other modules."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from Testing.Slicer import core, double

double.install()

import qt  # noqa: E402 - exists from here on
import SampleData  # noqa: E402
import slicer  # noqa: E402
from PyTorchUtils import PyTorchUtilsLogic  # noqa: E402
from slicer.i18n import tr as _  # noqa: E402
from slicer.i18n import translate  # noqa: E402
from slicer.ScriptedLoadableModule import (  # noqa: E402
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

from Testing.Slicer.double import packaging, sample_data, translation  # noqa: E402

MODULE = """
import qt, slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import *

class Tiny(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("Tiny")
        parent.categories = ["Image Synthesis"]

class TinyWidget(ScriptedLoadableModuleWidget):
    events = []
    def setup(self):
        super().setup()
        self.logic = TinyLogic()
        self.button = qt.QPushButton("Run")
        self.layout.addWidget(self.button)
    def enter(self): self.events.append("enter")
    def cleanup(self): self.events.append("cleanup")

class TinyLogic(ScriptedLoadableModuleLogic):
    pass

class TinyTest(ScriptedLoadableModuleTest):
    ran = []
    def setUp(self): self.ran.append("setUp")
    def tearDown(self): self.ran.append("tearDown")
    def test_one(self):
        self.delayDisplay("one")
        self.ran.append("one")
    def two_tests(self): self.ran.append("two")
"""


@pytest.fixture(autouse=True)
def a_clean_session() -> Any:
    yield
    slicer.app.setTesting(True)
    slicer.app.setLayoutManager(None)
    core.start().reset()
    PyTorchUtilsLogic.outcome = None
    PyTorchUtilsLogic.requests.clear()
    translation.translations.clear()
    packaging.requests.clear()
    double.dialogs.reset()
    for name in ("sampleDataSources", "sampleDataSourceCategories"):
        if hasattr(slicer.modules, name):
            delattr(slicer.modules, name)
    double.raise_slot_errors()


@pytest.fixture
def a_module(tmp_path: Path) -> Any:
    (tmp_path / "Tiny.py").write_text(MODULE, encoding="utf-8")
    module = double.load_module(tmp_path / "Tiny.py")
    yield module
    if slicer.app.moduleManager().module("Tiny") is not None:
        module.close()
    sys.path.remove(str(tmp_path))


# --- slicer.app ------------------------------------------------------------------------------------------------------


def test_the_application_stands_on_the_real_core() -> None:
    assert slicer.app.mrmlScene() is slicer.mrmlScene
    assert slicer.app.applicationLogic() is core.start().application
    assert (slicer.app.applicationName, slicer.app.majorVersion) == ("Slicer", 5)
    assert Path(slicer.app.temporaryPath).is_dir()
    assert double.install() is slicer.app


def test_settings_stay_in_a_temporary_folder() -> None:
    settings = slicer.app.userSettings()
    settings.setValue("SuperResolution3D/agreed", True)
    settings.sync()
    assert Path(settings.fileName()).is_relative_to(slicer.app.temporaryPath)
    assert slicer.util.settingsValue("SuperResolution3D/agreed", False, converter=slicer.util.toBool)
    settings.remove("SuperResolution3D/agreed")


def test_quitting_is_announced() -> None:
    heard: list[int] = []
    slicer.app.connect("aboutToQuit()", lambda: heard.append(1))
    slicer.app.aboutToQuit.emit()
    slicer.app.aboutToQuit.disconnect()
    assert heard == [1]


def test_messages_are_only_logged_in_testing_mode(caplog: pytest.LogCaptureFixture) -> None:
    slicer.util.errorDisplay("No model is installed")
    assert "No model is installed" in caplog.text
    assert double.dialogs.asked == []


def test_the_application_refuses_other_types() -> None:
    for call in (
        lambda: slicer.app.setTesting(1),
        lambda: slicer.app.setLayoutManager("manager"),
        lambda: slicer.app.translate("context", 3),
        lambda: slicer.app.moduleDocumentationUrl(None),
        lambda: slicer.app.layoutManager(1),
    ):
        with pytest.raises(TypeError):
            call()
    with pytest.raises(ValueError, match="no signal"):
        slicer.app.connect("startUpCompleted()", print)
    with pytest.raises(AttributeError):
        _ = slicer.app.ioManagr()


def test_the_python_of_slicer_is_a_launcher_whose_child_outlives_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    program = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(30)"
    process = subprocess.Popen(["PythonSlicer", "-c", program])
    end = time.monotonic() + 10
    while not (note.exists() and note.read_text()) and time.monotonic() < end:
        time.sleep(0.02)
    process.kill()
    process.wait()
    child = int(note.read_text())
    assert child != process.pid
    os.kill(child, 9)  # raises if the child had ended with its launcher


# --- Managers --------------------------------------------------------------------------------------------------------


def test_there_is_neither_layout_manager_nor_layout_node_without_a_main_window() -> None:
    slicer.app.setLayoutManager(slicer.qSlicerLayoutManager(core.start()))
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode") is not None
    slicer.app.setLayoutManager(None)
    assert slicer.app.layoutManager() is None
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode") is None


def test_the_layout_manager_makes_the_slice_views_of_a_layout() -> None:
    manager = slicer.qSlicerLayoutManager(core.start())
    slicer.app.setLayoutManager(manager)
    heard: list[int] = []
    manager.connect("layoutChanged(int)", heard.append)
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView)
    assert manager.sliceViewNames() == ["Red", "Green", "Yellow"]
    assert heard == [manager.layout]
    red = manager.sliceWidget("Red")
    assert red.mrmlSliceNode().GetOrientation() == "Axial"
    assert red.sliceLogic().GetSliceCompositeNode() is not None
    assert manager.sliceWidget("Purple") is None


def test_the_layout_manager_refuses_other_types_and_unknown_layouts() -> None:
    manager = slicer.qSlicerLayoutManager(core.start())
    with pytest.raises(ValueError, match="No layout is registered under 4711"):
        manager.setLayout(4711)
    with pytest.raises(TypeError):
        manager.setLayout("conventional")
    with pytest.raises(TypeError):
        manager.sliceWidget(0)
    with pytest.raises(TypeError):
        manager.sliceViewNames("Red")
    with pytest.raises(ValueError, match="no signal"):
        manager.connect("layoutChanged()", print)
    with pytest.raises(TypeError):
        slicer.qSlicerLayoutManager()


# --- Scripted modules ------------------------------------------------------------------------------------------------


def test_a_module_is_loaded_as_slicer_does(a_module: Any) -> None:
    assert a_module.description.title == "Tiny"
    assert slicer.util.getModule("Tiny") is a_module.description
    assert slicer.util.getModuleWidget("Tiny") is a_module.widget
    assert slicer.util.getModuleLogic("Tiny") is a_module.widget.logic
    assert Path(slicer.util.modulePath("Tiny")).name == "Tiny.py"
    assert a_module.widget.resourcePath("UI/Tiny.ui").endswith("Resources/UI/Tiny.ui")
    assert a_module.widget.button.parent() is a_module.page
    assert a_module.widget.events[-1] == "enter"


def test_unloading_a_module_cleans_up(a_module: Any) -> None:
    a_module.close()
    assert a_module.widget.events[-1] == "cleanup"
    assert slicer.app.moduleManager().module("Tiny") is None


def test_a_modules_test_runs_everything_whose_name_contains_test(a_module: Any) -> None:
    slicer.selfTests["Tiny"](msec=0)
    assert a_module.python.TinyTest.ran == ["setUp", "one", "tearDown", "setUp", "two", "tearDown"]


def test_a_logic_has_one_parameter_node_in_the_scene(a_module: Any) -> None:
    logic = a_module.python.TinyLogic()
    node = logic.getParameterNode()
    assert logic.getParameterNode() is node
    assert (node.GetSingletonTag(), node.GetAttribute("ModuleName")) == ("Tiny", "Tiny")
    assert logic.getAllParameterNodes() == [node]
    with pytest.raises(TypeError):
        logic.getParameterNode("Tiny")


def test_a_module_description_refuses_unknown_properties_and_other_types(a_module: Any) -> None:
    description = a_module.description
    with pytest.raises(AttributeError, match="no property 'titel'"):
        description.titel = "Tiny"
    for name, value in (("title", 3), ("categories", "Image Synthesis"), ("contributors", [3]), ("hidden", 1)):
        with pytest.raises(TypeError, match=name):
            setattr(description, name, value)
    with pytest.raises(TypeError):
        slicer.qSlicerScriptedLoadableModule("Tiny")
    with pytest.raises(TypeError):
        slicer.app.moduleManager().module(3)
    with pytest.raises(ValueError, match="no signal"):
        slicer.app.moduleManager().connect("moduleUnloaded()", print)


def test_the_bases_of_a_module_refuse_other_parents() -> None:
    with pytest.raises(TypeError, match="parent of a module"):
        ScriptedLoadableModule("parent")
    with pytest.raises(TypeError, match="parent of a module's widget"):
        ScriptedLoadableModuleWidget("parent")
    with pytest.raises(TypeError):
        ScriptedLoadableModuleLogic(1, 2)
    with pytest.raises(ValueError, match="no such test method"):
        ScriptedLoadableModuleTest("test_nothing")


def test_a_module_without_a_test_class_fails_its_test(a_module: Any) -> None:
    del a_module.python.TinyTest
    with pytest.raises(AssertionError, match="TinyTest"):
        slicer.selfTests["Tiny"]()


# --- slicer.i18n -----------------------------------------------------------------------------------------------------


def test_text_is_translated_in_the_context_of_its_file() -> None:
    context = Path(__file__).stem
    translation.translations[context, "{count} volumes"] = "{count} Bilder"
    assert _("{count} volumes") == "{count} Bilder"
    assert _("Cancel") == "Cancel"
    assert (context, "Cancel") in translation.asked


def test_a_translation_with_other_placeholders_is_not_used() -> None:
    translation.translations[Path(__file__).stem, "{count} volumes"] = "{anzahl} Bilder"
    assert _("{count} volumes") == "{count} volumes"


def test_only_text_is_translated() -> None:
    with pytest.raises(TypeError, match="Only text"):
        _(3)
    with pytest.raises(TypeError):
        _("a", "b")
    with pytest.raises(TypeError, match="Only text"):
        translate("context", None)


# --- slicer.packaging and PyTorchUtils -------------------------------------------------------------------------------


def test_packages_are_checked_against_what_is_installed() -> None:
    assert slicer.packaging.pip_check("numpy>=1.20 pytest")
    assert not slicer.packaging.pip_check(["numpy>=99"])
    assert not slicer.packaging.pip_check("there-is-no-such-package")
    with pytest.raises(TypeError):
        slicer.packaging.pip_check(3)


def test_a_missing_package_is_installed_only_when_a_person_agrees() -> None:
    slicer.packaging.pip_ensure("there-is-no-such-package")
    assert packaging.requests == [], "nothing is installed in testing mode"
    slicer.app.setTesting(False)
    double.dialogs.prepare(qt.QMessageBox.Cancel, qt.QMessageBox.Ok)
    with pytest.raises(RuntimeError, match="declined"):
        slicer.packaging.pip_ensure("there-is-no-such-package")
    slicer.packaging.pip_ensure("there-is-no-such-package")
    assert packaging.requests == [["there-is-no-such-package"]]
    with pytest.raises(TypeError):
        slicer.packaging.pip_ensure("numpy", upgrade=True)


def test_torch_is_asked_for_and_never_installed() -> None:
    assert PyTorchUtilsLogic().installTorch(askConfirmation=True, torchVersionRequirement=">=2.6") is not None
    assert PyTorchUtilsLogic.requests == [{"askConfirmation": True, "backend": None, "torch": ">=2.6"}]


def test_an_installation_of_torch_may_fail() -> None:
    PyTorchUtilsLogic.outcome = subprocess.CalledProcessError(1, "pip")
    with pytest.raises(subprocess.CalledProcessError):
        PyTorchUtilsLogic().installTorch()
    with pytest.raises(TypeError):
        PyTorchUtilsLogic().installTorch(askConfirmation="yes")
    with pytest.raises(TypeError):
        PyTorchUtilsLogic().installTorch(forceComputationBackend=118)
    with pytest.raises(TypeError):
        PyTorchUtilsLogic().installTorch(True, None, None, None, None)


# --- SampleData ------------------------------------------------------------------------------------------------------


@pytest.fixture
def a_file(tmp_path: Path) -> Path:
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    slicer.util.updateVolumeFromArray(volume, np.arange(24, dtype=np.int16).reshape(2, 3, 4))
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(tmp_path / "sample.nrrd"))
    assert storage.WriteData(volume)
    return tmp_path / "sample.nrrd"


def test_a_registered_sample_is_loaded_from_its_file(a_file: Path) -> None:
    digest = hashlib.sha256(a_file.read_bytes()).hexdigest()
    for _repetition in range(2):
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category="Super-resolution",
            sampleName="Brain",
            uris=[a_file.as_uri()],
            fileNames=[a_file.name],
            nodeNames=["T1"],
            checksums=[f"SHA256:{digest}"],
        )
    assert len(SampleData.SampleDataLogic.sampleDataSourcesByCategory("Super-resolution")) == 1
    node = SampleData.downloadSample("Brain")
    assert node.GetName() == "T1"
    assert slicer.util.arrayFromVolume(node).shape == (2, 3, 4)


def test_a_sample_with_its_own_loader_is_loaded_by_it() -> None:
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        sampleName="Pair", uris="", fileNames="", nodeNames="", customDownloader=lambda source: [source.sampleName]
    )
    assert SampleData.downloadSamples("Pair") == ["Pair"]


def test_a_damaged_sample_is_refused(a_file: Path) -> None:
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        sampleName="Brain", uris=a_file.as_uri(), fileNames=a_file.name, nodeNames="T1", checksums="SHA256:00"
    )
    with pytest.raises(ValueError, match="checksum"):
        SampleData.downloadSample("Brain")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"sampleName": None}, TypeError),
        ({"uris": 3}, TypeError),
        ({"nodeNames": ["a", "b"]}, ValueError),
        ({"checksums": ["00"]}, ValueError),
        ({"thumbnailFileName": "/no/such/picture.png"}, ValueError),
        ({"sampleNames": "Brain"}, TypeError),
    ],
)
def test_a_sample_described_wrongly_is_refused(change: dict[str, Any], error: type[Exception]) -> None:
    described = {"sampleName": "Brain", "uris": ["file:///a"], "fileNames": ["a"], "nodeNames": ["T1"]}
    with pytest.raises(error):
        SampleData.SampleDataLogic.registerCustomSampleDataSource(**described | change)


def test_nothing_is_downloaded() -> None:
    source = {"sampleName": "Far", "uris": "https://example.org/a.nrrd", "fileNames": "a.nrrd", "nodeNames": "a"}
    SampleData.SampleDataLogic.registerCustomSampleDataSource(**source)
    with pytest.raises(ValueError, match="downloads nothing"):
        SampleData.downloadSample("Far")
    with pytest.raises(ValueError, match="No sample is called"):
        SampleData.downloadSample("Near")
    with pytest.raises(TypeError, match="SampleDataSource"):
        SampleData.SampleDataLogic().downloadFromSource("Far")
    with pytest.raises(TypeError):
        sample_data.SampleDataSource("Far")
    with pytest.raises(TypeError):
        SampleData.SampleDataLogic.registerCustomSampleDataCategory("Super-resolution", None)
