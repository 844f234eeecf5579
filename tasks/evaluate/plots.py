"""Charts of retrieval scores, drawn without a display."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tasks.evaluate.metrics import RECALL_CUTS
from tasks.evaluate.retrieval import HEADLINE, RetrievalScores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Format = Literal["png", "svg"]
COLOURS = {"bm25": "#8a6d3b", "dense": "#31708f", "hybrid": "#2e7d32"}
"""One colour per mode in every chart; told apart in greyscale too."""
_OTHER = "#666666"


def write_chart(scores: RetrievalScores, title: str, folder: Path) -> Path:
    """Write the chart into a folder as retrieval.png."""
    path = folder / "retrieval.png"
    path.write_bytes(chart_scores(scores, title))
    return path


def chart_scores(scores: RetrievalScores, title: str, kind: Format = "png") -> bytes:
    """Draw nDCG@10 with 95 % intervals beside recall@k, one colour per mode."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "suyuan"}):  # equal scores give equal bytes
        figure = Figure(figsize=(8, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        _bars(left, scores)
        _curves(right, scores)
        figure.suptitle(title)
        stream = io.BytesIO()
        figure.savefig(
            stream, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else {}
        )
    return stream.getvalue()


def _bars(axes: "Axes", scores: RetrievalScores) -> None:
    figures = {mode: score.figures[HEADLINE] for mode, score in scores.modes.items()}
    means = [figure.mean for figure in figures.values()]
    below = [figure.mean - figure.low for figure in figures.values()]
    above = [figure.high - figure.mean for figure in figures.values()]
    colours = [COLOURS.get(mode, _OTHER) for mode in figures]
    bars = axes.bar(list(figures), means, yerr=[below, above], color=colours, capsize=4)
    axes.bar_label(bars, fmt="%.3f", label_type="center", color="white")
    axes.set_ylim(0, 1)
    axes.set_ylabel("nDCG@10, 95 % interval")


def _curves(axes: "Axes", scores: RetrievalScores) -> None:
    for mode, score in scores.modes.items():
        cuts = [k for k in RECALL_CUTS if f"recall@{k}" in score.figures]
        means = [score.figures[f"recall@{k}"].mean for k in cuts]
        axes.plot(cuts, means, marker="o", label=mode, color=COLOURS.get(mode, _OTHER))
    axes.set_xscale("log")
    axes.set_xticks(RECALL_CUTS, [str(k) for k in RECALL_CUTS])
    axes.minorticks_off()
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("k")
    axes.set_ylabel("recall@k")
    axes.legend(loc="lower right", frameon=False)
