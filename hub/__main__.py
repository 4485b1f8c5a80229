"""`python -m hub` is `toolhub`."""

from hub.cli import main

if __name__ == "__main__":
    main()
