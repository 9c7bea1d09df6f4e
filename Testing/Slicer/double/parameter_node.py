"""The module ``slicer.parameterNodeWrapper``: typed parameters on a node of the scene.

Follows https://slicer.readthedocs.io/en/latest/developer_guide/parameter_nodes/overview.html. Wider there: parameter
packs, dictionaries, tuples, custom serializers and connectors. The module uses none of them, so they are not here.
"""

import logging
import types
import typing
from collections.abc import Callable
from typing import Any

import slicer
import vtk
from PySide6 import QtWidgets

from Testing.Slicer.double import parameter_gui, validators
from Testing.Slicer.double.parameter_storage import Storage, storage_of

PROPERTY = "SlicerParameterName"  # the dynamic property that names a widget's parameter

_Class = typing.TypeVar("_Class", bound=type)


class _Parameter:
    """One parameter of a wrapper class: an attribute that lives in the node."""

    def __init__(self, name: str, annotation: Any, storage: Storage, default: validators.Default) -> None:
        self.name = name
        self.annotation = annotation
        self.storage = storage
        self.default = default

    def __get__(self, wrapper: Any, owner: type | None = None) -> Any:
        if wrapper is None:
            return self
        node = wrapper.parameterNode
        if not self.storage.is_in(node, self.name):  # closing the scene emptied the node
            self.storage.write(node, self.name, self.default.value)
        return self.storage.read(node, self.name)

    def __set__(self, wrapper: Any, value: Any) -> None:
        with slicer.util.NodeModify(wrapper.parameterNode):
            self.storage.write(wrapper.parameterNode, self.name, value)


class _Connection:
    """One ``connectGui``: widgets that show parameters, both ways, until it is closed."""

    def __init__(self, wrapper: Any, widgets: dict[str, QtWidgets.QWidget]) -> None:
        self.wrapper = wrapper
        self.connectors = {
            name: parameter_gui.connector(widget, wrapper.dataType(name)) for name, widget in widgets.items()
        }
        self.updating = False
        self.slots: dict[str, Callable[[], None]] = {}
        self.update()
        for name, connector in self.connectors.items():
            self.slots[name] = self._slot(name)
            connector.connect(self.slots[name])
        self.tag = wrapper.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: self.update())

    def update(self) -> None:
        """Show the parameters in the widgets."""
        if self.updating:
            return
        self.updating = True
        try:
            for name, connector in self.connectors.items():
                connector.write(self.wrapper.getValue(name))
        finally:
            self.updating = False

    def close(self) -> None:
        self.wrapper.RemoveObserver(self.tag)
        for name, connector in self.connectors.items():
            connector.disconnect(self.slots[name])

    def _slot(self, name: str) -> Callable[[], None]:
        def changed() -> None:
            if not self.updating:
                self.wrapper.setValue(name, self.connectors[name].read())

        return changed


class _Wrapper:
    """What `parameterNodeWrapper` adds to a class."""

    allParameters: typing.ClassVar[dict[str, _Parameter]]

    def __init__(self, parameterNode: slicer.vtkMRMLScriptedModuleNode) -> None:
        if not isinstance(parameterNode, slicer.vtkMRMLScriptedModuleNode):
            raise TypeError(f"A parameter node is a vtkMRMLScriptedModuleNode, not {parameterNode!r}")
        self.parameterNode = parameterNode
        self._connections: dict[int, _Connection] = {}
        self._next_tag = 0
        for parameter in self.allParameters.values():
            if not parameter.storage.is_in(parameterNode, parameter.name):
                parameter.storage.write(parameterNode, parameter.name, parameter.default.value)

    @classmethod
    def dataType(cls, name: str) -> Any:
        return cls._known(name).annotation

    def default(self, name: str) -> validators.Default:
        return self._known(name).default

    def isCached(self, name: str) -> bool:
        """Whether Slicer keeps the value between reads: for every type that the double stores, it does."""
        return self._known(name) is not None

    def getValue(self, name: str) -> Any:
        return self._known(name).__get__(self)

    def setValue(self, name: str, value: Any) -> None:
        self._known(name).__set__(self, value)

    def connectGui(self, gui: Any) -> None:
        """Connect every widget that names a parameter in its dynamic property; as in Slicer no tag is returned."""
        widgets = gui.findChildren(QtWidgets.QWidget) if isinstance(gui, QtWidgets.QWidget) else vars(gui).values()
        named = [(widget.property(PROPERTY), widget) for widget in widgets]
        self.connectParametersToGui({name: widget for name, widget in named if name})

    def connectParametersToGui(self, mapping: dict[str, QtWidgets.QWidget]) -> int:
        for name in mapping:
            self._known(name)
        self._next_tag += 1
        self._connections[self._next_tag] = _Connection(self, mapping)
        return self._next_tag

    def disconnectGui(self, guiTag: int) -> None:
        connection = self._connections.pop(guiTag, None)
        if connection is not None:
            connection.close()

    def StartModify(self) -> int:
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified: int) -> int:
        return self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event: int | str, callback: Callable[..., None], priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> None:
        self.parameterNode.Modified()

    @classmethod
    def _known(cls, name: str) -> _Parameter:
        if name not in cls.allParameters:
            raise ValueError(f"There is no parameter {name!r}, only {', '.join(cls.allParameters)}")
        return cls.allParameters[name]


RESERVED = [name for name in vars(_Wrapper) if not name.startswith("__")]


def parameterNodeWrapper(classtype: _Class | None = None) -> Any:
    """Make a class, whose annotations name parameters, into a view of a parameter node.

    Raises:
        ValueError: the class uses a name of the wrapper's own
        TypeError: a type that a parameter node cannot store, or an annotation that nothing understands
    """
    return _wrap if classtype is None else _wrap(classtype)


def _wrap(classtype: _Class) -> _Class:
    for name in RESERVED:
        if name in vars(classtype) or name in classtype.__annotations__:
            raise ValueError(f"{name!r} is a reserved name in a parameterNodeWrapper")
    parameters = {}
    for name, annotation in typing.get_type_hints(classtype, include_extras=True).items():
        storage, extras = storage_of(annotation)
        given = [validators.Default(vars(classtype)[name])] if name in vars(classtype) else []
        defaults = given + [item for item in extras if isinstance(item, validators.Default)]
        if len(defaults) > 1:
            raise TypeError(f"The parameter {name!r} has {len(defaults)} defaults")
        known = (validators.Default, validators.Decimals, validators.SingleStep)
        for item in extras:
            if not isinstance(item, known):
                raise TypeError(f"The annotation {item!r} of the parameter {name!r} is not understood")
        unused = [item for item in extras if not isinstance(item, validators.Default)]
        if unused:  # the widgets take them all the same
            logging.warning(f"Unused annotations: {unused}")
        default = defaults[0] if defaults else validators.Default(storage.default)
        parameters[name] = _Parameter(name, annotation, storage, default)
    for name, parameter in parameters.items():
        setattr(classtype, name, parameter)
    for name in [*RESERVED, "__init__"]:
        setattr(classtype, name, vars(_Wrapper)[name])
    classtype.allParameters = parameters
    return classtype


def isParameterNodeWrapper(classOrObject: Any) -> bool:
    return hasattr(classOrObject, "allParameters")


def module() -> types.ModuleType:
    """Return the module ``slicer.parameterNodeWrapper``."""
    result = types.ModuleType("slicer.parameterNodeWrapper", __doc__)
    for own in (parameterNodeWrapper, isParameterNodeWrapper, *validators.ALL):
        setattr(result, own.__name__, own)
    result.SlicerParameterNamePropertyName = PROPERTY
    return result
