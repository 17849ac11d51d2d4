# SPDX-License-Identifier: MIT
"""gunicorn's settings for its sync workers: the number that its documentation recommends."""
import os

workers = 2 * int(os.environ["WEIR_PEER_CORES"]) + 1
