"""llama.cpp's own server with the tiny model, on a port of loopback, which is the only argument."""

import signal
import sys
import tempfile
from pathlib import Path

import xllamacpp

from tests.clients.llama.model import CONTEXT, write


def start(file: Path, port: int) -> xllamacpp.Server:
    """Returns when the model is loaded: its file is not needed any more."""
    write(file)
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.model_alias = {"tiny"}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_parallel, params.n_ctx = 2, 2 * CONTEXT
    params.cpuparams.n_threads = 1
    params.sampling.temp = 0.0
    params.use_jinja = True
    params.warmup = False
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.endpoint_metrics = True
    return xllamacpp.Server(params)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        server = start(Path(folder) / "tiny.gguf", int(sys.argv[1]))
    signal.pause()
