"""The winner as MLflow serves it: from raw rows to predictions.

MLflow stores this file with the model and runs it when the model is loaded, beside the file
`nettuner_preprocessing.py` and without nettuner: it must import nothing else from nettuner.
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
    """Preprocessing, network, and conversion of outputs to labels or units."""

    def load_context(self, context: Any) -> None:
        """Load the exported network and the fitted preprocessing, if any."""
        self.network = torch.export.load(context.artifacts["network"]).module()
        fitted = context.artifacts.get("preprocessing")
        self.preprocessing = None
        if fitted is not None:
            text = Path(fitted).read_text(encoding="utf-8")
            self.preprocessing = Preprocessing.from_json(text)

    # For images `model_input` is an array, but MLflow accepts no type hint for both.
    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
        """One row of output for each row of input.

        Returns:
            A table: `prediction`, and for classes their probabilities as `p_<label>`. Without
            preprocessing: the network's outputs for its own inputs, as an array.
        """
        if self.preprocessing is None:
            with torch.no_grad():
                return self._answer(model_input).numpy()
        inputs = torch.from_numpy(self.preprocessing.transform(model_input))
        with torch.no_grad():
            return self.preprocessing.answer(self.network(inputs).numpy())

    def _answer(self, given: Any) -> torch.Tensor:
        """The network's outputs for its own inputs: an array, or several by name or place."""
        if not isinstance(given, dict):
            answer: torch.Tensor = self.network(_tensor(given))
            return answer
        inputs = {name: _tensor(part) for name, part in given.items()}
        if all(name == f"input_{place}" for place, name in enumerate(inputs)):
            answer = self.network(*inputs.values())
        else:
            answer = self.network(**inputs)
        return answer


def _tensor(given: Any) -> torch.Tensor:
    """Numbers as a network takes them: whole ones as they are, all others as float32."""
    array = np.asarray(given)
    return torch.tensor(array if array.dtype.kind in "iub" else array.astype(np.float32))


set_model(ServedModel())
