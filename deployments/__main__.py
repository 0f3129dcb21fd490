"""`python -m deployments`: the same as the `ferflow` command."""

from deployments.cli import main

if __name__ == "__main__":
    main(prog_name="ferflow")
