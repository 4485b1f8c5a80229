"""Puts this folder's own modules (the gallery, the browser) within reach of its tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
