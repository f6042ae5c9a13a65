"""A plain function: `nettuner search deploy/studies/own_function.yaml`."""

from sklearn.datasets import load_diabetes
from sklearn.linear_model import SGDRegressor
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def error(hyperparameters, report):
    """Return the metric, or report it step by step: report(step, rmse=...)."""
    model = make_pipeline(StandardScaler(), SGDRegressor(random_state=0, **hyperparameters))
    inputs, targets = load_diabetes(return_X_y=True)
    scores = cross_val_score(model, inputs, targets, scoring="neg_root_mean_squared_error")
    for fold, score in enumerate(scores, start=1):
        report(fold, fold_rmse=-score)
    return -scores.mean()
