"""The chart of which sources helped and which hurt, drawn without a display."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.provenance.influence.report import EffectFigure, InfluenceReport

COLOURS = {"helped": "#2e7d32", "hurt": "#b3402a", "unclear": "#8a8a8a"}
MAX_BARS = 20


def write_chart(report: InfluenceReport, folder: Path) -> Path:
    """Draw the totals of the sources with 95 % intervals into influence.png of a folder."""
    from matplotlib.figure import Figure

    shown = report.sources[:MAX_BARS]
    measured = [total.removed for total in shown]
    sides: dict[str, Sequence[EffectFigure | None]] = {
        "influence, sum of scores": [total.score for total in shown]
    }
    if any(measured):
        sides["loss per token added without it, nats"] = measured
    size = (1.5 + 4.5 * len(sides), 1.6 + 0.4 * len(shown))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(sides), squeeze=False, sharey=True)[0]
    for axis, (label, effects) in zip(axes, sides.items(), strict=True):
        _bars(axis, [total.name for total in shown], effects)
        axis.set_xlabel(label)
    axes[0].invert_yaxis()
    figure.suptitle(f"{report.model} on {report.evaluation}: {report.standing}")
    path = folder / "influence.png"
    figure.savefig(path, dpi=120)
    return path


def _bars(axis: Any, names: Sequence[str], effects: Sequence[EffectFigure | None]) -> None:
    for name, effect in zip(names, effects, strict=True):
        if effect is not None:
            error = [[effect.value - effect.low], [effect.high - effect.value]]
            colour = COLOURS[effect.verdict]
            axis.barh(name, effect.value, xerr=error, color=colour, capsize=3)
    axis.axvline(0, color="black", linewidth=0.8)
