"""The shipped graph, temporary folders that are left empty, and a machine without a GPU driver."""

import tempfile
from pathlib import Path

import pytest

from climb_edge.refiners.tflite import default_path
from climb_edge.runtime import backend
from climb_edge.runtime.contract_sections import GoldenTest
from climb_edge.runtime.model_file import read_model


@pytest.fixture
def shipped(monkeypatch) -> tuple[bytes, GoldenTest]:
    """The shipped graph and its golden test; nothing is remembered of earlier trials."""
    monkeypatch.setattr(backend, "_passed", {})
    graph, contract = read_model(default_path())
    return graph, contract.golden


@pytest.fixture
def litter(tmp_path, monkeypatch):
    """Temporary folders are made in here; none may be left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def no_driver(tmp_path, monkeypatch) -> Path:
    """A machine without a driver: an empty cache, nothing named. Gives the cache."""
    monkeypatch.delenv("VK_ICD_FILENAMES", raising=False)
    monkeypatch.delenv("VK_DRIVER_FILES", raising=False)
    monkeypatch.setenv("CLIMB_EDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
