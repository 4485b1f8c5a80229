"""What reads passkeys is loaded where somebody uses one, and no earlier."""

import subprocess
import sys


def test_the_hub_loads_what_reads_passkeys_only_where_somebody_uses_one() -> None:
    asked = "import sys, hub.app, hub.worker; print('webauthn' in sys.modules or 'OpenSSL' in sys.modules)"

    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True, text=True).stdout

    assert told.strip() == "False"
