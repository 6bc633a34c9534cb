"""What a run is worth, in numbers; a metric of your own joins with `register`.

SHARPNESS = declare("sharpness", "Mine", "score", "Mean absolute Laplacian of the samples.", "higher")

def measure(evidence: Evidence) -> Iterator[Score]:
    yield evidence.sample_score(SHARPNESS, sharpness(evidence.samples), split="generated")

register(Part("sharpness", lambda evidence: evidence.can_sample, measure))
"""

from simulacra.evaluation.evaluate import Evaluation, Part, register
from simulacra.evaluation.evidence import Evidence
from simulacra.evaluation.scores import Score
from simulacra.metrics.meanings import declare

__all__ = ["Evaluation", "Evidence", "Part", "Score", "declare", "register"]
