"""Which logs are looked at: policies, permanent random numbers, recorded probabilities."""

from assay.sampling.apply import apply_policy, group_logs
from assay.sampling.base import Policy, Quota, Stratum, version_of
from assay.sampling.decide import Fixed, decide, fix_probabilities
from assay.sampling.draw import draw, salt_of
from assay.sampling.load import load_policy
from assay.sampling.stratified import Stratified
from assay.sampling.uniform import Uniform

__all__ = [
    "Fixed",
    "Policy",
    "Quota",
    "Stratified",
    "Stratum",
    "Uniform",
    "apply_policy",
    "decide",
    "draw",
    "fix_probabilities",
    "group_logs",
    "load_policy",
    "salt_of",
    "version_of",
]
