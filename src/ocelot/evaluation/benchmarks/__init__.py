"""Readers of the field's benchmarks, all into one value: `base.Benchmark`."""
