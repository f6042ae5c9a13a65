"""Cells of convolutional networks on CIFAR-10: validation accuracy, six choices of five.

Source: Dong & Yang, NAS-Bench-201 (2020), arXiv:2001.00326.
"""

from __future__ import annotations

from tables import TABLES, mean_tables

NEEDS = TABLES
PROBLEMS = mean_tables(("nasbench201_cifar10",))
