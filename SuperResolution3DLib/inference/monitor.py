"""What the engine tells of a run while it lasts, and asks: whether to go on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Warned:
    """Something that does not stop the run."""

    code: str
    message: str


class Monitor:
    """What a run tells and asks; this one is deaf and never cancels."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """Hear that ``done`` of the ``total`` steps of a stage (one of ``STAGES``) are behind."""

    def warn(self, code: str, message: str) -> None:
        """Hear of something that does not stop the run."""

    def tell(self, sentence: str) -> None:
        """Hear of something that was decided."""

    def is_cancelled(self) -> bool:
        """Say whether the run shall end; it then raises ``CancelledError``."""
        return False
