"""What the engine tells of a run while it lasts, and asks: whether to go on."""

from SuperResolution3DLib.sentence import Warned


class Monitor:
    """What a run tells and asks; this one is deaf and never cancels."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """Hear that ``done`` of the ``total`` steps of a stage (one of ``STAGES``) are behind."""

    def warn(self, warned: Warned) -> None:
        """Hear of something that does not stop the run."""

    def tell(self, sentence: str) -> None:
        """Hear of something that was decided."""

    def is_cancelled(self) -> bool:
        """Say whether the run shall end; it then raises ``CancelledError``."""
        return False
