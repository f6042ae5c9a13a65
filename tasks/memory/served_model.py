"""The winner as MLflow serves it: from rows as people have them to answers.

MLflow stores this file with the model and runs it when the model is loaded, beside the file
`nettuner_preprocessing.py` and without nettuner installed: it may import nothing else of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel
from nettuner_preprocessing import Preprocessing  # type: ignore[import-not-found]


class ServedModel(PythonModel):
    """Preprocessing, network, and the labels or units of the answer."""

    def load_context(self, context: Any) -> None:
        """Read the exported network and the preprocessing fitted on the training rows, if any."""
        self.network = torch.export.load(context.artifacts["network"]).module()
        fitted = context.artifacts.get("preprocessing")
        self.preprocessing = None
        if fitted is not None:
            text = Path(fitted).read_text(encoding="utf-8")
            self.preprocessing = Preprocessing.from_json(text)

    # For images `model_input` is an array. MLflow asks for a hint, and takes none that says both.
    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
        """One row of answer for each row of input.

        Returns:
            A table: `prediction`, and for classes the probability of each as `p_<label>`; without
            preprocessing an array of what the network makes of an array of numbers.
        """
        if self.preprocessing is None:
            with torch.no_grad():
                return self.network(torch.tensor(np.asarray(model_input, np.float32))).numpy()
        inputs = torch.from_numpy(self.preprocessing.transform(model_input))
        with torch.no_grad():
            return self.preprocessing.answer(self.network(inputs).numpy())


set_model(ServedModel())
