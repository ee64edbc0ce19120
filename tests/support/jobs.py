"""Work for processes elsewhere, which find it by its name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


class Unlucky:
    """Squares numbers; takes its process with it at 3 the first time, and at 7 every time."""

    def __init__(self, folder: Path) -> None:
        self.marker = folder / "ended"

    def __call__(self, number: int) -> int:
        time.sleep(0.01 * (number % 3))
        if number == 7 or (number == 3 and not self.marker.exists()):
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return number**2
