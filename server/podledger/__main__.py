"""`python -m podledger`: the command line."""

from podledger.cli.app import main

if __name__ == "__main__":
    main()
