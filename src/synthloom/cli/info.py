"""synthloom info"""

from __future__ import annotations

from synthloom.cli.options import ModelPath


def run(model: ModelPath) -> None:
    """Say what a model file holds: model, knobs, columns, training, and what was kept back."""
    from synthloom.synthesizers import load

    synthesizer = load(model)
    info = synthesizer.info_
    print(f"{info['model']} for {info['kind']}s, {info['parameters']:,} parameters, fitted on {info['items']:,} items")
    print(f"seed {info['seed']}, {info['threads']} thread(s), synthloom {info['synthloom']}, torch {info['torch']}")
    print(f"training stopped by {info['stopped']}, best epoch {info['best_epoch']}")
    history = synthesizer.history_
    if len(history):
        last = history.iloc[-1]
        print(
            "last epoch: " + ", ".join(f"{name} {last[name]:.4g}" for name in history if name not in ("epoch", "step"))
        )
    for section in "knobs", "columns", "texts", "images":
        for name, value in info.get(section, {}).items():
            notice = info.get("notices", {}).get(name) if section != "knobs" else None
            heading = f"\n{section}\n" if name == next(iter(info[section])) else ""
            print(f"{heading}  {name:20} {value}" + (f"; {notice}" if notice else ""))
    if "privacy" in info:
        print(f"\nprivacy: {info['privacy']['statement']}")
    for note in info["notes"]:
        print(f"\nnote: {note}")
