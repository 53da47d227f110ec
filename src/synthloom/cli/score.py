"""synthloom score"""

from __future__ import annotations

from synthloom.cli.options import Force, Items, ModelPath, Out, load_model, may_write


def run(model: ModelPath, data: Items, out: Out, force: Force = False) -> None:
    """Write the evidence lower bound of each item, in nats: at most its log-likelihood; the lowest are unusual.

    Of images also how many nats beyond a PNG they take: the highest are unusual, however plain they are.
    """
    path = may_write(out, force)
    synthesizer, source = load_model(model)
    import pandas as pd

    from synthloom.sources import write_table

    write_table(pd.DataFrame(synthesizer.scores(source.read(data))), path)
