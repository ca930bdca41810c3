"""DeZero beside its peers: `make bench` measures, prints the table and writes results.md."""
