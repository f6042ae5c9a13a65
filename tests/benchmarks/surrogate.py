"""The surrogate of LCBench as a process that answers, in an environment of its own.

Each line asks `{"task": ..., "output": ..., "rows": [...]}`: the task's number in OpenML, the index
of an output, and rows of inputs. The answer is `{"values": [...]}`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime


def main() -> None:
    """Answer every line."""
    folder = Path(sys.argv[1])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
    encoding = json.loads((folder / "encoding.json").read_text(encoding="utf-8"))
    codes = encoding["OpenML_task_id"]
    for line in sys.stdin:
        asked = json.loads(line)
        rows = np.array(asked["rows"], dtype=np.float32)
        task = np.full((len(rows), 1), codes[str(asked["task"])], dtype=np.int32)
        outputs = session.run(None, {"x_cat": task, "x_cont": rows})[0]
        print(json.dumps({"values": outputs[:, asked["output"]].tolist()}), flush=True)


if __name__ == "__main__":
    main()
