"""What the benchmarks share: cases, networks, peers, the clock, the floor, memory, tables. One subject per file."""
