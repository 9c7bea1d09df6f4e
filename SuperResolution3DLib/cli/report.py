"""The report of a run as JSON, for panel, batches and nodes; most of its fields: ``inference.computation``."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Self

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.inference.computation import Computation, DataConsistency
from SuperResolution3DLib.inference.slice_report import SliceReport
from SuperResolution3DLib.sentence import Sentence, Warned


@dataclass(frozen=True, kw_only=True)
class Report(Computation):
    """How a result came about, and between which files.

    The files have defaults: what goes to others, or into a scene, is told without them.
    """

    status: str = "done"
    """failed in that of a run without a result: ``failure_report``"""
    input: str = ""
    output: str = ""
    zero_filled: str | None = None
    trust_map: str | None = None
    model_file: str = ""

    def to_json(self) -> str:
        """Return all fields as JSON text.

        Raises:
            ValueError: a figure that is not finite.
        """
        return json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"

    def without_files(self) -> dict[str, Any]:
        """Return what may be shown to others: files lie in temporary folders and may name a person."""
        values = asdict(self)
        return {item.name: values[item.name] for item in fields(Computation)}

    @classmethod
    def from_json(cls, text: str, source: str) -> Self:
        """Read a report; ``source`` names it in errors.

        Fields that this version does not know are left out: newer ones may add some. None of its own may be missing
        but those with a default, which every field gets that is added from now on.

        Raises:
            InputError: no JSON, or a field is missing or of another kind.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise InputError(Sentence("input-report-json", {"source": source, "reason": str(error)})) from error
        return cls.from_values(values, source)

    @classmethod
    def from_values(cls, values: object, source: str) -> Self:
        """Read a report from the values of its JSON object, by the rule of ``from_json``.

        Raises:
            InputError: a field is missing or of another kind.
        """
        try:
            known = _known(cls, values)
            known["data_consistency"] = DataConsistency(**_known(DataConsistency, known["data_consistency"]))
            if known.get("slices") is not None:
                known["slices"] = SliceReport(**_known(SliceReport, known["slices"]))
            if known.get("trust") is not None:
                known["trust"] = Sentence.from_values(_known(Sentence, known["trust"]))
            known["warnings"] = tuple(Warned.from_values(_known(Warned, warned)) for warned in known["warnings"])
            return cls(**known)
        except (TypeError, KeyError) as error:
            raise InputError(Sentence("input-report", {"source": source, "reason": str(error)})) from error


def _known(kind: type[Any], values: object) -> dict[str, Any]:
    """Return the values of a dataclass's fields, lists as tuples.

    Raises:
        TypeError: it is no JSON object, or lacks a field without a default.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"it has {values!r} where a JSON object is expected")
    required = [item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING]
    if missing := [name for name in required if name not in values]:
        raise TypeError(f"it lacks {', '.join(missing)}")
    return {
        item.name: tuple(value) if isinstance(value := values[item.name], list) else value
        for item in fields(kind)
        if item.name in values
    }
