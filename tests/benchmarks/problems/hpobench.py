"""Multi-layer perceptrons on seven data sets of OpenML: validation accuracy, five dimensions.

Source: Eggensperger et al., HPOBench (2021), arXiv:2109.06716.
"""

from __future__ import annotations

from tables import TABLES, mean_tables

NEEDS = TABLES
PROBLEMS = mean_tables(
    (
        "hpobench_australian",
        "hpobench_car",
        "hpobench_phoneme",
        "hpobench_vehicle",
        "hpobench_kc1",
        "hpobench_blood_transfusion",
        "hpobench_credit_g",
    )
)
