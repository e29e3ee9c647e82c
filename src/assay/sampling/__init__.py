"""Which logs are looked at: policies, permanent random numbers, recorded probabilities."""

from assay.sampling.apply import apply_new, apply_policy
from assay.sampling.base import Chances, Day, Needs, Policy, Quota, Risk, Stratum, version_of
from assay.sampling.composed import Composed
from assay.sampling.conform import check_policy
from assay.sampling.decide import decide
from assay.sampling.draw import draw, salt_of
from assay.sampling.groups import group_logs
from assay.sampling.load import load_policy
from assay.sampling.sources import OwnDays, Sources
from assay.sampling.stratified import Stratified
from assay.sampling.uniform import Uniform

__all__ = [
    "Chances",
    "Composed",
    "Day",
    "Needs",
    "OwnDays",
    "Policy",
    "Quota",
    "Risk",
    "Sources",
    "Stratified",
    "Stratum",
    "Uniform",
    "apply_new",
    "apply_policy",
    "check_policy",
    "decide",
    "draw",
    "group_logs",
    "load_policy",
    "salt_of",
    "version_of",
]
