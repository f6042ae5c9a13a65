"""What tests of data share."""

from __future__ import annotations

import pytest

from nettuner.models.data.load import load


@pytest.fixture
def refused():
    """The one line in which a source is refused."""

    def refused(source):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the caller looks at the message
            load(source)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return refused
