"""Announce and time the stages of a long job on the terminal."""

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager

from infra.messages import say


class Stages:
    """Says on stderr which stage runs, and keeps how long each one took."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Announce and time one stage; its message is demo.stage.<name>."""
        sys.stderr.write(f"==> {say(f'demo.stage.{name}', self.lang)}\n")
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 3)

    def table(self) -> str:
        """Render the times as lines of text."""
        rows = [*self.seconds.items(), ("total", sum(self.seconds.values()))]
        unit = say("seconds", self.lang)
        return "\n".join(f"  {name:10} {value:7.1f} {unit}" for name, value in rows)
