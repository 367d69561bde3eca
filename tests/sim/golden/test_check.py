import numpy as np
import pytest

from stillflow.sim.golden.check import check_words


def test_floats_are_refused():
    with pytest.raises(TypeError, match=r"^bias must hold integers, not 'float32'$"):
        check_words("bias", np.zeros(2, np.float32), (2,))


def test_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"^ifmap must have shape \(1, 2\), not \(2, 1\)$"):
        check_words("ifmap", np.zeros((2, 1), np.int8), (1, 2))
