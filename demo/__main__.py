"""`make demo`: inspects the demonstration calls and says where the page is."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "out" / "demo.html"


def main() -> int:
    """Run `earshot inspect` on the demonstration calls exactly as a user would."""
    PAGE.parent.mkdir(exist_ok=True)
    print(
        "Inspecting the calls of demo/calls through a real Triton server (starts in a few seconds) …",
        flush=True,
    )
    command = [sys.executable, "-m", "server", "inspect", str(HERE / "calls"), "--html", str(PAGE)]
    done = subprocess.run(command, cwd=HERE.parent, check=False)
    if done.returncode == 0:
        print(f"\nThe page with wave forms, time line and audio: {PAGE}")
        print("The calls are synthesized; the shipped recogniser knows synthesized speech only (README.md).")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
