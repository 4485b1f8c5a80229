"""`python -m benchmarks`: the benchmark of governed reads."""

from benchmarks.governed_read import main

if __name__ == "__main__":
    main()
