"""Hypothesis profiles. Choose one with ``--hypothesis-profile`` or ``HYPOTHESIS_PROFILE``.

Both draw new examples in every run and print what it takes to repeat a failure: the seed
(``--hypothesis-seed``) and the blob (``@reproduce_failure``).
"""

import os

from hypothesis import settings

settings.register_profile("default", derandomize=False, deadline=None, print_blob=True)
# A CI machine starts afresh, so there is no database of failures to replay.
settings.register_profile(
    "ci", derandomize=False, deadline=None, print_blob=True, database=None, max_examples=200
)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default")
)
