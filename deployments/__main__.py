"""Run the `ferflow` command as `python -m deployments`."""

from deployments.cli import main

if __name__ == "__main__":
    main(prog_name="ferflow")
