import pytest
from judging_world import write_world


@pytest.fixture
def world(tmp_path):
    """A collection of six queries, judgements that know little, and two runs that find what was never judged."""
    return write_world(tmp_path / "world")
