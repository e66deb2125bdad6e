"""`python -m tests.simulation --seeds 0:100`; see README.md."""

from tests.simulation import disk, universe

universe.install()
disk.install()

from tests.simulation.command import main  # noqa: E402 - what is imported from now on is simulated

main()
