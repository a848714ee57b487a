"""``python -m kerasviz.cli``: the command ``kerasviz`` of the Python that runs."""

from kerasviz.cli import main

if __name__ == "__main__":
    main()
