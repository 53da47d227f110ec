"""Past one process: a sample in parts that are made anywhere, and what they are made on.

A new engine is a function here (`engines.py`) and a line in `ENGINES`.
"""

from synthloom.scale.engines import ENGINES
from synthloom.scale.parts import Job, Manifest, Part, generate, make_part

__all__ = ["ENGINES", "Job", "Manifest", "Part", "generate", "make_part"]
