"""These tests need the programs `wardkeeper` and `serve` (testdata/clinic) in the folder BIN, and the files of CHECKOUT."""

import contextlib
import os
import pathlib
import signal
import subprocess

import pytest

ROOT = pathlib.Path(os.environ.get("CHECKOUT") or pathlib.Path(__file__).resolve().parents[4])
BIN = pathlib.Path(os.environ.get("BIN", ROOT / "bin"))
SAMPLE = ROOT / "testdata" / "directories" / "sample.yaml"


class Sidecar:
    """A running sidecar."""

    def __init__(self, directory, socket):
        self.url = f"unix:{socket}"
        self._process = subprocess.Popen(
            [BIN / "wardkeeper", "serve", "--addr", self.url, "--directory", directory],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        said = []
        for line in self._process.stderr:
            said.append(line)
            if "wardkeeper serves " in line:
                return
        raise RuntimeError("the sidecar has ended: " + "".join(said))

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        self._process.stderr.close()
        self._process.wait(60)


@pytest.fixture
def sidecar(tmp_path):
    """Start sidecars: with the sample directory, or another one."""
    with contextlib.ExitStack() as stack:
        count = 0

        def start(directory=SAMPLE):
            nonlocal count
            count += 1
            started = Sidecar(directory, tmp_path / f"pdp{count}.sock")
            stack.callback(started.stop)
            return started

        yield start
