"""Two-layer networks for regression: the mean squared error, which spreads over decades.

Searches see the error as it is; regret is judged on its logarithm, on which people compare them.

Source: Klein & Hutter, Tabular Benchmarks (2019), arXiv:1905.04970.
"""

from __future__ import annotations

import numpy as np
from tables import TABLES, mean_tables

NEEDS = TABLES
PROBLEMS = mean_tables(("hpolib_parkinsons_telemonitoring", "hpolib_slice_localization"), np.log)
