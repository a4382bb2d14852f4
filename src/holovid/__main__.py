"""`python -m holovid`, for programs that start modules, such as torchrun -m holovid train."""

from holovid.cli import main

if __name__ == "__main__":
    main()
