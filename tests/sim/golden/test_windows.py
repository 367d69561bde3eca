import numpy as np

from stillflow.hw.layer import ConvShape
from stillflow.sim.golden.windows import windows


def test_window_starts_outside_and_skips_by_stride_and_dilation():
    shape = ConvShape(
        C=1, M=1, H=3, W=4, R=2, S=2, stride=(2, 1), dilation=(1, 3), pad=(1, 0, 0, 1)
    )
    plane = np.arange(12).reshape(3, 4)
    assert windows(plane, shape, fill=-1).tolist() == [
        [[[-1, -1], [0, 3]], [[-1, -1], [1, -1]]],
        [[[4, 7], [8, 11]], [[5, -1], [9, -1]]],
    ]
