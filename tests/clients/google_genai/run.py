"""pytest with the google-genai of this folder before the one in the virtual environment.

What it runs hears the newest generation; the Gatehouse that it serves keeps the packages it is locked to.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parent / ".packages"
sys.path.insert(0, str(PACKAGES))

found = find_spec("google.genai")
if found is None or not Path(str(found.origin)).is_relative_to(PACKAGES):
    sys.exit("The newest google-genai is not installed: .ci/test-clients does it.")
sys.exit(pytest.main(sys.argv[1:]))
