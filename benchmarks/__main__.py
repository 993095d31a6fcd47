"""``python -m benchmarks``: every question in a process of its own, with the same arguments for all."""

import subprocess
import sys

QUESTIONS = ("training_step", "operators", "order", "points", "width", "networks", "precision", "small")


def main() -> int:
    failed = []
    for question in QUESTIONS:
        print(f"\n== {question}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{question}", *sys.argv[1:]]).returncode:
            failed.append(question)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
