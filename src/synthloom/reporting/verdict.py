"""Three sentences that stand before all figures: how alike, how useful, how safe; each with its level, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synthloom.evaluation import Scores
from synthloom.metrics import Score

__all__ = ["alarm", "alarms", "of_copies", "privacy", "summed", "verdict"]

_WORDS = {"good": "good", "fair": "fair", "poor": "poor", "unknown": "not tested"}
_OF_PRIVACY = {"good": "no alarm", "fair": "traces", "alarm": "alarm", "unknown": "not tested"}
_OF_ALARMS = {"good": "silent", "fair": "noticed", "alarm": "ringing", "unknown": "not run"}
"""Levels, and how they are called: colours alone would leave some readers out."""

_HARD_TO_TELL, _EASY_TO_TELL = 0.6, 0.8
"""AUC of the detector."""

_NEARLY_AS_USEFUL, _LESS_USEFUL = 0.9, 0.7
"""Of the way from independent columns to real rows."""

_LIMITS = {"dcr_share": (0.52, 0.55), "membership_auc": (0.52, 0.55), "membership_outliers": (0.55, 0.6)}
"""An attack is noticed, and rings, if its whole 95 % interval lies beyond these; 0.5 is chance."""

_GAP_LIMITS = 0.02, 0.05
"""The same for what is guessed of training records beyond what is guessed of held-out ones."""


def verdict(scores: Scores) -> dict[str, Any]:
    """What scores of tables come to, `summed`."""
    found = {"likeness": _likeness(scores), "usefulness": _usefulness(scores), "privacy": privacy(alarms(scores))}
    return summed(found)


def summed(found: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Of the level and the sentence of each aspect: {"level": of the whole, "sentences": [{"aspect", "level", "word"
    for it, "text"}, ...]}."""
    sentences = [
        {"aspect": aspect, "level": level, "word": _word(aspect, level), "text": text}
        for aspect, (level, text) in found.items()
    ]
    levels = {sentence["level"] for sentence in sentences}
    order = ("alarm", "poor", "fair", "unknown", "good")
    return {"level": next(level for level in order if level in levels), "sentences": sentences}


def _word(aspect: str, level: str) -> str:
    return (_OF_PRIVACY if aspect == "privacy" else _WORDS)[level]


def _likeness(scores: Scores) -> tuple[str, str]:
    detection, columns, pairs = scores["detection"], scores["shape_error"], scores["trend_error"]
    details = [
        f"{what} are off by {score.value:.1f} %"
        + ("" if score.reference is None else f" (held-out real rows: {score.reference:.1f} %)")
        for what, score in (("single columns", columns), ("pairs of columns", pairs))
        if score.value is not None
    ]
    off = ", ".join(details) or "no column could be compared"
    auc = detection.detail.get("auc")
    if auc is None:
        return "unknown", f"Too few rows to try to tell synthetic ones from real ones; {off}."
    times = f"{100 * max(auc, 1 - auc):.0f} times in 100, where 50 is chance"
    tries = f"given one of each, boosted trees pick the synthetic one {times}"
    if auc < _HARD_TO_TELL:
        return "good", f"The synthetic rows are hard to tell from real ones: {tries}; {off}."
    if auc < _EASY_TO_TELL:
        return "fair", f"The synthetic rows can be told from real ones, though not always: {tries}; {off}."
    return "poor", f"The synthetic rows are easily told from real ones: {tries}; {off}."


def _usefulness(scores: Scores) -> tuple[str, str]:
    score = scores["utility"]
    if score.value is None or score.reference is None or score.baseline is None:
        reason = score.about.removeprefix("not available: ")
        return "unknown", f"How useful they are was not tested: {reason}."
    first = score.detail["targets"][0]
    what = f"predicting {first['target']!r} in held-out real rows"
    numbers = (
        f"{first['measure']} {score.value:.3f} after training on synthetic rows, {score.reference:.3f} after real "
        f"ones, {score.baseline:.3f} where columns are independent"
    )
    room = score.reference - score.baseline
    if room < 0.02:
        return (
            "unknown",
            f"How useful they are could not be seen: {what} is hardly possible from real rows ({numbers}).",
        )
    kept = (score.value - score.baseline) / room
    if kept >= _NEARLY_AS_USEFUL:
        return "good", f"Models trained on them do nearly as well as on real rows: {what}, {numbers}."
    if kept >= _LESS_USEFUL:
        return "fair", f"Models trained on them do less well than on real rows: {what}, {numbers}."
    return "poor", f"Models trained on them do much worse than on real rows: {what}, {numbers}."


def privacy(found: list[dict[str, str]], things: str = "rows") -> tuple[str, str]:
    """What alarms come to; `things` is what the data are made of."""
    ran = [one for one in found if one["level"] != "unknown"]
    if not ran:
        return "unknown", f"Whether they give training {things} away was not tested: {found[0]['text']}."
    ringing = [one for one in ran if one["level"] == "alarm"]
    if ringing:
        what = _some(ringing)
        return "alarm", f"Alarm: the synthetic {things} give training {things} away, so do not share them: {what}."
    noticed = [one for one in ran if one["level"] == "fair"]
    if noticed:
        what = _some(noticed)
        return "fair", f"Traces of training {things} were noticed, short of an alarm: {what}."
    if len(ran) < len(found):
        missing = next(one["text"] for one in found if one["level"] == "unknown")
        return (
            "unknown",
            f"No alarm rang in {len(ran)} of {len(found)} privacy tests, the others could not run: {missing}.",
        )
    return "good", f"None of {len(ran)} privacy tests rang; they are alarms, and their silence is no proof of safety."


def _some(found: list[dict[str, str]]) -> str:
    """At most two of them in full: a sentence must have an end."""
    more = f"; and {len(found) - 2} more" if len(found) > 2 else ""
    return "; ".join(one["text"] for one in found[:2]) + more


def alarms(scores: Scores) -> list[dict[str, str]]:
    """Each attack with its level and what it found, in words."""
    found = [of_copies(scores["copy_rate"])]
    named = {
        "dcr_share": "synthetic rows lie nearer to training than to held-out rows",
        "membership_auc": "an attacker ranks training records above others",
        "membership_outliers": "an attacker ranks outlying training records above other outlying ones",
    }
    for name, (notice, ring) in _LIMITS.items():
        score = scores[name]
        if score.value is None or score.interval is None:
            found.append(alarm(name, "unknown", score.about.removeprefix("not available: ")))
            continue
        low = score.interval[0]
        level = "alarm" if low > ring else "fair" if low > notice else "good"
        found.append(alarm(name, level, f"{named[name]} {100 * score.value:.0f} times in 100, where 50 is chance"))
    return [*found, _of_secrets(scores["attribute_inference"])]


def of_copies(
    score: Score, what: str = "of the synthetic rows are copies of training rows", held: str = "held-out rows"
) -> dict[str, str]:
    """The alarm of a rate of copies, for `what`; `held` are those that are so by chance."""
    if score.value is None or score.interval is None:
        return alarm("copy_rate", "unknown", score.about.removeprefix("not available: "))
    text = f"{100 * score.value:.1f} % {what}"
    if score.reference is None:
        return alarm("copy_rate", "fair" if score.interval[0] > 0.05 else "good", text)
    beyond = score.interval[0] > 1.5 * score.reference + 0.005
    return alarm(
        "copy_rate",
        "alarm" if beyond else "good",
        f"{text}, as {100 * score.reference:.1f} % of {held} are by chance",
    )


def _of_secrets(score: Score) -> dict[str, str]:
    if score.value is None or score.reference is None:
        return alarm("attribute_inference", "unknown", score.about.removeprefix("not available: "))
    low, (notice, ring) = score.detail["gap_interval"][0], _GAP_LIMITS
    level = "alarm" if low > ring else "fair" if low > notice else "good"
    text = (
        f"{100 * score.value:.0f} % of the hidden cells of training records are guessed, and "
        f"{100 * score.reference:.0f} % of those of held-out ones"
    )
    return alarm("attribute_inference", level, text)


def alarm(name: str, level: str, text: str) -> dict[str, str]:
    """What one attack found, and how its level is called."""
    return {"name": name, "level": level, "word": _OF_ALARMS[level], "text": text}
