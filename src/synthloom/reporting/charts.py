"""More of the report's pictures: what gives it away, what it is good for, and how the attacks fared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from synthloom.reporting.figures import WIDTH, curves
from synthloom.reporting.svg import Axis, drawing, hover, short, tag, ticks

__all__ = ["attacks", "distances", "telling", "usefulness"]

_LEFT = 126.0
_PITCH = 20.0
_MOST_TELLING = 8
_LEAST_TELLING = 0.001

_ATTACKS = {
    "dcr_share": "nearer to training",
    "membership_auc": "membership",
    "membership_outliers": "… of outliers",
}


def telling(columns: Sequence[Mapping[str, Any]]) -> Markup | str:
    """The columns without which the detector does worst."""
    felt = (entry for entry in columns if entry["drop"] >= _LEAST_TELLING)
    most = sorted(felt, key=lambda entry: -entry["drop"])[:_MOST_TELLING]
    if not most:
        return ""
    axis = Axis(0, most[0]["drop"], _LEFT, WIDTH - 46)
    rows = []
    for i, entry in enumerate(most):
        y = 3 + i * _PITCH
        rows.append(
            hover(
                f"{entry['column']}: permuting it costs the detector {entry['drop']:.3f} of its AUC",
                tag("rect", x=0, y=y - 2, width=WIDTH, height=_PITCH - 1, class_="touch"),
                tag("text", short(entry["column"], 20), x=_LEFT - 6, y=y + 11, class_="end"),
                tag("rect", x=_LEFT, y=y + 1, width=axis(entry["drop"]) - _LEFT, height=13, class_="synthetic"),
                tag("text", f"{entry['drop']:.3f}", x=axis(entry["drop"]) + 5, y=y + 11, class_="quiet"),
            )
        )
    about = f"The most telling of {len(columns)} columns is {most[0]['column']}, {most[0]['drop']:.3f}."
    return drawing("What gives the synthetic rows away", about, WIDTH, 4 + len(most) * _PITCH, *rows)


def usefulness(targets: Sequence[Mapping[str, Any]]) -> Markup:
    """For each target, three bars: after training on synthetic rows, on real ones, and on independent columns."""
    parts, y = [], 0.0
    for target in targets:
        chance = 0.5 if target["measure"] == "AUC" else 0.0
        axis = Axis(chance, 1, _LEFT, WIDTH - 46)
        parts.append(tag("text", f"{short(target['target'], 40)}, {target['measure']}", x=0, y=y + 13, class_="strong"))
        for side, words, kind in (
            ("value", "trained on synthetic", "synthetic"),
            ("reference", "on real", "real"),
            ("baseline", "on independent", "nothing"),
        ):
            y += _PITCH
            value = target[side]
            interval = None
            if side == "value":
                low, high = (axis(x) for x in target["interval"])
                interval = tag("path", d=f"M{low:.1f} {y + 8:.1f}H{high:.1f}", class_="whisker")
            parts.append(
                hover(
                    f"{target['target']}, {words}: {target['measure']} {value:.3f}",
                    tag("rect", x=0, y=y - 2, width=WIDTH, height=_PITCH - 1, class_="touch"),
                    tag("text", words, x=_LEFT - 6, y=y + 12, class_="end"),
                    tag("rect", x=_LEFT, y=y + 2, width=max(axis(value) - _LEFT, 1), height=12, class_=kind),
                    interval,
                    tag("text", f"{value:.3f}", x=WIDTH, y=y + 12, class_="end quiet"),
                )
            )
        y += _PITCH + 10
    named = ", ".join(f"{t['target']}: {t['value']:.3f} of {t['reference']:.3f}" for t in targets)
    about = f"Bars start at chance. After training on synthetic data, of real ones: {named}."
    return drawing("What the synthetic data are good for", about, WIDTH, y - 6, *parts)


def attacks(scores: Mapping[str, Mapping[str, Any]]) -> Markup | str:
    """Each attack with its 95 % interval; 0.5 is a coin, 1 certainty."""
    ran = {name: scores[name] for name in _ATTACKS if scores.get(name, {}).get("value") is not None}
    if not ran:
        return ""
    axis = Axis(0.3, 1, _LEFT, WIDTH - 10)
    bottom = 4 + 24 * len(ran)
    rows = []
    for i, (name, score) in enumerate(ran.items()):
        y = 16 + 24.0 * i
        low, high = score["interval"]
        words = f"{name}: {score['value']:.3f} ({low:.3f} to {high:.3f})"
        mark = None
        if score["reference"] is not None:
            words += f"; held-out rows in the synthetic's place {score['reference']:.3f}"
            at = axis(score["reference"])
            mark = tag("path", d=f"M{at:.1f} {y - 7:.1f}V{y + 7:.1f}", class_="reference")
        rows.append(
            hover(
                words,
                tag("rect", x=0, y=y - 11, width=WIDTH, height=22, class_="touch"),
                tag("text", _ATTACKS[name], x=_LEFT - 6, y=y + 4, class_="end"),
                mark,
                tag("path", d=f"M{axis(low):.1f} {y:.1f}H{axis(high):.1f}", class_="whisker"),
                tag("circle", cx=axis(score["value"]), cy=y, r=4.5, class_="synthetic"),
            )
        )
    scale = [tag("text", text, x=axis(at), y=bottom + 18, class_="middle quiet") for at, text in ticks(axis, most=7)]
    coin = tag("path", d=f"M{axis(0.5):.1f} 2V{bottom}", class_="axis dashed")
    frame = tag("path", d=f"M{_LEFT} {bottom}H{WIDTH - 10}", class_="axis frame")
    about = "; ".join(f"{_ATTACKS[name]} {score['value']:.3f}" for name, score in ran.items()) + "; 0.5 is a coin."
    return drawing("How the attacks fared", about, WIDTH, bottom + 24, coin, frame, *scale, *rows)


def distances(detail: Mapping[str, Sequence[float]]) -> Markup | str:
    """How far the nearest training row is, and the nearest held-out one, by quantile."""
    if not detail:
        return ""
    lines = {"training": detail["to_training"], "heldout": detail["to_heldout"]}
    shares = [round(100 * share) for share in detail["quantiles"]]
    middle = len(shares) // 2
    about = (
        f"In the middle, the nearest training row is {lines['training'][middle]:.3g} away, the nearest held-out row "
        f"{lines['heldout'][middle]:.3g}."
    )
    return curves("Distance to the nearest real row", about, shares, lines, "% of synthetic rows are nearer")
