"""`python -m holovid`, for what starts modules: torchrun -m holovid train, accelerate launch -m holovid train."""

from holovid.cli import main

if __name__ == "__main__":
    main()
